package api

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

func TestTransferDeadLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.listed("1234", 9)
	jobless, ids := r.acceptCandidates("1234", 999, 100, 3)
	r.makeDead("1234", store.ReasonJobNotFound, testrig.NoJob, ids...)
	_, others := r.acceptCandidates("1234", 5, 200, 1)
	r.makeDead("1234", "icims_refused", testrig.RefusedEmail, others...)
	key := r.key(ScopeOperate, "1234")
	act := func(body map[string]any) *reply {
		return r.call(key, http.MethodPost, "/v1/customers/1234/dead-letters/transfer", body)
	}
	byReason := map[string]any{"reason": "job_not_found"}
	dead := func() int64 {
		t.Helper()
		n, err := r.Ledger.DeadLetters.Count(t.Context(), "1234")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	all := dead()

	for name, c := range map[string]struct {
		body  map[string]any
		field string
	}{
		"to no job":          {map[string]any{"filter": byReason, "why": "x"}, "job"},
		"to a job that's 0":  {map[string]any{"filter": byReason, "why": "x", "job": 0}, "job"},
		"without a why":      {map[string]any{"filter": byReason, "job": 7}, "why"},
		"without any chosen": {map[string]any{"why": "x", "job": 7}, "filter"},
	} {
		t.Run("not "+name, func(t *testing.T) {
			if p := act(c.body).problem(CodeInvalid); len(p.Errors) != 1 || p.Errors[0].Field != c.field {
				t.Errorf("%+v", p.Errors)
			}
		})
	}
	r.call(r.key(ScopeExport), http.MethodPost, "/v1/customers/1234/dead-letters/transfer", map[string]any{"all": true, "job": 7, "why": "x"}).problem(CodeScopeMissing)
	r.call(r.key(ScopeOperate, "77"), http.MethodPost, "/v1/customers/1234/dead-letters/transfer", map[string]any{"all": true, "job": 7, "why": "x"}).problem(CodeCustomerUnknown)

	before := len(r.journalOf("1234"))
	var counted DeadLettersTransferred
	act(map[string]any{"filter": byReason, "job": 7, "dry_run": true}).is(http.StatusOK, &counted)
	if !counted.DryRun || counted.Chosen != 3 || counted.Done != 0 || counted.Job != 7 || counted.JobTitle != "Café Manager 7" || counted.JobWarning != "" || len(counted.Sample) != 3 || counted.Batches != nil {
		t.Errorf("a dry run: %+v", counted)
	}
	var strange DeadLettersTransferred
	if act(map[string]any{"filter": byReason, "job": 998, "dry_run": true}).is(http.StatusOK, &strange); !strings.Contains(strange.JobWarning, "Job 998 is not on the portals") || strange.JobTitle != "" {
		t.Errorf("to a job that is on no portal: %+v", strange)
	}
	if n := dead(); n != all || len(r.journalOf("1234")) != before {
		t.Fatalf("a dry run or a refusal has changed something: %d of %d are dead", n, all)
	}

	bound := map[string]any{"reason": "job_not_found", "until": counted.AsOf.Add(-time.Hour)}
	var done DeadLettersTransferred
	if act(map[string]any{"filter": bound, "job": 7, "why": "x"}).is(http.StatusOK, &done); done.Done != 0 || done.Batches != nil {
		t.Errorf("those that were given up after the count: %+v", done)
	}
	act(map[string]any{"exports": ids[:1], "job": 7, "why": "only her"}).is(http.StatusOK, &done)
	if done.Done != 1 || len(done.Batches) != 1 {
		t.Fatalf("one by its export: %+v", done)
	}
	done = DeadLettersTransferred{}
	bound["until"] = counted.AsOf
	act(map[string]any{"filter": bound, "job": 7, "limit": 1, "why": "the wrong number"}).is(http.StatusOK, &done)
	if done.Done != 1 || !done.More {
		t.Errorf("as many as were asked for: %+v", done)
	}
	done = DeadLettersTransferred{}
	act(map[string]any{"filter": bound, "job": 7, "why": "the wrong number"}).is(http.StatusOK, &done)
	if done.Chosen != 1 || done.Done != 1 || done.More || len(done.Batches) != 1 || dead() != all-3 {
		t.Fatalf("the rest: %+v, %d dead", done, dead())
	}

	b, err := r.Ledger.Batches.Get(t.Context(), done.Batches[0])
	if err != nil || b.Job != 7 || b.Accepted != 1 || b.Moving() != 1 {
		t.Errorf("the new batch: %+v, %v", b, err)
	}
	var page ResultList
	r.call(key, http.MethodGet, "/v1/customers/1234/batches/"+string(jobless)+"/results?count=true", nil).is(http.StatusOK, &page)
	want := []EndTally{{store.CountCancelled, store.ReasonTransferred, store.ReasonTransferred.Info().Title, 3}}
	if diff := cmp.Diff(want, page.ByReason); diff != "" {
		t.Errorf("the old batch (-want +got):\n%s", diff)
	}
	states, err := tasks.ReadQueueStates(t.Context(), r.redis, "1234")
	if err != nil || states[0].Bulk().Pending != 3 {
		t.Errorf("they have no tasks: %+v, %v", states, err)
	}
	actions, _, err := r.Ledger.AuditLog.Actions(t.Context(), "1234", 1)
	if err != nil || len(actions) != 1 || actions[0].What != "moved dead letters to job 7" || actions[0].Why != "the wrong number" || actions[0].Who != "test operate" {
		t.Errorf("recorded: %+v, %v", actions, err)
	}
	entries := r.journalOf("1234")
	if last := entries[len(entries)-1]; last.What != "transfer-dead-letters" || last.Outcome != store.JournalDone || last.Object != "to job 7" || last.Why != "the wrong number" {
		t.Errorf("journal: %+v", last)
	}
	telltales := []string{"Quillfeather", "ottoline"}
	if keys := redistest.Dump(t, r.redis).Holding(telltales...); len(keys) > 0 {
		t.Errorf("personal data in clear in %v", keys)
	}
	for _, telltale := range telltales {
		if strings.Contains(strings.ToLower(r.log.String()), strings.ToLower(telltale)) {
			t.Errorf("%q is in the log", telltale)
		}
	}
}

func TestSkippedLettersDoNotCountTowardsTheTransferLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.withEverything("1234")
	_, there := r.acceptCandidates("1234", 7, 100, 2)
	r.makeDead("1234", store.ReasonJobNotFound, testrig.NoJob, there...)
	_, elsewhere := r.acceptCandidates("1234", 999, 200, 3)
	r.makeDead("1234", store.ReasonJobNotFound, testrig.NoJob, elsewhere...)
	key := r.key(ScopeOperate, "1234")
	for i, want := range []DeadLettersTransferred{
		{DeadLettersChanged: DeadLettersChanged{Chosen: 4, Done: 2, More: true}},
		{DeadLettersChanged: DeadLettersChanged{Chosen: 3, Done: 1}},
		{DeadLettersChanged: DeadLettersChanged{Chosen: 2}},
	} {
		var got DeadLettersTransferred
		r.call(key, http.MethodPost, "/v1/customers/1234/dead-letters/transfer", map[string]any{"exports": slices.Concat(there, elsewhere), "job": 7, "limit": 2, "why": "x"}).is(http.StatusOK, &got)
		if got.Chosen != want.Chosen || got.Done != want.Done || got.More != want.More || (got.Done > 0) != (len(got.Batches) == 1) {
			t.Errorf("the request %d: %+v", i, got)
		}
	}
}

func TestTransferContinuesAfterAPageOfSkippedLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.withEverything("1234")
	const page = 500
	_, there := r.acceptCandidates("1234", 7, 1000, page)
	r.makeDead("1234", store.ReasonJobNotFound, testrig.NoJob, there...)
	_, elsewhere := r.acceptCandidates("1234", 999, 2000, 2)
	r.makeDead("1234", store.ReasonJobNotFound, testrig.NoJob, elsewhere...)
	order := map[string]any{"exports": slices.Concat(there, elsewhere), "job": 7, "limit": 1, "why": "x"}
	for i, want := range []DeadLettersChanged{{Chosen: page + 1, Done: 1, More: true}, {Chosen: page + 1, Done: 1}} {
		var got DeadLettersTransferred
		if r.call(r.key(ScopeOperate, "1234"), http.MethodPost, "/v1/customers/1234/dead-letters/transfer", order).is(http.StatusOK, &got); got.Chosen != want.Chosen || got.Done != want.Done || got.More != want.More {
			t.Errorf("the request %d: %+v", i, got)
		}
	}
}

// interrupted interrupts a pipeline of scripts after the first of them, while it is set.
type interrupted struct{ atomic.Bool }

func (*interrupted) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*interrupted) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h *interrupted) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if !h.Load() || !strings.HasPrefix(cmds[0].Name(), "eval") {
			return next(ctx, cmds)
		}
		err := next(ctx, cmds[:1])
		for _, cmd := range cmds[1:] {
			cmd.SetErr(io.ErrUnexpectedEOF)
		}
		return err
	}
}

func TestInterruptedTransferNamesItsBatches(t *testing.T) {
	t.Parallel()
	client, breaks := redistest.Shared(t).Client(t), &interrupted{}
	client.AddHook(breaks)
	r := newRigOn(t, client)
	r.withEverything("1234")
	_, ids := r.acceptCandidates("1234", 999, 100, 2)
	r.makeDead("1234", store.ReasonJobNotFound, testrig.NoJob, ids...)
	key := r.key(ScopeOperate, "1234")
	order := map[string]any{"all": true, "job": 7, "why": "the wrong number"}
	breaks.Store(true)
	p := r.call(key, http.MethodPost, "/v1/customers/1234/dead-letters/transfer", order).problem(CodeUnavailable)
	told, ok := strings.CutPrefix(p.Detail, "Stopped after 1 dead letter. Repeat the request to continue. The candidates continue in batch ")
	b, err := r.Ledger.Batches.Get(t.Context(), store.BatchID(strings.TrimSuffix(told, ".")))
	if !ok || err != nil || b.Job != 7 || b.Accepted != 1 {
		t.Errorf("%q: %+v, %v", p.Detail, b, err)
	}
	breaks.Store(false)
	var rest DeadLettersTransferred
	if r.call(key, http.MethodPost, "/v1/customers/1234/dead-letters/transfer", order).is(http.StatusOK, &rest); rest.Done != 1 || len(rest.Batches) != 1 || rest.Batches[0] == b.ID {
		t.Errorf("the rest: %+v", rest)
	}
}
