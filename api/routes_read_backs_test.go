package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
)

func TestReadBackOverTheAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	operator := r.key(ScopeOperate)
	const path = "/v1/customers/1234/read-backs"
	r.known("1234")
	r.call(operator, http.MethodPost, path, map[string]any{}).problem(CodeNoConnection)
	r.withConnection("1234")
	_, refs := testrig.Accept(t, r.Ledger, "1234", 1701, testrig.Numbered(0, 3)...)
	for i, ref := range refs {
		c, err := r.Ledger.Claim(t.Context(), ref, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
		if err == nil {
			err = r.Ledger.Finish(t.Context(), c, store.Finish{To: store.Done, Counter: store.CountCreated, Person: int64(90 + i), Workflow: int64(20 + i), Job: 1701})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	plan := decoded[ReadBackPlan](r.call(r.key(ScopeRead, "1234"), http.MethodGet, path+"/plan?sample=2", nil))
	if plan.People != 2 || plan.Workflows != 2 || plan.Calls != 4 || plan.Short || !strings.HasPrefix(plan.Cost, "2 people and 2 workflows: up to 4 calls of ") {
		t.Errorf("plan: %+v", plan)
	}
	r.call(operator, http.MethodPost, path, map[string]any{"max_calls": 5}).problem(CodeCallsShort)
	r.call(operator, http.MethodPost, path, map[string]any{"sample": 501}).problem(CodeInvalid)
	r.call(r.key(ScopeRead), http.MethodPost, path, map[string]any{}).problem(CodeScopeMissing)
	asked := r.call(operator, http.MethodPost, path, map[string]any{"sample": 2, "max_calls": 4})
	v := decoded[StartedReadBack](asked)
	if asked.StatusCode != http.StatusAccepted || v.People != 2 || v.MaxCalls != 4 || v.State != store.ControlWaiting || v.Problem != "No active workers." {
		t.Errorf("asked: %d %s", asked.StatusCode, asked.body)
	}
	place := asked.Header.Get("Location")
	if place != path+"/"+v.ID {
		t.Errorf("Location %q", place)
	}
	claim := testrig.BeginControl(t, r.Ledger, "1234", store.ControlReadBack)
	report := readback.Findings{Result: readback.ResultComplete, Fields: []readback.FieldCount{{Field: readback.Education, Sent: 2, Missing: 2}}}
	if err := r.Ledger.Control.Step(t.Context(), claim, store.ControlStep{To: store.ControlDone, Result: report, Calls: 4}); err != nil {
		t.Fatal(err)
	}
	shown := decoded[readback.ReadBack](r.call(r.key(ScopeRead, "1234"), http.MethodGet, place+"?wait=5", nil))
	if shown.State != store.ControlDone || shown.Calls != 4 || len(shown.Report.Fields) != 1 || shown.Report.Fields[0].Missing != 2 {
		t.Errorf("shown: %+v", shown)
	}
	list := decoded[ReadBacks](r.call(r.key(ScopeRead), http.MethodGet, path, nil))
	if len(list.ReadBacks) != 1 || list.ReadBacks[0].ID != v.ID {
		t.Errorf("listed: %+v", list)
	}
	r.call(r.key(ScopeRead), http.MethodGet, path+"/aaaaaaaaaaaaaaaa", nil).problem(CodeNoReadBack)
}
