package api

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

func (s *Server) registerDeadLetters() {
	const path = "/v1/customers/{customer}/dead-letters"
	register(s, op{
		ID: "count-dead-letters", Method: http.MethodGet, Path: "/v1/dead-letters", Scope: ScopeRead, Tags: []string{"dead letters"},
		Summary: "List customers with dead letters", Description: "The key's customers with dead letters, most first.",
	}, s.countDeadLetters)
	register(s, op{
		ID: "list-dead-letters", Method: http.MethodGet, Path: path, Scope: ScopeRead, Tags: []string{"dead letters"},
		Summary: "List dead letters",
		Description: "Failed exports, oldest first. A page may be short or empty and still have a next one: " +
			"each request searches a limited number.",
	}, s.listDeadLetters)
	register(s, op{
		ID: "get-dead-letter", Method: http.MethodGet, Path: path + "/{export}", Scope: ScopeRead, Tags: []string{"dead letters"},
		Summary: "Get a dead letter", Description: "With its timeline in sentences and the remedy, without the candidate's data.",
		Errors: []Code{CodeNotDead, CodeCannotOpen},
	}, s.getDeadLetter)
	const many = " Select dead letters by `exports` or `filter`, or with `all`. One request handles at most `limit`; " +
		"if there are `more`, repeat it. `dry_run` only counts them and returns a sample."
	register(s, op{
		ID: "retry-dead-letters", Method: http.MethodPost, Path: path + "/retry", Scope: ScopeOperate, Changes: true, Tags: []string{"dead letters"},
		Summary:     "Retry dead letters",
		Description: "Each export gets a fresh retry budget and continues where it stopped. Existing people are not created again." + many,
		Errors:      []Code{CodeCannotOpen},
	}, s.deadHandler((*admin.DeadLetters).Retry))
	register(s, op{
		ID: "discard-dead-letters", Method: http.MethodPost, Path: path + "/discard", Scope: ScopeOperate, Changes: true, Tags: []string{"dead letters"},
		Summary:     "Discard dead letters",
		Description: "Deletes the candidates' data." + many,
		Errors:      []Code{CodeCannotOpen},
	}, s.deadHandler((*admin.DeadLetters).Discard))
	register(s, op{
		ID: "transfer-dead-letters", Method: http.MethodPost, Path: path + "/transfer", Scope: ScopeOperate, Changes: true, Tags: []string{"dead letters"},
		Summary: "Move dead letters to another job",
		Description: "For candidates that were exported to a wrong job. They continue in a new batch with the same options; existing people are not created again. " +
			"The dead letters end as canceled with the reason `transferred`. Not moved: dead letters that already go to that job, exports with an unconfirmed write " +
			"(retry them), exports with unreadable data, and duplicates of a candidate. They do not count toward `limit`." + many,
		Errors: []Code{CodeCannotOpen},
	}, s.transferDead)
}

// DeadCustomers are the customers that have dead letters.
type DeadCustomers struct {
	Customers []admin.DeadCustomer `json:"customers" doc:"Most dead letters first."`
	Total     int64                `json:"total" doc:"Total number of dead letters."`
	More      int                  `json:"more,omitempty" doc:"Customers with dead letters beyond this list."`
}

func (s *Server) countDeadLetters(ctx context.Context, in *struct {
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Page size."`
}) (*struct{ Body DeadCustomers }, error) {
	found, err := s.Admin.DeadLetters.Customers(ctx, principalOf(ctx).Customers)
	if err != nil {
		return nil, err
	}
	out := DeadCustomers{Customers: found[:min(in.Limit, len(found))]}
	out.More = len(found) - len(out.Customers)
	for _, c := range found {
		out.Total += c.Count
	}
	return &struct{ Body DeadCustomers }{out}, nil
}

// DeadLetters is a page of dead letters.
type DeadLetters struct {
	Total       int64            `json:"total" doc:"The customer's dead letters, ignoring the filter."`
	DeadLetters []admin.DeadLine `json:"dead_letters"`
	Next        string           `json:"next,omitempty" doc:"The cursor of the next page; omitted on the last page."`

	ByReason  []admin.DeadTally `json:"by_reason,omitempty" doc:"With count: matching dead letters of all pages by reason, most frequent first."`
	Uncounted bool              `json:"uncounted,omitempty" doc:"There are more dead letters than were counted."`
}

type listDeadInput struct {
	CustomerPath

	Batch     string    `query:"batch" maxLength:"100" doc:"Only this batch."`
	Reason    string    `query:"reason" maxLength:"100" doc:"Only this reason: a code of docs/errors.md." example:"job_not_found"`
	Since     time.Time `query:"since" doc:"Only exports that failed since this time."`
	Candidate string    `query:"candidate" maxLength:"1000" doc:"Only this candidate."`
	Text      string    `query:"text" maxLength:"200" doc:"Only dead letters with this text in the reason, or in the operation, status or codes of iCIMS's last response."`
	Limit     int       `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Page size."`
	Cursor    string    `query:"cursor" maxLength:"200" doc:"The previous page's next."`
	Count     bool      `query:"count" doc:"Also count matching dead letters by reason, up to 100,000."`
}

func (s *Server) listDeadLetters(ctx context.Context, in *listDeadInput) (*struct{ Body DeadLetters }, error) {
	choice, err := deadFilter{Batch: in.Batch, Reason: in.Reason, Since: in.Since, Candidate: in.Candidate, Text: in.Text}.choice(in.Customer, "query.")
	if err != nil {
		return nil, err
	}
	if choice.After, err = parseDeadCursor(in.Cursor); err != nil {
		return nil, err
	}
	var out DeadLetters
	if out.Total, err = s.Ledger.DeadLetters.Count(ctx, in.Customer); err != nil {
		return nil, err
	}
	if in.Count {
		counted := choice
		counted.After = store.DeadLetter{}
		if out.ByReason, out.Uncounted, err = s.Admin.DeadLetters.Tally(ctx, in.Customer, counted, countedDead); err != nil {
			return nil, err
		}
	}
	page, err := s.Admin.DeadLetters.Page(ctx, in.Customer, choice, in.Limit)
	if err != nil {
		return nil, err
	}
	out.DeadLetters = linesOf(page.Letters)
	if page.Next != nil {
		out.Next = deadCursor(*page.Next)
	}
	return &struct{ Body DeadLetters }{out}, nil
}

func linesOf(letters []admin.DeadLetter) []admin.DeadLine {
	lines := make([]admin.DeadLine, len(letters))
	for i, l := range letters {
		lines[i] = l.Line()
	}
	return lines
}

// deadCursor returns the cursor after a letter.
func deadCursor(l store.DeadLetter) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(l.At.UnixMilli(), 10) + ":" + l.Export))
}

func parseDeadCursor(text string) (store.DeadLetter, error) {
	if text == "" {
		return store.DeadLetter{}, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	at, export, ok := strings.Cut(string(data), ":")
	ms, numberErr := strconv.ParseInt(at, 10, 64)
	if err != nil || numberErr != nil || !ok || export == "" || ms < 0 {
		return store.DeadLetter{}, badCursor
	}
	return store.DeadLetter{Ref: store.Ref{Export: export}, At: time.UnixMilli(ms)}, nil
}

var badCursor = problem(CodeInvalid, "", FieldProblem{"query.cursor", "is not a valid cursor", "omit it, or pass the previous page's next unchanged"})

// deadFilter selects dead letters of a customer.
type deadFilter struct {
	Batch     string    `json:"batch,omitempty" maxLength:"100" doc:"Only this batch."`
	Reason    string    `json:"reason,omitempty" maxLength:"100" doc:"Only this reason: a code of docs/errors.md." example:"job_not_found"`
	Since     time.Time `json:"since,omitzero" doc:"Only exports that failed since this time."`
	Until     time.Time `json:"until,omitzero" doc:"Only exports that failed until this time. Pass a dry run's as_of to select exactly what it counted."`
	Candidate string    `json:"candidate,omitempty" maxLength:"1000" doc:"Only this candidate."`
	Text      string    `json:"text,omitempty" maxLength:"200" doc:"Only dead letters with this text in the reason, or in the operation, status or codes of iCIMS's last response."`
}

// choice checks the filter; place is where its fields are in the request.
func (f deadFilter) choice(customer, place string) (admin.DeadChoice, error) {
	c := admin.DeadChoice{Customers: []string{customer}, Text: f.Text, Candidate: f.Candidate}
	c.Since = f.Since
	if f.Reason != "" && !slices.Contains(store.Reasons(), store.Reason(f.Reason)) {
		return c, problem(CodeInvalid, "", FieldProblem{place + "reason", "is not a known reason", "use a code of docs/errors.md"})
	}
	c.Reason = store.Reason(f.Reason)
	if f.Batch != "" {
		batch, err := store.ParseBatchID(f.Batch)
		if err != nil || batch.Customer() != customer {
			return c, problem(CodeInvalid, "", FieldProblem{place + "batch", "is not a batch ID of this customer", "use the batch ID from the response to the export"})
		}
		c.Batch = batch
	}
	return c, nil
}

func (s *Server) getDeadLetter(ctx context.Context, in *struct {
	CustomerPath

	Export string `path:"export" maxLength:"200" doc:"The export's ID, as listed."`
}) (*struct{ Body admin.ExplainedDead }, error) {
	letter, err := s.Admin.DeadLetters.Get(ctx, store.Ref{Customer: in.Customer, Export: in.Export})
	if err != nil {
		return nil, err
	}
	explained, err := s.Admin.DeadLetters.Explain(ctx, letter, timelineWriter())
	if err != nil {
		return nil, err
	}
	return &struct{ Body admin.ExplainedDead }{explained}, nil
}

// Limits of dead letters that one request changes, and that a dry run shows.
const (
	mostDead    = 10_000
	sampledDead = 5
)

// DeadOrder selects dead letters and gives the reason for the action.
type DeadOrder struct {
	Filter  *deadFilter `json:"filter,omitempty" doc:"Selects dead letters by filter."`
	Exports []string    `json:"exports,omitempty" maxItems:"1000" maxLength:"16" pattern:"^[a-z2-7]*$" doc:"Selects dead letters by export ID, as listed."`
	All     bool        `json:"all,omitempty" doc:"Selects all dead letters of the customer."`
	DryRun  bool        `json:"dry_run,omitempty" doc:"Only count dead letters and return a sample."`
	Limit   int         `json:"limit,omitempty" minimum:"1" maximum:"10000" doc:"Maximum number of dead letters; 10,000 by default."`
	Why     string      `json:"why,omitempty" maxLength:"1000" doc:"The reason. Required unless it is a dry run."`
}

type deadActInput struct {
	CustomerPath
	Body DeadOrder
}

func (in *deadActInput) changesNothing() bool { return in.Body.DryRun }

// DeadLettersChanged is the result of an action on dead letters, or of its dry run.
type DeadLettersChanged struct {
	DryRun   bool              `json:"dry_run" doc:"Nothing was changed."`
	AsOf     time.Time         `json:"as_of" doc:"Exports that failed after this time were not selected."`
	Chosen   int               `json:"chosen" doc:"Selected dead letters."`
	Done     int               `json:"done" doc:"Handled dead letters. The others were already handled or, for a transfer, cannot be moved."`
	More     bool              `json:"more" doc:"There are more than the limit: repeat the request."`
	ByReason []admin.DeadCount `json:"by_reason" doc:"Selected dead letters by reason."`
	Sample   []admin.DeadLine  `json:"sample,omitempty" doc:"For a dry run: a sample of the selected dead letters."`
}

type deadAct func(*admin.DeadLetters, context.Context, admin.DeadChoice, admin.DeadOrder) (admin.DeadResult, error)

func (s *Server) deadHandler(act deadAct) func(context.Context, *deadActInput) (*struct{ Body DeadLettersChanged }, error) {
	return func(ctx context.Context, in *deadActInput) (*struct{ Body DeadLettersChanged }, error) {
		choice, err := s.chosenDead(ctx, in.Customer, in.Body)
		if err != nil {
			return nil, err
		}
		if len(in.Body.Exports) == 1 {
			noteOf(ctx).Object = in.Body.Exports[0]
		}
		if in.Body.DryRun {
			return s.sampleDead(ctx, choice)
		}
		order := admin.DeadOrder{Who: principalOf(ctx).Name, Why: in.Body.Why, Most: or(in.Body.Limit, mostDead)}
		done, err := act(s.Admin.DeadLetters, ctx, choice, order)
		if err != nil {
			return nil, err
		}
		return &struct{ Body DeadLettersChanged }{changedDead(choice, done)}, nil
	}
}

func changedDead(choice admin.DeadChoice, done admin.DeadResult) DeadLettersChanged {
	return DeadLettersChanged{AsOf: choice.Until, Chosen: done.Chosen, Done: done.Done, More: done.More, ByReason: done.ByReason}
}

// chosenDead checks the action and its selection.
func (s *Server) chosenDead(ctx context.Context, customer string, body DeadOrder) (admin.DeadChoice, error) {
	filter := value(body.Filter)
	if filter == (deadFilter{}) && len(body.Exports) == 0 && !body.All {
		return admin.DeadChoice{}, problem(CodeInvalid, "", FieldProblem{"filter", "is missing", "select dead letters with filter, exports or all"})
	}
	if strings.TrimSpace(body.Why) == "" && !body.DryRun {
		return admin.DeadChoice{}, whyMissing("why")
	}
	choice, err := filter.choice(customer, "filter.")
	if err != nil {
		return choice, err
	}
	choice.Exports = body.Exports
	// Do not select letters again that are retried and fail again meanwhile.
	choice.Until, err = s.Ledger.Now(ctx)
	if !filter.Until.IsZero() && filter.Until.Before(choice.Until) {
		choice.Until = filter.Until
	}
	return choice, err
}

// errSampled ends a dry run that has counted enough.
var errSampled = errors.New("sampled")

func (s *Server) sampleDead(ctx context.Context, choice admin.DeadChoice) (*struct{ Body DeadLettersChanged }, error) {
	out, counts := DeadLettersChanged{DryRun: true, AsOf: choice.Until, Sample: []admin.DeadLine{}}, admin.DeadCounts{}
	err := s.Admin.DeadLetters.Each(ctx, choice, func(_ string, page []admin.DeadLetter) error {
		counts.Add(page)
		if room := sampledDead - len(out.Sample); room > 0 {
			out.Sample = append(out.Sample, linesOf(page[:min(room, len(page))])...)
		}
		if counts.Total() >= countedDead {
			return errSampled
		}
		return nil
	})
	if out.More = errors.Is(err, errSampled); err != nil && !out.More {
		return nil, err
	}
	out.Chosen, out.ByReason = counts.Total(), counts.List()
	return &struct{ Body DeadLettersChanged }{out}, nil
}

// countedDead limits how many letters are counted.
const countedDead = 100_000
