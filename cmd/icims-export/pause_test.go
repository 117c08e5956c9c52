package main

import (
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

func TestUntil(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"":                          {},
		"2h":                        now.Add(2 * time.Hour),
		"1h30m":                     now.Add(90 * time.Minute),
		"3d":                        now.Add(72 * time.Hour),
		"18:30":                     time.Date(2026, 11, 22, 18, 30, 0, 0, time.Local),
		"2026-11-23T08:00:00+02:00": time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC),
		"2026-11-23 08:00":          time.Date(2026, 11, 23, 8, 0, 0, 0, time.Local),
		"2026-11-23":                time.Date(2026, 11, 23, 0, 0, 0, 0, time.Local),
	} {
		if got, err := parseUntil(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"tomorrow": "is not a time", "25:00": "is not a time", "11:59": "is in the past", "-2h": "is in the past", "0s": "is in the past", "2026-11-21": "is in the past", "d": "is not a time",
	} {
		if got, err := parseUntil(text, now); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "2026-11-22T1") {
			t.Errorf("%q: %s, %v, want an error that says %q and how to write it", text, got, err, want)
		}
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.accept("1234", 1709, 0, 30)
	read := func() *store.Pause {
		t.Helper()
		p, err := w.ledger.Lanes.PauseOf(t.Context(), "1234")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Run("a pause is kept with who, why and until when", func(t *testing.T) {
		r := w.call("pause", "1234", "--why=go-live", "--until=2h", "--who=ana")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "Customer 1234 is paused until", "keep their places", "icims-export resume 1234 --why")
		if p := read(); p == nil || p.By != "ana" || p.Why != "go-live" || time.Until(p.Until) < time.Hour || time.Until(p.Until) > 2*time.Hour {
			t.Errorf("paused as %+v", p)
		}
	})
	t.Run("another one takes its place, and says so", func(t *testing.T) {
		r := w.call("pause", "1234", "--why=longer", "--who=joe")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "until resumed", "replaces the pause by ana")
		if p := read(); p == nil || p.By != "joe" || !p.Until.IsZero() {
			t.Errorf("paused as %+v", p)
		}
	})
	t.Run("it is listed with who, why and until when", func(t *testing.T) {
		r := w.call("lanes", "--json")
		r.wantStatus(t, statusDone)
		got := decode[admin.LaneList](t, r.out)
		if len(got.Lanes) != 1 || got.Lanes[0].State != admin.LanePaused || got.Lanes[0].By != "joe" || got.Lanes[0].Why != "longer" {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("without the keyset the pause is shown without its reason", func(t *testing.T) {
		r := call(t, "lanes", "--json", "--redis-url="+w.url)
		r.wantStatus(t, statusDone)
		r.wantNone(t, "joe", "longer")
		if got := decode[admin.LaneList](t, r.out); len(got.Lanes) != 1 || got.Lanes[0].State != admin.LanePaused || got.Lanes[0].By != "an operator" {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("resume names the ended pause", func(t *testing.T) {
		r := w.call("resume", "1234", "--why=done", "--who=eve")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "Customer 1234 is resumed: the pause by joe (“longer”) ended")
		if p := read(); p != nil {
			t.Errorf("still paused: %+v", p)
		}
		actions, _, err := w.ledger.AuditLog.Actions(t.Context(), "1234", 1)
		if err != nil || len(actions) != 1 || actions[0].Who != "eve" || actions[0].Why != "done" {
			t.Errorf("recorded is %+v, %v", actions, err)
		}
	})
	t.Run("a lane that is not paused is not resumed", func(t *testing.T) {
		r := w.call("resume", "1234", "--why=done")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "Customer 1234 was not paused.")
	})
	t.Run("a pause made in the web UI is shown as one, and ended as well", func(t *testing.T) {
		testrig.Enqueue(t, w.redis, w.ledger, "1234", "x")
		if err := asynq.NewInspectorFromRedisClient(w.redis).PauseQueue(tasks.QueueName("1234", store.NormalQueue)); err != nil {
			t.Fatal(err)
		}
		r := w.call("lanes", "1234")
		r.wantAll(t, "paused in asynq's web UI; small batches continue")
		r = w.call("resume", "1234", "--why=done", "--json")
		r.wantStatus(t, statusDone)
		if got := decode[admin.Paused](t, r.out); len(got.WebUI) != 1 || got.WebUI[0] != "bulk" || got.Waiting != 1 || got.Hold.State != admin.LaneWaiting {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("resume says what else blocks the exports", func(t *testing.T) {
		if err := w.ledger.AuditLog.RecordBreaker(t.Context(), "1234", "w-1", "open"); err != nil {
			t.Fatal(err)
		}
		w.call("resume", "1234", "--why=done").wantAll(t, "But: iCIMS keeps failing")
	})
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a pause without a why":      {[]string{"pause", "1234"}, "--why"},
		"a resumption without a why": {[]string{"resume", "1234", "--why= "}, "--why"},
		"a customer that is none":    {[]string{"pause", "acme", "--why=x"}, "digits only"},
		"an end that is in the past": {[]string{"pause", "1234", "--why=x", "--until=2020-01-01"}, "is in the past"},
		"an end that is not a time":  {[]string{"pause", "1234", "--why=x", "--until=soon"}, "is not a time"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			r := w.call(c.args...)
			r.wantStatus(t, statusUsage)
			if !strings.Contains(r.errors, c.want) || read() != nil {
				t.Errorf("got %s", r.errors)
			}
		})
	}
}
