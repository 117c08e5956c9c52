package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// accept accepts candidates into a closed batch of their own, without tasks.
func (r *rig) accept(customer string, job int64, candidates ...string) (refs []store.Ref) {
	r.t.Helper()
	r.batch, refs = testrig.Accept(r.t, r.Ledger, customer, job, candidates...)
	return refs
}

// claim claims an export.
func (r *rig) claim(ref store.Ref) *store.Claim {
	r.t.Helper()
	return testrig.Claim(r.t, r.Ledger, ref)
}

// finish ends an export.
func (r *rig) finish(ref store.Ref, f store.Finish) {
	r.t.Helper()
	testrig.Finish(r.t, r.Ledger, f, ref)
}

// journal returns the audit log entries of an operation, latest first.
func (r *rig) journal(what string) []store.AuditLogEntry {
	r.t.Helper()
	page, err := r.Ledger.AuditLog.Page(r.t.Context(), store.AuditLogFilter{What: what})
	if err != nil {
		r.t.Fatal(err)
	}
	return page.Entries
}

func TestBatchHasForecast(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key := r.key(ScopeRead, "1234")
	refs := r.accept("1234", 7, "c-1", "c-2")
	r.finish(refs[0], store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 7, Workflow: 3})
	path := "/v1/customers/1234/batches/" + string(r.batch)
	var b BatchStatus
	r.call(key, http.MethodGet, path, nil).is(http.StatusOK, &b)
	if b.ID != r.batch || b.Accepted != 2 || b.Created != 1 || b.Moving != 1 || b.Forecast == nil || b.Forecast.Calls == 0 || len(b.Waits) == 0 {
		t.Errorf("%+v", b)
	}
	r.finish(refs[1], store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore, Person: 18})
	b = BatchStatus{}
	r.call(key, http.MethodGet, path, nil).is(http.StatusOK, &b)
	if b.Moving != 0 || b.Ended.IsZero() || b.Forecast != nil {
		t.Errorf("at its end: %+v", b)
	}
	r.call(key, http.MethodGet, "/v1/customers/1234/batches/1234-aaaaaaaaaaaaaaaa", nil).problem(CodeNoBatch)
	r.call(r.key(ScopeRead), http.MethodGet, "/v1/customers/99/batches/"+string(r.batch), nil).problem(CodeNoBatch)
	r.call(r.key(ScopeRead, "99"), http.MethodGet, path, nil).problem(CodeCustomerUnknown)
}

func TestBatchesAreListedPageByPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key(ScopeRead)
	want := map[store.BatchID]bool{}
	for i := range 7 {
		r.accept("1234", int64(i+1), "c-1")
		want[r.batch] = true
	}
	r.accept("99", 1, "c-1")
	var got []store.BatchID
	for cursor := ""; ; {
		var page BatchList
		r.call(key, http.MethodGet, "/v1/customers/1234/batches?limit=3"+cursor, nil).is(http.StatusOK, &page)
		for _, b := range page.Batches {
			got = append(got, b.ID)
		}
		if page.Next == "" {
			break
		}
		cursor = "&cursor=" + page.Next
	}
	if len(got) != len(want) || slices.ContainsFunc(got, func(id store.BatchID) bool { return !want[id] }) {
		t.Errorf("got %q", got)
	}
	r.call(key, http.MethodGet, "/v1/customers/1234/batches?cursor=hunter2", nil).problem(CodeInvalid)
	r.call(key, http.MethodGet, "/v1/customers/1234/batches?limit=0", nil).problem(CodeInvalid)
	r.call(key, http.MethodGet, "/v1/customers/55/batches", nil).problem(CodeCustomerUnknown)
	r.known("55")
	var none BatchList
	r.call(key, http.MethodGet, "/v1/customers/55/batches", nil).is(http.StatusOK, &none)
	if none.Batches == nil || len(none.Batches) != 0 {
		t.Errorf("of a customer without any: %+v", none)
	}
}

// trips counts a client's round trips; a pipeline is one.
type trips struct{ n atomic.Int64 }

func (*trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

func (c *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmds)
	}
}

func TestBatchesHaveJobTitles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.listed("1234", 9)
	key := r.key(ScopeRead)
	r.accept("1234", 99, "c-2")
	stray := r.batch
	r.accept("1234", 7, "c-1")
	var page BatchList
	r.call(key, http.MethodGet, "/v1/customers/1234/batches", nil).is(http.StatusOK, &page)
	var alone BatchStatus
	r.call(key, http.MethodGet, "/v1/customers/1234/batches/"+string(r.batch), nil).is(http.StatusOK, &alone)
	titles := map[store.BatchID]string{}
	for _, b := range page.Batches {
		titles[b.ID] = b.JobTitle
	}
	if title, listed := titles[stray]; !listed || title != "" || titles[r.batch] != "Café Manager 7" || alone.JobTitle != "Café Manager 7" {
		t.Errorf("%v, alone %+v", titles, alone)
	}
	var story admin.CandidateTimeline
	r.call(key, http.MethodGet, "/v1/customers/1234/candidates/c-1", nil).is(http.StatusOK, &story)
	if diff := cmp.Diff(map[int64]string{7: "Café Manager 7"}, story.JobTitles); diff != "" {
		t.Error(diff)
	}
}

func TestBatchListShowsWhatBlocksBatches(t *testing.T) {
	t.Parallel()
	counted := &trips{}
	client := redistest.Shared(t).Client(t)
	client.AddHook(counted)
	r := newRigOn(t, client)
	r.connect("1234")
	key := r.key(ScopeRead, "1234")
	list := func() (page BatchList, cost int64) {
		t.Helper()
		before := counted.n.Load()
		r.call(key, http.MethodGet, "/v1/customers/1234/batches?limit=100", nil).is(http.StatusOK, &page)
		return page, counted.n.Load() - before
	}
	list() // loads the key
	r.finish(r.accept("1234", 0, "c-1")[0], store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17})
	page, ended := list()
	if len(page.Batches) != 1 || page.Batches[0].Waits != nil {
		t.Errorf("of what has ended: %+v", page.Batches)
	}
	over := r.batch
	r.accept("1234", 7, "c-2")
	if err := r.Ledger.Lanes.Pause(t.Context(), "1234", store.Pause{By: "ana", Why: "go-live", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	list() // loads the script
	page, one := list()
	var alone BatchStatus
	r.call(key, http.MethodGet, "/v1/customers/1234/batches/"+string(r.batch), nil).is(http.StatusOK, &alone)
	// agree reports whether the list has the same forecast for all open batches, and none for the
	// ended one.
	agree := func() bool {
		return !slices.ContainsFunc(page.Batches, func(b BatchStatus) bool {
			return b.ID == over && b.Waits != nil || b.ID != over && !slices.Equal(b.Waits, alone.Waits)
		})
	}
	if len(page.Batches) != 2 || len(alone.Waits) != 2 || !agree() {
		t.Errorf("listed %+v; alone %q", page.Batches, alone.Waits)
	}
	for i := range 40 {
		r.accept("1234", 7, fmt.Sprintf("d-%d", i))
	}
	page, many := list()
	if len(page.Batches) != 42 || !agree() {
		t.Errorf("listed %+v", page.Batches)
	}
	if many != one || one > ended+6 {
		t.Errorf("round trips: %d without any that moves, %d with one, %d with 41", ended, one, many)
	}
}

func TestResultsAreFilteredAndExplained(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key := r.key(ScopeRead)
	candidates := make([]string, 30)
	for i := range candidates {
		candidates[i] = fmt.Sprintf("c-%d", i+1)
	}
	refs := r.accept("1234", 7, candidates...)
	path := "/v1/customers/1234/batches/" + string(r.batch) + "/results"
	var none ResultList
	if r.call(key, http.MethodGet, path+"?count=true", nil).is(http.StatusOK, &none); none.ByReason == nil || len(none.ByReason) != 0 {
		t.Errorf("while none has ended: %#v", none.ByReason)
	}
	r.finish(refs[0], store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 7, Workflow: 3})
	r.finish(refs[9], store.Finish{To: store.Dead, Counter: store.CountDead, Reason: store.ReasonJobNotFound})
	r.finish(refs[19], store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"})
	specs := []struct {
		query string
		want  []string
	}{
		{"?outcome=created", []string{"c-1"}},
		{"?outcome=dead", []string{"c-10", "c-20"}},
		{"?outcome=dead&reason=job_not_found", []string{"c-10"}},
		{"?outcome=updated", nil},
		{"?outcome=moving&limit=2", slices.Concat(candidates[1:9], candidates[10:19], candidates[20:])},
		{"", candidates},
		{"?limit=7", candidates},
	}
	for _, s := range specs {
		var got []string
		for cursor := ""; ; {
			query := s.query + cursor
			if s.query == "" && cursor != "" {
				query = "?" + cursor[1:]
			}
			var page ResultList
			r.call(key, http.MethodGet, path+query, nil).is(http.StatusOK, &page)
			for _, o := range page.Results {
				got = append(got, o.Candidate)
			}
			if page.Next == "" {
				break
			}
			cursor = "&cursor=" + page.Next
		}
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.query, diff)
		}
	}
	var page ResultList
	r.call(key, http.MethodGet, path+"?limit=10", nil).is(http.StatusOK, &page)
	if o := page.Results[0]; o.Row != 1 || o.Link != "https://api.icims.com/customers/1234/linkTo/people/17" || o.Workflow != 3 {
		t.Errorf("created: %+v", o)
	}
	if o := page.Results[9]; o.Row != 10 || o.Title == "" || o.Hint == "" || o.State != store.Dead {
		t.Errorf("dead: %+v", o)
	}
	if page.ByReason != nil {
		t.Errorf("counted although nobody asked: %+v", page.ByReason)
	}
	r.finish(refs[21], store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"})
	r.call(key, http.MethodGet, path+"?count=true&outcome=created&limit=1", nil).is(http.StatusOK, &page)
	want := []EndTally{
		{store.CountDead, "icims_refused", store.Reason("icims_refused").Info().Title, 2},
		{store.CountDead, store.ReasonJobNotFound, store.ReasonJobNotFound.Info().Title, 1},
	}
	if diff := cmp.Diff(want, page.ByReason); diff != "" || len(page.Results) != 1 {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	testrig.Uncount(t, r.redis, r.batch, store.CountDead, store.ReasonJobNotFound)
	page = ResultList{}
	if r.call(key, http.MethodGet, path+"?count=true", nil).is(http.StatusOK, &page); page.ByReason != nil {
		t.Errorf("counted although some ended before that began: %+v", page.ByReason)
	}
	for _, query := range []string{"?outcome=happy", "?limit=1001", "?cursor=12", "?cursor=r-1", "?reason=Ana%20Duarte", "?page=2"} {
		r.call(key, http.MethodGet, path+query, nil).problem(CodeInvalid)
	}
	r.call(key, http.MethodGet, "/v1/customers/1234/batches/1234-aaaaaaaaaaaaaaaa/results", nil).problem(CodeNoBatch)
}

func TestCancelBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	refs := r.accept("1234", 7, "c-1", "c-2", "c-3")
	r.claim(refs[0])
	key := r.key(ScopeExport, "1234")
	path := "/v1/customers/1234/batches/" + string(r.batch) + "/cancel"
	body := func(why string, dry bool) map[string]any { return map[string]any{"why": why, "dry_run": dry} }
	var got store.Cancellation
	r.call(key, http.MethodPost, path, body("", true)).is(http.StatusOK, &got)
	if got.Cancelled != 2 || got.Busy != 1 || len(r.journal("cancel-batch")) != 0 {
		t.Errorf("a dry run: %+v, in the journal %+v", got, r.journal("cancel-batch"))
	}
	r.call(key, http.MethodPost, path, body("the wrong list", false)).is(http.StatusOK, &got)
	if got.Cancelled != 2 || got.Busy != 1 {
		t.Errorf("canceled: %+v", got)
	}
	r.call(key, http.MethodPost, path, body(" ", false)).problem(CodeInvalid)
	r.call(r.key(ScopeRead), http.MethodPost, path, body("x", false)).problem(CodeScopeMissing)
	r.call(key, http.MethodPost, "/v1/customers/1234/batches/1234-aaaaaaaaaaaaaaaa/cancel", body("x", false)).problem(CodeNoBatch)
	actions, _, err := r.Ledger.AuditLog.Actions(t.Context(), "1234", 5)
	if err != nil || len(actions) != 1 || actions[0].Who != "test export" || actions[0].Why != "the wrong list" {
		t.Errorf("recorded: %+v, %v", actions, err)
	}
	entries := r.journal("cancel-batch")
	if i := slices.IndexFunc(entries, func(e store.AuditLogEntry) bool { return e.Outcome == store.JournalDone && e.Object == string(r.batch) }); i < 0 || entries[i].Why != "the wrong list" {
		t.Errorf("journal: %+v", entries)
	}
}

func TestBatchCountsProfilesWithoutWorkflow(t *testing.T) {
	r := newRig(t)
	refs := r.accept("1234", 7, "c-1", "c-2", "c-3")
	testrig.LeaveProfile(t, r.Ledger, 17, refs[0])
	testrig.LeaveProfile(t, r.Ledger, 18, refs[1])
	r.finish(refs[2], store.Finish{To: store.Dead, Counter: store.CountDead, Reason: store.ReasonJobNotFound})
	var got map[string]any
	r.call(r.key(ScopeRead, "1234"), http.MethodGet, "/v1/customers/1234/batches/"+string(r.batch), nil).is(http.StatusOK, &got)
	if got["profiles_without_workflow"] != 2.0 || got["dead"] != 3.0 {
		t.Errorf("%v", got)
	}
}
