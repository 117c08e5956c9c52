package flows

import (
	"testing"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/api/console"
	"github.com/seekout/icims-export/api/monitoring"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// withQueues puts asynq's web UI beside the console.
func withQueues(s *service, o *console.Options) {
	s.t.Helper()
	queues, err := monitoring.New(monitoring.Options{Redis: s.redis, Path: console.MonitoringPath, MayOperate: console.MayOperate, Log: zerolog.Nop()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := queues.Close(); err != nil {
			s.t.Error(err)
		}
	})
	o.Monitoring = queues
}

func TestAsynqsWebUIFitsAPhone(t *testing.T) {
	s := newService(t, withQueues)
	s.connect()
	if err := s.ledger.Pause(t.Context(), customer, store.Pause{By: "Kim", Why: "so that tasks wait"}); err != nil {
		t.Fatal(err)
	}
	_, refs := testrig.Accept(t, s.ledger, customer, 1709, "c-1", "c-2")
	for _, ref := range refs {
		if err := tasks.Enqueue(t.Context(), s.redis, s.ledger, customer, tasks.Alarm{Export: ref.Export}); err != nil {
			t.Fatal(err)
		}
	}
	const (
		menu = `[...document.querySelectorAll(".MuiDrawer-root a[href^='/monitoring']")].map((a) => a.getBoundingClientRect())`
		main = `document.querySelector("main").getBoundingClientRect()`
		fits = menu + `.length === 5 && ` + menu + `.every((a) => a.left >= 0 && a.right <= innerWidth && a.bottom <= innerHeight) &&
			document.documentElement.scrollWidth <= innerWidth &&
			[...document.querySelectorAll("main .MuiTableContainer-root")].every((table) => table.getBoundingClientRect().right <= innerWidth)`
	)
	b := s.login(api.ScopeOperate)
	for size, wide := range map[string]bool{phone: false, narrow: false, desktop: true} {
		b.resize(size)
		for path, shows := range map[string]string{"": "icims:" + customer, "/queues/icims:" + customer + "?status=pending": refs[0].Export, "/settings": "Polling Interval"} {
			b.visit("/monitoring" + path)
			b.sees(shows)
			b.until("a menu and tables that fit the window", fits)
			if is, err := ask[bool](b, main+".width === innerWidth"); err != nil || is == wide {
				t.Errorf("%s, %s: the page has all of the width: %t, %v", size, path, is, err)
			}
		}
	}
	b.resize(phone)
	b.visit("/monitoring")
	b.click("Servers")
	b.until("the page of servers", `location.pathname === "/monitoring/servers"`)
}
