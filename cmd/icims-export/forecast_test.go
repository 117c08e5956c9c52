package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

// statusJSON is the JSON of status.
type statusJSON struct {
	Batch    store.Batch
	Forecast *forecast.Forecast
	Warnings []string
	Outcomes []admin.Outcome
}

func TestStatusHasForecast(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	b, ids := w.accept("1234", 1709, 0, 30)
	w.accept("1234", 0, 30, 100)
	w.enqueue("1234", ids...)
	if _, err := w.ledger.Workers.Beat(t.Context(), store.Peer{Worker: "w-1", Free: 10}); err != nil {
		t.Fatal(err)
	}
	t.Run("a batch that moves has an end that goes by its place in the queue and its connection", func(t *testing.T) {
		r := w.call("status", string(b), "--json")
		r.wantStatus(t, statusFailed)
		got := decode[statusJSON](t, r.out)
		// The connection allows 500 calls a second.
		if f := got.Forecast; f == nil || f.Calls != 62 || f.Ahead != 62 || f.PerDay != 10_000 || f.Done.IsZero() || time.Until(f.Done) > time.Second {
			t.Errorf("foretold is %+v", f)
		}
		if len(got.Warnings) != 0 || len(got.Outcomes) != 30 {
			t.Errorf("got %s", r.out)
		}
		if r = w.call("status", string(b)); !strings.Contains(strings.Join(strings.Fields(r.errors), " "), "About 62 calls remaining; 10,000 of 10,000 left today; done within a minute.") {
			t.Errorf("got %s", r.errors)
		}
	})
	t.Run("what blocks it is shown with who, why and the remedy", func(t *testing.T) {
		w.call("pause", "1234", "--why=go-live", "--who=ana").wantStatus(t, statusDone)
		r := w.call("status", string(b))
		for _, want := range []string{"ETA unknown until exports resume", "! Customer 1234 is paused by ana until resumed: go-live.", "icims-export resume 1234"} {
			if text := strings.Join(strings.Fields(r.errors), " "); !strings.Contains(text, want) {
				t.Errorf("%q is missing in %s", want, text)
			}
		}
		if got := decode[statusJSON](t, w.call("status", string(b), "--json").out); len(got.Warnings) != 1 || got.Forecast.Waits != store.ReasonPaused {
			t.Errorf("got %+v", got)
		}
		w.call("resume", "1234", "--why=done").wantStatus(t, statusDone)
	})
	t.Run("without a keyset it is shown without the user", func(t *testing.T) {
		w.call("pause", "1234", "--why=go-live", "--who=ana@ops").wantStatus(t, statusDone)
		r := call(t, "status", string(b), "--redis-url="+w.url)
		r.wantNone(t, "ana@ops", "go-live")
		if !strings.Contains(r.errors, "Customer 1234 is paused by an operator") {
			t.Errorf("got %s", r.errors)
		}
		w.call("resume", "1234", "--why=done").wantStatus(t, statusDone)
	})
	t.Run("an ended batch has no forecast", func(t *testing.T) {
		ended, ids := w.accept("9", 0, 200, 1)
		w.makeDead("9", "job_not_found", testrig.NoJob, ids...)
		r := w.call("status", string(ended), "--json")
		r.wantStatus(t, statusPartial)
		if got := decode[statusJSON](t, r.out); got.Forecast != nil || len(got.Warnings) != 0 {
			t.Errorf("got %s", r.out)
		}
	})
}

func TestExportSaysWhatBlocksIt(t *testing.T) {
	t.Parallel()
	file := strings.SplitAfter(candidates, "\n")[0]
	for name, c := range map[string]struct {
		prepare  func(*ward)
		customer string
		want     string // "" for none
	}{
		"a worker and a connection are there": {func(*ward) {}, "1234", ""},
		"no connection":                       {func(*ward) {}, "77", "connections.yml has no usable connection for customer 77; unless the workers' own file has one, exports wait."},
		"a connection in the store alone": {func(w *ward) {
			c := store.Connection{Customer: "78", Username: "u", Password: "p", LinkedInField: "field51001", PortalURLs: w.origin + "/customers/78/search/portals/1?staleness=0"}
			if _, err := w.ledger.Connections.Add(w.t.Context(), c, "ana", "new"); err != nil {
				w.t.Fatal(err)
			}
		}, "78", ""},
		"no connection in any worker": {func(w *ward) {
			if _, err := w.ledger.Workers.Beat(w.t.Context(), store.Peer{Worker: "w-1", Free: 10, Refuses: []string{"1234"}}); err != nil {
				w.t.Fatal(err)
			}
		}, "1234", "No worker has a usable connection for customer 1234"},
		"a pause": {func(w *ward) {
			if err := w.ledger.Lanes.Pause(w.t.Context(), "1234", store.Pause{By: "ana", Why: "go-live"}); err != nil {
				w.t.Fatal(err)
			}
		}, "1234", "Customer 1234 is paused by ana until resumed: go-live."},
		"a closed lane": {func(w *ward) { w.called("1234", 1, 401) }, "1234", "Customer 1234: iCIMS refuses the user name or password, until"},
		"no worker": {func(w *ward) {
			if err := w.ledger.Workers.Leave(w.t.Context(), "w-1"); err != nil {
				w.t.Fatal(err)
			}
		}, "1234", "No active workers"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			if _, err := w.ledger.Workers.Beat(t.Context(), store.Peer{Worker: "w-1", Free: 10}); err != nil {
				t.Fatal(err)
			}
			c.prepare(w)
			path := w.file(t, "one.ndjson", file)
			for _, more := range [][]string{nil, {"--dry-run"}} {
				r := w.call(append([]string{"export", path, "--customer=" + c.customer, "--prospects"}, more...)...)
				if more != nil && c.customer == "77" {
					r.wantStatus(t, statusUsage) // nothing can be shown without a connection
					continue
				}
				r.wantStatus(t, statusDone)
				said := strings.Join(strings.Fields(r.out+r.errors), " ")
				if !strings.Contains(said, c.want) || c.want == "" && strings.Contains(said, "!") {
					t.Errorf("%v: want %q in\n%s%s", more, c.want, r.out, r.errors)
				}
				if !strings.Contains(said, "bout 2 calls ") {
					t.Errorf("%v: nothing is foretold\n%s%s", more, r.out, r.errors)
				}
			}
			got := decode[exportResult](t, w.call("export", path, "--customer="+c.customer, "--prospects", "--json").out)
			if (len(got.Waits) != 0) != (c.want != "") || got.Forecast == nil {
				t.Errorf("as JSON: %+v", got)
			}
		})
	}
}

func TestDryRunHasForecast(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	if _, err := w.ledger.Workers.Beat(t.Context(), store.Peer{Worker: "w-1", Free: 10}); err != nil {
		t.Fatal(err)
	}
	path := w.file(t, "one.ndjson", strings.SplitAfter(candidates, "\n")[0])
	dry := func() estimate {
		t.Helper()
		r := w.call("export", path, "--customer=1234", "--job=1709", "--dry-run", "--json")
		r.wantStatus(t, statusDone)
		return decode[struct{ Estimate estimate }](t, r.out).Estimate
	}
	before := dry()
	// A hundred exports of this kind took five calls each.
	_, ids := w.accept("1234", 1709, 500, 100)
	for _, id := range ids {
		c, err := w.ledger.Claim(t.Context(), store.Ref{Customer: "1234", Export: id}, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
		if err == nil {
			err = w.ledger.Finish(t.Context(), c, store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 1, Calls: 5})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if after := dry(); before.Forecast.Calls != 3 || after.Forecast.Calls != 5 || after.Least != before.Least || after.Forecast.PerDay != 10_000 {
		t.Errorf("foretold is at first %+v, then %+v", before, after)
	}
}

func TestProgressEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		done    time.Duration // expected ETA from now on; 0 for none
		waiting string
		since   time.Duration
		want    string
	}{
		"by the pace so far":                       {20 * time.Minute, "", time.Minute, " ~1m 0s left"},
		"by what is foretold before there is one":  {20 * time.Minute, "", 0, " ~20m 0s left"},
		"by what is foretold where that is far":    {30 * time.Hour, "", time.Minute, "  done about 2 Jan, 06:00 UTC"},
		"also while it waits":                      {30 * time.Hour, "the day's calls are used up", time.Minute, "  done about 2 Jan, 06:00 UTC"},
		"not at all while it waits and nobody can": {0, "iCIMS failed", time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &follower{started: time.Now().Add(-c.since), waiting: c.waiting}
				if c.done > 0 {
					f.ahead.Done = time.Now().Add(c.done)
				}
				if got := f.end(50, 100); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}
