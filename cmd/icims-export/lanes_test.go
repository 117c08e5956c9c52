package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

// enqueue enqueues the tasks of a customer's exports.
func (w *ward) enqueue(customer string, ids ...string) {
	w.t.Helper()
	testrig.Enqueue(w.t, w.redis, w.ledger, customer, ids...)
}

// called makes n calls for a customer. The last one ends with the status.
func (w *ward) called(customer string, n, status int) {
	w.t.Helper()
	testrig.Call(w.t, w.ledger, customer, n, status)
}

func TestLanes(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	t.Run("without any work it says so", func(t *testing.T) {
		r := w.call("lanes")
		r.wantStatus(t, statusDone)
		for _, want := range []string{"No customer has work", "No active workers"} {
			if !strings.Contains(r.errors, want) {
				t.Errorf("%q is missing in %s", want, r.errors)
			}
		}
	})
	b, ids := w.accept("1234", 1709, 0, 30)
	w.enqueue("1234", ids...)
	w.accept("77", 0, 30, 1)
	w.called("77", 3, 401)
	w.accept("9", 0, 31, 1) // its task is lost
	if _, err := w.ledger.Workers.Beat(t.Context(), store.Peer{Worker: "w-1", Free: 10}); err != nil {
		t.Fatal(err)
	}
	t.Run("customers with work or a closure are listed, others only with --all", func(t *testing.T) {
		got := decode[admin.LaneList](t, w.call("lanes", "--json").out)
		if len(got.Lanes) != 2 || got.Lanes[0].Customer != "77" || got.Lanes[1].Customer != "1234" || got.Hidden != 1 || got.Workers != 1 {
			t.Fatalf("got %+v", got)
		}
		refused, waiting := got.Lanes[0], got.Lanes[1]
		if refused.State != admin.LaneClosed || refused.Reason != "icims_credentials" || !refused.Until.After(time.Now()) || refused.Connection == "" {
			t.Errorf("a refused account: %+v", refused)
		}
		if c := refused.Calls; c.Own != 3 || c.Left != 9997 || c.PerDay != 10_000 || c.MaxRate != 1000 || !c.Resets.After(time.Now()) {
			t.Errorf("its calls: %+v", c)
		}
		if waiting.State != admin.LaneWaiting || waiting.Bulk != 30 || waiting.Oldest <= 0 || waiting.Connection != "" {
			t.Errorf("one that waits: %+v", waiting)
		}
		if got := decode[admin.LaneList](t, w.call("lanes", "--json", "--all").out); len(got.Lanes) != 3 {
			t.Errorf("of all: %+v", got)
		}
	})
	t.Run("elsewhere than on a terminal there is a line for each", func(t *testing.T) {
		r := w.call("lanes")
		rows := lines(r.out)
		if len(rows) != 3 || !strings.HasPrefix(rows[0], "customer\tstate\t") || strings.Count(rows[1], "\t") != strings.Count(rows[0], "\t") {
			t.Errorf("got %s", r.out)
		}
		if !strings.Contains(r.errors, "2 customers: 1 waiting, 1 closed; 30 exports. 1 more without work") {
			t.Errorf("got %s", r.errors)
		}
	})
	t.Run("one customer is shown with calls, batches and what happened", func(t *testing.T) {
		r := w.call("lanes", "77")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "Customer 77: closed because iCIMS refuses the user name or password, until", "3 made; 9,997 of 10,000 left", "reserved for small batches", "Recent events:",
			"lane closed: iCIMS refuses the user name or password", "not found here")
		w.call("lanes", "1234").wantAll(t, "Customer 1234: waiting", "30 in large batches, 0 in small batches; the oldest for", string(b), "to job 1709, 0 of 30 ended; about 62 calls remaining")
	})
	t.Run("actions of operators are shown", func(t *testing.T) {
		w.call("pause", "1234", "--why=go-live", "--who=ana").wantStatus(t, statusDone)
		w.call("lanes", "1234").wantAll(t, "paused by ana until resumed: go-live", "ana paused: “go-live”", "ETA unknown until exports resume")
	})
	t.Run("an invalid customer is refused", func(t *testing.T) {
		w.call("lanes", "acme").wantStatus(t, statusUsage)
	})
}

func TestLanesListPausedAndConnectedCustomers(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.call("pause", "77", "--why=not yet").wantStatus(t, statusDone)
	w.call("connection", "add", "1234", "username=export-user", w.portal("1"), "--password-env=TEST_ICIMS_PASSWORD").wantStatus(t, statusDone)
	for _, c := range []struct {
		more []string
		want string
	}{{nil, "77 paused"}, {[]string{"--all"}, "77 paused,1234 idle"}} {
		var got []string
		for _, l := range decode[admin.LaneList](t, w.call(append([]string{"lanes", "--json"}, c.more...)...).out).Lanes {
			got = append(got, l.Customer+" "+string(l.State))
		}
		if text := strings.Join(got, ","); text != c.want {
			t.Errorf("%v: %s, want %s", c.more, text, c.want)
		}
	}
}

func TestLanesFitTheTerminal(t *testing.T) {
	t.Parallel()
	r := lanes{admin.LaneList{Lanes: []admin.Lane{
		{Customer: "1234", Hold: admin.Hold{State: admin.LaneOpen}, Express: 3, Bulk: 12_300, Active: 4, Later: 12, Oldest: 9000, Calls: admin.Calls{PerSecond: 4.91, MaxRate: 5, PerDay: 10_000, Left: 2480}},
		{Customer: "77", Hold: admin.Hold{State: admin.LanePaused, Reason: store.ReasonPaused, By: "ana@host", Why: strings.Repeat("the tenant is moved ", 8)}, Bulk: 1_000_000, Oldest: 300_000},
		{Customer: "900000", Hold: admin.Hold{State: admin.LaneClosed, Reason: "icims_quota_exhausted"}, Calls: admin.Calls{MaxRate: 0.5, PerDay: 100}},
	}}}
	var out bytes.Buffer
	if err := r.writeTable(&out, style{}, 80); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{
		"customer  express       bulk  active  later  oldest  calls/s  left today  state",
		"1234            3     12,300       4     12      2h    4.9/5       2,480  open",
		"77              0  1,000,000       0      0  3d 11h                       paused",
		"  → paused by ana@host until resumed: the tenant is moved",
		"  → closed because the day's calls are used up, end unknown",
	} {
		if !strings.Contains(out.String(), want+"\n") && !strings.Contains(out.String(), want+" ") {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestManyLanes(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	const many = 600 // more than one page
	for i := range many {
		if err := w.ledger.Lanes.Pause(t.Context(), fmt.Sprint(5000+i), store.Pause{By: "ana", Why: "x"}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.ledger.Batches.Open(t.Context(), store.BatchSpec{Customer: fmt.Sprint(5000 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	got := decode[admin.LaneList](t, w.call("lanes", "--json").out)
	if len(got.Lanes) != many {
		t.Fatalf("%d of %d are listed", len(got.Lanes), many)
	}
	for i, l := range got.Lanes {
		if l.Customer != fmt.Sprint(5000+i) || l.State != admin.LanePaused {
			t.Fatalf("lane %d: %+v", i, l)
		}
	}
}
