package main

import (
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker"
)

// work starts a worker that stops with the test.
func (w *ward) work() {
	w.t.Helper()
	hosts, err := icims.ParseHostPolicy(w.origin)
	if err != nil {
		w.t.Fatal(err)
	}
	p := &process{lookupEnv: os.LookupEnv}
	p.settings.Connections = w.connections
	at := worker.New(w.redis, w.ledger, demoSettings(), hosts, zerolog.Nop())
	conns, err := readConnections(p.settings, hosts, p.lookupEnv)
	if err != nil {
		w.t.Fatal(err)
	}
	at.SetConnections(conns.usable)
	serveControl(at, p.settings)
	if err := at.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(at.Stop)
}

func TestJobsAreListedWithTheirCost(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	r := w.call("jobs", "1234", "--wait=0s")
	r.wantStatus(t, statusDone)
	if !strings.Contains(r.errors, "The jobs of customer 1234 have not been read yet.") || !strings.Contains(r.errors, "The list was requested") {
		t.Errorf("before a worker: %s", r.errors)
	}
	w.work()
	r = w.call("jobs", "1234", "--wait=1m")
	r.wantAll(t, "id\tnumber\tupdated\tlocation\ttitle\tprovisional\n", "1701\t")
	if !strings.Contains(r.errors, "12 jobs, as of ") || !strings.Contains(r.errors, "of a share of") {
		t.Errorf("%s", r.errors)
	}
	var page jobs.ListPage
	for page.Titles.Pending > 0 || page.AsOf == nil {
		page = decode[jobs.ListPage](t, w.call("jobs", "1234", "--json").out)
	}
	if len(page.Jobs) != 12 || page.Calls.Today != 13 || page.Jobs[11].ID != 1701 || page.Jobs[11].Provisional {
		t.Errorf("%+v", page)
	}
	r = w.call("jobs", "1234", "--refresh", "--search=1701")
	r.wantAll(t, "HQ - 1 Example Street Boston") // read with the title
	if strings.Count(r.out, "\n") != 2 || !strings.Contains(r.errors, "1 job of 12 found") || !strings.Contains(r.errors, "last refresh 1 for the list and 0 for titles") {
		t.Errorf("%s%s", r.out, r.errors)
	}
}

func TestExportWarnsAboutUnlistedJob(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.work()
	w.call("jobs", "1234", "--wait=1m").wantStatus(t, statusDone)
	file := w.file(t, "candidates.ndjson", strings.SplitAfter(candidates, "\n")[0])
	const warning = "Job 4711 is not on the portals of customer 1234"
	for _, more := range []string{"--dry-run", "--json", ""} {
		for job, warned := range map[string]bool{"4711": true, "1701": false} {
			args := []string{"export", file, "--customer=1234", "--job=" + job}
			if more != "" {
				args = append(args, more)
			}
			r := w.call(args...)
			if r.wantStatus(t, statusDone); strings.Contains(r.out+r.errors, warning) != warned {
				t.Errorf("to job %s %s:\n%s%s", job, more, r.out, r.errors)
			}
		}
	}
}

func TestJobsThatCannotBeListed(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.call("jobs", "acme").wantStatus(t, statusUsage)
	r := w.call("jobs", "99")
	r.wantStatus(t, statusFailed)
	if !strings.Contains(r.errors, "icims-export connection add 99") {
		t.Errorf("%s", r.errors)
	}
	if err := w.ledger.Lanes.Pause(t.Context(), "1234", store.Pause{By: "joe", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	r = w.call("jobs", "1234")
	if !strings.Contains(r.errors, "Refresh failed: an operator has paused") {
		t.Errorf("%s", r.errors)
	}
}
