package main

import (
	"context"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// ward is a ledger on a real Redis for testing admin commands.
type ward struct {
	*bench
	t      *testing.T
	url    string
	redis  redis.UniversalClient
	ledger *store.Ledger
}

func newWard(t *testing.T) *ward {
	t.Helper()
	return newWardOn(t, redistest.Start(t))
}

func newWardOn(t *testing.T, server *redistest.Server) *ward {
	t.Helper()
	b := newBench(t)
	keys, err := store.ReadKeysetFile(b.keyset)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client(t)
	return &ward{b, t, server.URL(), client, store.NewLedger(client, keys)}
}

func (w *ward) call(args ...string) result {
	w.t.Helper()
	return call(w.t, w.at(w.url, args...)...)
}

// accept accepts n candidates into a batch, without tasks.
func (w *ward) accept(customer string, job int64, from, n int) (store.BatchID, []string) {
	w.t.Helper()
	batch, refs := testrig.Accept(w.t, w.ledger, customer, job, testrig.Numbered(from, n)...)
	return batch, testrig.IDs(refs)
}

// makeDead makes dead letters of exports, as a worker would.
func (w *ward) makeDead(customer string, reason store.Reason, call store.Called, ids ...string) {
	w.t.Helper()
	testrig.GiveUp(w.t, w.ledger, reason, call, testrig.Refs(customer, ids...)...)
}

// wantAll checks that stdout contains all texts.
func (r result) wantAll(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.out, text) {
			t.Errorf("%q is missing in\n%s%s", text, r.out, r.errors)
		}
	}
}

func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

var deadLetters = flag.Int("dead", 5000, "how many dead letters TestManyDeadLetters makes")

func TestManyDeadLetters(t *testing.T) {
	t.Parallel()
	many := *deadLetters
	w := newWard(t)
	b, ids := w.accept("1234", 1709, 0, many)
	w.makeDead("1234", "job_not_found", testrig.NoJob, ids...)

	r := w.call("dead", "list", "--json")
	r.wantStatus(t, statusDone)
	if n := len(lines(r.out)); n != many {
		t.Errorf("%d of %d are listed", n, many)
	}
	r = w.call("dead", "retry", "--dry-run", "--json")
	if got := decode[struct{ Chosen int }](t, r.out); got.Chosen != many {
		t.Errorf("%d of %d would be retried", got.Chosen, many)
	}
	w.call("audit").wantStatus(t, statusDone)
	r = w.call("dead", "retry", "--reason=job_not_found", "--why=the job is open again", "--who=somebody", "--json")
	r.wantStatus(t, statusDone)
	if got := decode[admin.DeadResult](t, r.out); got.Done != many || got.Customers["1234"] != many {
		t.Errorf("got %s", r.out)
	}
	r = w.call("dead", "list", "--json")
	if r.out != "" {
		t.Errorf("still listed: %.500s", r.out)
	}

	ctx, stop := context.WithCancel(t.Context())
	worker := make(chan result)
	fast := w.file(t, "fast.yml", strings.Replace(w.connection("TEST_ICIMS_PASSWORD"), "calls_per_second: 500, burst: 500, in_flight: 8", "calls_per_second: 100000, burst: 1000, in_flight: 16, calls_per_day: 1000000", 1))
	go func() {
		worker <- invoke(ctx, nil, append(w.at(w.url, "worker"), "--connections="+fast, "--lane-concurrency=32")...)
	}()
	defer func() { stop(); <-worker }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(3 * time.Minute)
	for {
		got, err := w.ledger.Batches.Get(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Ended.IsZero() {
			if got.Created != many {
				t.Errorf("ended as %+v", got)
			}
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not all have ended: %+v", got)
		}
	}
	r = w.call("audit", "--json")
	r.wantStatus(t, statusDone)
	if got := decode[admin.CheckResult](t, r.out); !got.Clean || got.Customers[0].Done != many || !got.Worker {
		t.Errorf("got %s", r.out)
	}
	if people := w.tenant.People(); len(people) != many {
		t.Errorf("iCIMS has %d people", len(people))
	}
}
