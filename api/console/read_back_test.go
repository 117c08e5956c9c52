package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
)

// exported exports n candidates to a job, as a worker would.
func (r *rig) exported(n int) {
	r.t.Helper()
	_, refs := testrig.Accept(r.t, r.ledger, mine, 1701, testrig.Numbered(0, n)...)
	for i, ref := range refs {
		c := testrig.Claim(r.t, r.ledger, ref)
		finish := store.Finish{To: store.Done, Counter: store.CountCreated, Person: int64(90 + i), Workflow: int64(20 + i), Job: 1701}
		if err := r.ledger.Finish(r.t.Context(), c, finish); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestReadBackFromTheConsole(t *testing.T) {
	r := newRig(t)
	r.connected()
	r.exported(8)
	p := r.person(api.ScopeOperate, mine)
	p.get("/connections/1234").wants(t, http.StatusOK, "Read-backs", `href="/connections/1234/read-back"`)
	// The form shows the cost first.
	form := p.get("/connections/1234/read-back?sample=6")
	form.wants(t, http.StatusOK, "6 people and 6 workflows: up to 12 calls", `name="calls" value="12"`, `name="sample" value="6"`)
	p.post("/customers/1234/read-backs", url.Values{"sample": {"6"}, "calls": {"11"}}).wants(t, http.StatusConflict, "6 people and 6 workflows: up to 12 calls", "The cost has changed")
	got := p.post("/customers/1234/read-backs", url.Values{"sample": {"6"}, "calls": {"12"}})
	if got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.to(), "/customers/1234/read-backs/") {
		t.Fatalf("%d to %q: %s", got.StatusCode, got.to(), got.text)
	}
	if again := p.post("/customers/1234/read-backs", url.Values{"sample": {"6"}, "calls": {"12"}}); again.to() != got.to()+"?did=read-back-joined" {
		t.Errorf("asked again: to %q", again.to())
	}
	p.get(got.to()).wants(t, http.StatusOK, "No active workers", `hx-trigger="every 1s"`)
	claim := testrig.BeginControl(t, r.ledger, mine, store.ControlReadBack)
	report := readback.Findings{
		Result: readback.ResultRunning, Read: 2,
		Fields: []readback.FieldCount{{Field: readback.LastName, Sent: 2, Arrived: 2, Share: 1}},
	}
	r.step(claim, store.ControlStep{Result: report})
	p.get(got.to(), "HX-Request", "true").wants(t, http.StatusOK, "2 of 6 people", "last_name", "100%", `hx-trigger="every 1s"`)
	report = readback.Findings{
		Result: readback.ResultComplete, Read: 6, PresenceOnly: 1,
		People: readback.RecordCount{Found: 5, Gone: []int64{93}}, Workflows: readback.RecordCount{Found: 6},
		Fields: []readback.FieldCount{{Field: readback.LastName, Sent: 5, Arrived: 4, Changed: 1, Share: 0.8}, {Field: readback.Education, Sent: 5, Missing: 5}},
	}
	r.step(claim, store.ControlStep{To: store.ControlDone, Result: report, Calls: 12})
	// Readers see the results in the same words as on the command line.
	shown := r.person(api.ScopeRead, mine).get(got.to())
	words := []string{"2 problems", "Read back from iCIMS with 12 calls: 5 people, 1 gone; 6 workflows, 0 gone.", "80%", "education", `class="badge bad">0%`, "Run by test operate"}
	for _, h := range readback.Headings() {
		words = append(words, fmt.Sprintf(">%s</th>", h))
	}
	for _, v := range (readback.ReadBack{Report: report}).Violations() {
		words = append(words, v.Text)
	}
	shown.wants(t, http.StatusOK, words...)
	shown.lacks(t, "every 1s", "/connections/1234/read-back\"")
	r.person(api.ScopeRead, mine).get("/connections/1234").wants(t, http.StatusOK, "5 people, 1 gone", `href="`+got.to()+`"`, `problems`)
}

func TestIncompleteReadBackSaysWhy(t *testing.T) {
	r := newRig(t)
	r.connected()
	p := r.person(api.ScopeOperate, mine)
	p.get("/connections/1234/read-back").wants(t, http.StatusOK, "No exported candidates")
	for name, c := range map[string]struct {
		step store.ControlStep
		has  []string
	}{
		"no calls left": {store.ControlStep{To: store.ControlDone, Result: readback.Findings{Result: readback.ResultIncomplete, Stopped: "icims_quota_exhausted", Problem: "No calls are left", Remedy: "Wait."}},
			[]string{"Not everything was read back", "No calls are left.", "Wait."}},
		"failed": {store.ControlStep{To: store.ControlFailed, Failure: store.ControlSealed}, []string{"Nothing was read back", "keyset cannot open the connection"}},
		"clean":  {store.ControlStep{To: store.ControlDone, Result: readback.Findings{Result: readback.ResultComplete}}, []string{"Everything arrived", "iCIMS has what was sent."}},
	} {
		e, _, err := r.ledger.Control.Record(t.Context(), mine, store.ControlReadBack, readback.Args{}, "maria")
		if err != nil {
			t.Fatal(err)
		}
		r.step(testrig.BeginControl(t, r.ledger, mine, store.ControlReadBack), c.step)
		t.Run(name, func(t *testing.T) { p.get("/customers/1234/read-backs/"+e.ID).wants(t, http.StatusOK, c.has...) })
	}
	r.person(api.ScopeRead, "77").get("/customers/1234/read-backs/aaaaaaaaaaaaaaaa").wants(t, http.StatusNotFound)
}
