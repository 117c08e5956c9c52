package main

import (
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

func TestAuditReportsRemovedJournalEntries(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.call("pause", "1234", "--why=maintenance").wantStatus(t, statusDone)
	w.call("resume", "1234", "--why=done").wantStatus(t, statusDone)
	kinds := func() (n int) {
		for _, v := range decode[admin.CheckResult](t, w.call("audit", "--json").out).Violations {
			if v.Kind == store.ViolationJournal {
				n++
			}
		}
		return n
	}
	if n := kinds(); n != 0 {
		t.Fatalf("%d findings before anything was removed", n)
	}
	key := "ix:journal:" + time.Now().UTC().Format("20060102")
	if err := w.redis.LTrim(t.Context(), key, 0, -2).Err(); err != nil {
		t.Fatal(err)
	}
	if n := kinds(); n != 1 {
		t.Errorf("%d findings after the last entry was removed", n)
	}
	r := w.call("journal")
	r.wantAll(t, "maintenance")
	if !strings.Contains(r.errors, "1 entry is missing") {
		t.Errorf("the audit log does not say that an entry is missing: %s", r.errors)
	}
}
