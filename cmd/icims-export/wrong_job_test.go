package main

import (
	"strings"
	"testing"

	"github.com/seekout/icims-export/internal/testrig"
)

func TestWrongJobIsReportedWithProfiles(t *testing.T) {
	t.Parallel()
	t.Run("export tells how many profiles have no workflow", func(t *testing.T) {
		b := newBench(t)
		b.tenant.Deny("jobs.get") // the workflow is the first to find out
		file := b.file(t, "candidates.ndjson", candidates)
		r := call(t, b.embedded("export", file, "--customer=1234", "--job=99")...)
		r.wantStatus(t, statusPartial)
		if made := len(b.tenant.People()); made != 1 || !strings.Contains(r.out, "1 profile exists without a workflow") {
			t.Errorf("%d profiles, and\n%s", made, r.out)
		}
	})
	t.Run("otherwise none is created", func(t *testing.T) {
		b := newBench(t)
		file := b.file(t, "candidates.ndjson", candidates)
		r := call(t, b.embedded("export", file, "--customer=1234", "--job=99")...)
		r.wantStatus(t, statusPartial)
		if made := len(b.tenant.People()); made != 0 || strings.Contains(r.out, "without a workflow") {
			t.Errorf("%d profiles, and\n%s", made, r.out)
		}
	})
	t.Run("status tells the same", func(t *testing.T) {
		w := newWard(t)
		batch, refs := testrig.Accept(t, w.ledger, "1234", 99, "c-1", "c-2")
		testrig.LeaveProfile(t, w.ledger, 17, refs[0])
		testrig.LeaveProfile(t, w.ledger, 18, refs[1])
		if r := w.call("status", string(batch)); !strings.Contains(r.errors, "2 profiles exist without a workflow") {
			t.Errorf("%s%s", r.out, r.errors)
		}
	})
}
