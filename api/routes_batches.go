package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/store"
)

// BatchPath is a batch in a path. Inputs embed it. The guard has checked it.
type BatchPath struct {
	CustomerPath

	Batch string `path:"batch" pattern:"^[0-9]{1,18}-[a-z2-7]{16}$" doc:"The batch's ID." example:"1234-abcdefgh234567ij"`
}

func (p BatchPath) id() store.BatchID { return store.BatchID(p.Batch) }

// BatchStatus is a batch with its forecast.
type BatchStatus struct {
	store.Batch

	JobTitle string `json:"job_title,omitempty" doc:"The job's title, if the cached job list has it."`

	Moving int `json:"moving" doc:"Exports in progress."`
	// Forecast is nil if no export of the batch is in progress.
	Forecast *forecast.Forecast `json:"forecast,omitempty" doc:"The batch's forecast."`
	Waits    []string           `json:"waits,omitempty" doc:"What blocks the customer's exports, in sentences; only while the batch is in progress."`
}

func (s *Server) registerBatches() {
	const customer, batch = "/v1/customers/{customer}", "/v1/customers/{customer}/batches/{batch}"
	tags := []string{"batches"}
	unknown := []Code{CodeNoBatch}
	register(s, op{
		ID: "list-batches", Method: http.MethodGet, Path: customer + "/batches", Scope: ScopeRead, Tags: tags,
		Summary: "List a customer's batches", Description: "Newest first, without forecasts. `waits` says what blocks a batch in progress.",
	}, s.listBatches)
	register(s, op{
		ID: "get-batch", Method: http.MethodGet, Path: batch, Scope: ScopeRead, Tags: tags, Errors: unknown,
		Summary: "Get a batch", Description: "With counts and a forecast.",
	}, s.getBatch)
	register(s, op{
		ID: "list-results", Method: http.MethodGet, Path: batch + "/results", Scope: ScopeRead, Tags: tags, Errors: unknown,
		Summary: "List a batch's results",
		Description: "In input order. With a filter, a page may be short or empty: continue as long as there is a `next`. " +
			"Refused rows are listed separately.",
	}, s.listResults)
	register(s, op{
		ID: "cancel-batch", Method: http.MethodPost, Path: batch + "/cancel", Scope: ScopeExport, Changes: true, Tags: tags, Errors: unknown,
		Summary:     "Cancel a batch's waiting exports",
		Description: "Running exports finish and are counted as `busy`. If one is rescheduled instead, cancel again.",
	}, s.cancelBatch)
	s.registerRefused()
	s.registerEvents()
}

type listBatchesInput struct {
	CustomerPath

	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"Page size."`
	Cursor string `query:"cursor" maxLength:"60" doc:"The previous page's next."`
	Tests  bool   `query:"tests" doc:"List verification batches instead."`
}

// BatchList is a page of batches.
type BatchList struct {
	Batches []BatchStatus `json:"batches"`
	Next    string        `json:"next,omitempty" doc:"The cursor of the next page; omitted on the last page."`
}

type listBatchesOutput struct{ Body BatchList }

func (s *Server) listBatches(ctx context.Context, in *listBatchesInput) (*listBatchesOutput, error) {
	page := s.Ledger.Batches.Page
	if in.Tests {
		page = s.Ledger.Batches.TestPage
	}
	batches, next, err := page(ctx, in.Customer, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	out := BatchList{Batches: make([]BatchStatus, len(batches)), Next: next}
	var waits []string
	if slices.ContainsFunc(batches, func(b store.Batch) bool { return b.Moving() > 0 }) {
		// The reasons are the same for all batches of the customer. If Redis cannot tell them, the
		// counts are still useful.
		waits, _ = s.Admin.Forecasts.Waits(ctx, in.Customer, s.waits())
	}
	titles := s.Admin.JobLists.Titles(ctx, in.Customer, jobsOf(batches)...)
	for i, b := range batches {
		out.Batches[i] = BatchStatus{Batch: b, JobTitle: titles[b.Job], Moving: b.Moving()}
		if out.Batches[i].Moving > 0 {
			out.Batches[i].Waits = waits
		}
	}
	return &listBatchesOutput{out}, nil
}

// jobsOf returns the target jobs of batches.
func jobsOf(batches []store.Batch) []int64 {
	jobs := make([]int64, len(batches))
	for i, b := range batches {
		jobs[i] = b.Job
	}
	return jobs
}

type getBatchInput struct{ BatchPath }

type getBatchOutput struct{ Body BatchStatus }

func (s *Server) getBatch(ctx context.Context, in *getBatchInput) (*getBatchOutput, error) {
	b, err := s.Ledger.Batches.Get(ctx, in.id())
	if err != nil {
		return nil, err
	}
	return &getBatchOutput{s.statusOf(ctx, b)}, nil
}

// statusOf adds the forecast. If Redis cannot tell it, the counts are still useful.
func (s *Server) statusOf(ctx context.Context, b store.Batch) BatchStatus {
	status := BatchStatus{Batch: b, JobTitle: s.Admin.JobLists.Titles(ctx, b.ID.Customer(), b.Job)[b.Job], Moving: b.Moving()}
	if status.Moving > 0 {
		if p, err := s.Admin.Forecasts.ETA(ctx, b, s.waits()); err == nil {
			status.Forecast, status.Waits = &p.Forecast, p.Waits
		}
	}
	return status
}

type listResultsInput struct {
	BatchPath

	Outcome string `query:"outcome" enum:"created,updated,skipped,dead,cancelled,moving" doc:"Only this outcome; moving for exports in progress."`
	Reason  string `query:"reason" maxLength:"64" pattern:"^[a-z0-9_]+$" doc:"Only this reason, listed in docs/errors.md."`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Page size."`
	Cursor  string `query:"cursor" maxLength:"20" doc:"The previous page's next."`
	Count   bool   `query:"count" doc:"Also count the ended exports by reason, ignoring the filter."`
}

// ResultList is a page of results.
type ResultList struct {
	Results []admin.Outcome `json:"results"`
	Next    string          `json:"next,omitempty" doc:"The cursor of the next page; omitted on the last page."`

	ByReason []EndTally `json:"by_reason,omitzero" doc:"With count: ended exports by reason, most frequent first, without exports that ended without a reason. Omitted if some exports ended before batches had these counts."`
}

// EndTally counts the exports of a batch with the same outcome and reason.
type EndTally struct {
	Outcome store.Counter `json:"outcome" doc:"The outcome."`
	Reason  store.Reason  `json:"reason" doc:"Why: a code of docs/errors.md."`
	Title   string        `json:"title" doc:"The reason in words."`
	Count   int           `json:"count" doc:"Number of exports."`
}

type listResultsOutput struct{ Body ResultList }

func (s *Server) listResults(ctx context.Context, in *listResultsInput) (*listResultsOutput, error) {
	from, err := rowOf(in.Cursor)
	if err != nil {
		return nil, err
	}
	reasons, whole, err := s.Ledger.Batches.EndReasons(ctx, in.id())
	if err != nil {
		return nil, err
	}
	filter := store.ResultFilter{Reason: store.Reason(in.Reason)}
	if filter.Moving = in.Outcome == "moving"; !filter.Moving {
		filter.Counter = store.Counter(in.Outcome)
	}
	page, err := s.Ledger.Batches.Results(ctx, in.id(), filter, from, in.Limit)
	if err != nil {
		return nil, err
	}
	links := s.Admin.Connections.Links(ctx, in.Customer)
	out := ResultList{Results: make([]admin.Outcome, len(page.Results))}
	for i, r := range page.Results {
		out.Results[i] = admin.Explain(r.Outcome, r.Row, links)
		out.Results[i].InputRow = r.InputRow
	}
	if page.Next > 0 {
		out.Next = "r" + strconv.Itoa(page.Next)
	}
	if in.Count && whole {
		out.ByReason = []EndTally{} // an empty list differs from a missing one
		for _, r := range reasons {
			out.ByReason = append(out.ByReason, EndTally{r.Counter, r.Reason, r.Reason.Info().Title, r.Count})
		}
	}
	return &listResultsOutput{out}, nil
}

// rowOf parses a cursor of results.
func rowOf(cursor string) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	digits, ok := strings.CutPrefix(cursor, "r")
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || !ok {
		return 0, store.ErrPlace
	}
	return int(n), nil
}

type cancelBatchInput struct {
	BatchPath

	Body struct {
		Why    string `json:"why,omitempty" maxLength:"500" doc:"The reason, recorded in the audit log, without personal data. Required unless it is a dry run."`
		DryRun bool   `json:"dry_run,omitempty" doc:"Only count, cancel nothing."`
	}
}

func (in *cancelBatchInput) changesNothing() bool { return in.Body.DryRun }

type cancelBatchOutput struct{ Body store.Cancellation }

func (s *Server) cancelBatch(ctx context.Context, in *cancelBatchInput) (*cancelBatchOutput, error) {
	if strings.TrimSpace(in.Body.Why) == "" && !in.Body.DryRun {
		return nil, whyMissing("why")
	}
	scope := admin.CancelScope{Customer: in.Customer, Batch: in.id()}
	options := store.CancelOptions{Who: principalOf(ctx).Name, Why: in.Body.Why, DryRun: in.Body.DryRun}
	done, err := s.Admin.Cancel(ctx, scope, options, 0)
	if err != nil {
		return nil, err
	}
	return &cancelBatchOutput{done}, nil
}
