package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestExportedStatusOfAThousandCandidates(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key := r.key(ScopeRead, "1234")
	refs := r.accept("1234", 7, "c-3", "c-5", "c-7")
	r.finish(refs[0], store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 7, Workflow: 3})
	r.finish(refs[1], store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 18, Job: 7, Workflow: 4})
	ask := make([]string, 1000)
	for i := range ask {
		ask[i] = fmt.Sprintf("c-%d", i)
	}
	ask[999] = "c-3" // twice
	var got ExportedList
	r.call(key, http.MethodPost, "/v1/customers/1234/exported", map[string]any{"candidates": ask}).is(http.StatusOK, &got)
	if len(got.Exported) != 2 || got.Exported[0].Candidate != "c-3" || got.Exported[1].Person != 18 {
		t.Fatalf("%+v", got)
	}
	if e := got.Exported[0]; e.ExportedAt.IsZero() || e.Link == "" || len(e.Workflows) != 1 || e.Workflows[0] != (ExportedWorkflow{7, 3}) {
		t.Errorf("%+v", e)
	}
	for _, wrong := range []any{map[string]any{"candidates": slices.Concat(ask, []string{"one more"})}, map[string]any{"candidates": []string{}}, map[string]any{"candidates": "c-3"}, map[string]any{}} {
		r.call(key, http.MethodPost, "/v1/customers/1234/exported", wrong).problem(CodeInvalid)
	}
	r.call(key, http.MethodPost, "/v1/customers/99/exported", map[string]any{"candidates": []string{"c-3"}}).problem(CodeCustomerUnknown)
}

func TestCandidateTimeline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key(ScopeRead)
	refs := r.accept("1234", 7, "c-1")
	r.finish(refs[0], store.Finish{
		To: store.Dead, Counter: store.CountDead, Reason: store.ReasonJobNotFound,
		Entry: &store.Entry{What: "dead", Reason: store.ReasonJobNotFound, Attempt: 1},
	})
	var story admin.CandidateTimeline
	r.call(key, http.MethodGet, "/v1/customers/1234/candidates/c-1", nil).is(http.StatusOK, &story)
	if len(story.Exports) != 1 || story.Marker != nil || len(story.Exports[0].Sentences) != 1 || !strings.Contains(story.Exports[0].Sentences[0], "so the export failed") || story.Exports[0].Batch.ID != r.batch {
		t.Errorf("%+v", story)
	}
	r.call(key, http.MethodGet, "/v1/customers/1234/candidates/c-2", nil).problem(CodeNoCandidate)
	r.call(key, http.MethodGet, "/v1/customers/99/candidates/c-1", nil).problem(CodeNoCandidate)
	r.call(key, http.MethodGet, "/v1/customers/1234/candidates/ana@example.com", nil).problem(CodeInvalid)
}

func TestErasingACandidate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key(ScopeAdmin)
	const candidate = "c-unmistakable"
	path := "/v1/customers/1234/candidates/" + candidate
	done := r.accept("1234", 7, candidate)
	r.finish(done[0], store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 7, Workflow: 3})
	working := r.claim(r.accept("1234", 8, candidate)[0])
	if err := r.Ledger.Step(t.Context(), working, store.Step{To: store.Creating, Lease: 1 << 40}); err != nil {
		t.Fatal(err)
	}

	r.call(key, http.MethodDelete, path, nil).problem(CodeInvalid)
	r.call(key, http.MethodDelete, path+"?why=+", nil).problem(CodeInvalid)
	r.call(r.key(ScopeOperate), http.MethodDelete, path+"?why=x", nil).problem(CodeScopeMissing)
	a := r.call(key, http.MethodDelete, path+"?why=DSR-17", nil)
	if p := a.problem(CodeInWork); a.Header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "1 exports of the candidate are in work; 1 others") {
		t.Errorf("while a write is under way: %s", a.body)
	}
	if m, _ := r.Ledger.Candidates.Markers(t.Context(), "1234", []string{candidate}); len(m) != 1 {
		t.Error("the marker went although a write is under way")
	}
	if err := r.Ledger.Finish(t.Context(), working, store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 17, Job: 8, Workflow: 4}); err != nil {
		t.Fatal(err)
	}
	var receipt store.ErasureReceipt
	r.call(key, http.MethodDelete, path+"?why=DSR-17", nil).is(http.StatusOK, &receipt)
	if !receipt.Complete || receipt.Ended != 1 || !receipt.Marker || len(receipt.People) != 1 || receipt.Reference == "" {
		t.Errorf("%+v", receipt)
	}
	r.call(key, http.MethodGet, path, nil).problem(CodeNoCandidate)
	var again store.ErasureReceipt
	r.call(key, http.MethodDelete, path+"?why=DSR-17", nil).is(http.StatusOK, &again)
	if again.Reference != receipt.Reference || !again.Nothing() {
		t.Errorf("again: %+v", again)
	}
	if found := redistest.Dump(t, r.redis).Holding(candidate); len(found) > 0 {
		t.Errorf("the candidate is left in %q", found)
	}
	entries := r.journal("erase-candidate")
	if len(entries) == 0 {
		t.Fatal("nothing is in the journal")
	}
	for _, e := range entries {
		if e.Object != receipt.Reference || e.Why != "DSR-17" {
			t.Errorf("journal: %+v", e)
		}
	}
	if strings.Contains(r.log.String(), candidate) {
		t.Error("the log names the candidate")
	}
}

// iCIMS's messages may repeat personal data: a key for reading results does not see them, and the
// audit log records who read them.
func TestICIMSWordsNeedMoreThanRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	refs := r.accept("1234", 7, "c-1")
	testrig.GiveUp(t, r.Ledger, "icims_field_refused", testrig.RefusedEmail, refs...)
	const path, words = "/v1/customers/1234/candidates/c-1", "ottoline@example.com is not welcome"
	for scope, may := range map[Scope]bool{ScopeRead: false, ScopeExport: false, ScopeOperate: true, ScopeAdmin: true} {
		key := r.key(scope)
		var story admin.CandidateTimeline
		r.call(key, http.MethodGet, path, nil).is(http.StatusOK, &story)
		if told := strings.Join(story.Exports[0].Sentences, " "); strings.Contains(told, words) || !strings.Contains(told, "code 4 on email") {
			t.Errorf("%s without words is told %s", scope, told)
		}
		before := len(r.journal("get-candidate"))
		if !may {
			r.call(key, http.MethodGet, path+"?words=true", nil).problem(CodeScopeMissing)
			continue
		}
		r.call(key, http.MethodGet, path+"?words=true", nil).is(http.StatusOK, &story)
		if told := strings.Join(story.Exports[0].Sentences, " "); !strings.Contains(told, words) {
			t.Errorf("%s is told %s", scope, told)
		}
		entries := r.journal("get-candidate")
		if len(entries) != before+2 {
			t.Fatalf("%s: %d entries more in the journal", scope, len(entries)-before)
		}
		for i, outcome := range []store.AuditLogOutcome{store.JournalDone, store.JournalAsked} {
			e := entries[i]
			if e.What != "get-candidate" || e.Outcome != outcome || e.Who != "test "+string(scope) || e.Customer != "1234" || e.Object != r.Ledger.Candidates.CandidateReference("1234", "c-1") || !strings.Contains(e.Why, "words") {
				t.Errorf("%s: the journal has %+v", scope, e)
			}
		}
	}
	if err := r.redis.Set(t.Context(), "ix:journal:"+r.now.Now().UTC().Format("20060102"), "broken", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if a := r.call(r.key(ScopeAdmin), http.MethodGet, path+"?words=true", nil); a.StatusCode == http.StatusOK {
		t.Errorf("words were read without an entry: %s", a.body)
	}
}
