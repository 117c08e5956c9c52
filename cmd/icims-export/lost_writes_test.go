package main

import (
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// lanes and check report that Redis has lost writes, with the remedy.
func TestLostWritesAreReported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose   func(*testing.T, *redistest.Server, *ward)
		kind   store.LossKind
		says   string
		remedy string
	}{
		"an older copy was restored": {func(t *testing.T, s *redistest.Server, w *ward) {
			t.Helper()
			copied := s.Backup(t)
			w.beat()
			s.Restore(t, copied)
		}, store.LossWentBack, "Redis lost", "Send the batches of that time again"},
		"it was emptied": {func(t *testing.T, _ *redistest.Server, w *ward) {
			t.Helper()
			if err := w.redis.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}, store.LossEmptied, "the ledger is empty but was not", "Restore a copy of Redis"},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			w := newWardOn(t, server)
			w.accept("1234", 1709, 0, 1)
			w.beat()
			for _, command := range []string{"lanes", "check"} {
				if r := w.call(command); strings.Contains(r.out+r.errors, "Noticed") {
					t.Errorf("before: %s says %s", command, r.out)
				}
			}
			c.lose(t, server, w)
			if !w.beat() {
				t.Fatal("the worker has not noticed")
			}
			for _, command := range []string{"lanes", "check"} {
				r := w.call(command)
				said := strings.Join(strings.Fields(r.out+r.errors), " ")
				if !strings.Contains(said, c.says) || !strings.Contains(said, c.remedy) {
					t.Errorf("%s says %s", command, said)
				}
			}
			lanes, check := decode[admin.LaneList](t, w.call("lanes", "--json").out), decode[admin.CheckResult](t, w.call("check", "--json").out)
			for command, loss := range map[string]*store.Loss{"lanes": lanes.Loss, "check": check.Loss} {
				if loss == nil || loss.Kind != c.kind || time.Since(loss.At) > time.Hour || !loss.CreatesFrom.After(loss.At) {
					t.Errorf("%s --json has %+v", command, loss)
				}
			}
		})
	}
}

// beat sends a worker's heartbeat. It reports whether Redis has lost writes since the last one.
func (w *ward) beat() bool {
	w.t.Helper()
	_, news, err := w.ledger.Workers.NoticeLoss(w.t.Context(), "a worker", time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	return news
}
