package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/traces"
)

// Sent is the result of submitted candidates.
type Sent struct {
	tasks.Receipt

	// RefusedRows counts all refused rows, including those that the list leaves out.
	RefusedRows int `json:"refused_rows" doc:"Refused rows, including those that are not listed."`
	// Forecast is nil if no export of the batch is in progress.
	Forecast *forecast.Forecast `json:"forecast,omitempty" doc:"The batch's forecast."`
	Waits    []string           `json:"waits,omitempty" doc:"What blocks the customer's exports, in sentences."`
	// JobTitle is empty if the cached job list does not have it.
	JobTitle string `json:"job_title,omitempty" doc:"The job's title, if the cached job list has it."`
	// JobWarning is a sentence; empty for none.
	JobWarning string `json:"job_warning,omitempty" doc:"Warns that the job was not found on the customer's portals and may be wrong."`
}

// DryRun is the result of a dry run.
type DryRun struct {
	DryRun      bool                    `json:"dry_run" doc:"True: nothing was submitted."`
	Accepted    int                     `json:"accepted" doc:"Rows that would be accepted."`
	Dummies     int                     `json:"dummies,omitempty" doc:"Accepted rows that would get a dummy email address."`
	RefusedRows int                     `json:"refused_rows" doc:"Rows that would be refused, including those that are not listed."`
	Refused     []input.Refusal         `json:"refused,omitempty"`
	Warnings    []input.RepeatedWarning `json:"warnings,omitempty"`
	MoreRefused int                     `json:"more_refused,omitempty"`
	MoreWarned  int                     `json:"more_warned,omitempty"`
	Estimate    admin.Estimate          `json:"estimate" doc:"The range of calls."`
	Forecast    forecast.Forecast       `json:"forecast" doc:"The forecast. calls_to_go is the expected number of calls, based on earlier exports; it is within the estimate."`
	Waits       []string                `json:"waits,omitempty" doc:"What blocks the customer's exports, in sentences."`
	JobTitle    string                  `json:"job_title,omitempty" doc:"The job's title, if the cached job list has it."`
	JobWarning  string                  `json:"job_warning,omitempty" doc:"Warns that the job was not found on the customer's portals and may be wrong."`
	Skips       []ExportedBefore        `json:"skips,omitempty" doc:"The first candidates that would be skipped."`
	Requests    []SampleRequests        `json:"requests,omitempty" doc:"Sample requests to iCIMS for the first new candidates. They contain the submitted data."`
}

// told limits the refusals and the kinds of warnings in a response.
const told = 1000

const (
	mediaJSON   = "application/json"
	mediaNDJSON = "application/x-ndjson"
	mediaCSV    = "text/csv"
	mediaTSV    = "text/tab-separated-values"
)

func (s *Server) registerExports() {
	schemas := s.huma.OpenAPI().Components.Schemas
	schema := func(example any) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{mediaJSON: {Schema: schemaOf(schemas, example)}}
	}
	rows := func(description string) *huma.MediaType {
		return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: description}}
	}
	body := map[string]*huma.MediaType{
		mediaJSON:   {Schema: requestSchema(schemas)},
		mediaNDJSON: rows("One JSON object per line."),
		mediaCSV:    rows("A header row, then one candidate a row. docs/input.md lists the columns."),
		mediaTSV:    rows("As CSV, separated by tabs."),
	}
	registerRaw(s, op{
		ID: "create-export", Method: http.MethodPost, Path: "/v1/customers/{customer}/exports", Scope: ScopeExport, Changes: true,
		Tags: []string{"exports"}, Status: http.StatusAccepted, Summary: "Export candidates",
		Description: `Submits candidates. The body is streamed, so it may be large. Rows are accepted as they arrive: if the request is interrupted, repeat it with the same
` + "`Idempotency-Key`" + ` and only missing rows are added. Invalid rows are refused with field, problem and remedy; the other rows are exported.

Specify either ` + "`job`" + ` or ` + "`prospects=true`" + `, in the query or in a JSON object body. Fields may be in any order; ` + "`candidates`" + ` must be last if it is longer than 4 MiB.

` + "`dry_run=true`" + ` submits nothing and returns the estimated cost.`,
		Errors: []Code{CodeNoConnection, CodeBatchConflict, CodeBatchCancelled, CodeBatchInvalid, CodeNothingAccepted, CodeIncomplete, CodeTooManyRows, CodeTooManyWaiting, CodeStoreFull, CodeCannotOpen},
		Spares: isDryRun, Uploads: true,
	}, huma.Operation{
		Parameters: []*huma.Param{
			{Name: "job", In: "query", Description: "System ID of the job, the number in its URL.", Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: new(1.0)}},
			boolParam("prospects", "Export without a job."),
			boolParam("generate_dummy_emails", "Generate dummy email addresses for candidates without one."),
			boolParam("include_previously_exported", "Include previously exported candidates."),
			boolParam("dry_run", "Validate and estimate only."),
			{
				Name: "Idempotency-Key", In: "header", Description: "Repeated requests with the same key are one batch. Send one whenever a request may be retried.",
				Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(256)},
			},
		},
		RequestBody: &huma.RequestBody{Required: true, Content: body},
		Responses: map[string]*huma.Response{
			"200": {
				Description: "A dry run, or a repeated batch that was already complete.",
				Content:     map[string]*huma.MediaType{mediaJSON: {Schema: &huma.Schema{AnyOf: []*huma.Schema{schemaOf(schemas, Sent{}), schemaOf(schemas, DryRun{})}}}},
			},
			"202": {Description: "The batch is accepted.", Content: schema(Sent{}), Headers: map[string]*huma.Param{
				"Location": {Description: "The batch's URL.", Schema: &huma.Schema{Type: huma.TypeString}},
			}},
		},
	}, s.createExport)
}

func isDryRun(r *http.Request) bool { return r.URL.Query().Get("dry_run") == "true" }

func (s *Server) createExport(w http.ResponseWriter, r *http.Request) {
	status, response, err := s.export(w.Header(), r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, status, response)
}

// writeJSON responds with a value.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", mediaJSON)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(convertTimes(v)) //nolint:errchkjson // the client is gone
}

// export reads a request for an export and runs it.
func (s *Server) export(header http.Header, r *http.Request) (status int, response any, err error) {
	ctx, customer := r.Context(), r.PathValue("customer")
	asked, err := readExportQuery(r)
	if err != nil {
		return 0, nil, err
	}
	conn, err := s.usableConnection(ctx, customer)
	if err != nil {
		return 0, nil, err
	}
	batch, err := asked.batch(r, customer, s.Settings.MaxRows)
	if err != nil {
		return 0, nil, err
	}
	rows, err := begun(batch.Candidates)
	if err != nil {
		return 0, nil, err
	}
	defer rows.stop()
	batch.Candidates = rows.all
	if asked.dryRun {
		response, err := s.dryRun(ctx, batch, conn)
		return http.StatusOK, response, dryRunProblem(err)
	}
	sent, err := s.send(traces.Incoming(ctx, r.Header), batch, s.keyGood(r))
	if err != nil {
		return 0, nil, err
	}
	header.Set("Location", "/v1/customers/"+customer+"/batches/"+string(sent.Batch))
	if sent.Known && sent.Accepted == sent.Again {
		return http.StatusOK, sent, nil
	}
	return http.StatusAccepted, sent, nil
}

// usableConnection returns the connection that the customer's exports would use.
func (s *Server) usableConnection(ctx context.Context, customer string) (store.Connection, error) {
	conn, ok := s.Admin.Connections.Get(ctx, customer)
	if ok {
		return conn, nil
	}
	stored, err := s.Ledger.Connections.Get(ctx, customer)
	if err != nil {
		return conn, err
	}
	if !stored.Below().Kept() {
		return conn, problem(CodeNoConnection, "The connection was removed.")
	}
	return stored.WithDefaults(), nil
}

// exportQuery contains the export's parameters outside of the body.
type exportQuery struct {
	job                       int64
	prospects, dummies, again *bool
	dryRun                    bool
	mediaType, key            string
}

// batch reads the body up to its first candidate.
func (q exportQuery) batch(r *http.Request, customer string, maxRows int) (input.Batch, error) {
	b := input.Batch{Customer: customer, IdempotencyKey: q.key, ListAtMost: told, MaxRows: maxRows}
	var unread error
	switch q.mediaType {
	case mediaNDJSON:
		b.Candidates = input.ReadNDJSON(r.Body)
	case mediaCSV, mediaTSV:
		b.Candidates = input.ReadCSV(r.Body)
	default:
		request, err := input.ReadRequest(r.Body)
		if err != nil {
			return b, err
		}
		if err := q.take(request); err != nil {
			return b, err
		}
		b.Candidates, unread = request.Candidates, request.Unread
	}
	switch {
	case q.job != 0 && is(q.prospects):
		return b, problem(CodeBatchInvalid, "", FieldProblem{"job", "conflicts with prospects", "specify either job or prospects"})
	case q.job != 0 || is(q.prospects):
	case errors.Is(unread, input.ErrLongList):
		return b, problem(CodeBatchInvalid, "", FieldProblem{"job", "must come before the candidates", fmt.Sprintf("in a body of more than %d MiB, put job or prospects before candidates or in the query", input.ReadAhead>>20)})
	case unread != nil:
		return b, unread
	default:
		return b, problem(CodeBatchInvalid, "", FieldProblem{"job", "is missing", "specify either job or prospects"})
	}
	b.Target.Job = q.job
	b.Options = input.Options{GenerateDummyEmails: is(q.dummies), IncludePreviouslyExported: is(q.again)}
	return b, nil
}

// take adds the parameters in the body. A parameter in both places must have the same value.
func (q *exportQuery) take(body input.Request) error {
	var twice []FieldProblem
	differs := func(field string) {
		twice = append(twice, FieldProblem{field, "is one thing in the query and another in the body", "give it once"})
	}
	if body.Job != nil {
		if *body.Job <= 0 {
			return problem(CodeBatchInvalid, "", FieldProblem{"job", "is not a system ID", "use the number in the job's URL"})
		}
		if q.job != 0 && q.job != *body.Job {
			differs("job")
		}
		q.job = *body.Job
	}
	for _, option := range []struct {
		name   string
		have   **bool
		inBody *bool
	}{
		{"prospects", &q.prospects, body.Prospects},
		{"options.generate_dummy_emails", &q.dummies, body.Options.GenerateDummyEmails},
		{"options.include_previously_exported", &q.again, body.Options.IncludePreviouslyExported},
	} {
		switch {
		case option.inBody == nil:
		case *option.have != nil && **option.have != *option.inBody:
			differs(option.name)
		default:
			*option.have = option.inBody
		}
	}
	if len(twice) > 0 {
		return problem(CodeBatchInvalid, "", twice...)
	}
	return nil
}

func is(b *bool) bool { return b != nil && *b }

// started is input whose first row was read.
type started struct {
	all  iter.Seq2[input.Candidate, error]
	stop func()
}

// begun reads the first row before anything is submitted, so that empty or unreadable input is
// refused.
func begun(rows iter.Seq2[input.Candidate, error]) (started, error) {
	next, stop := iter.Pull2(rows)
	first, firstErr, ok := next()
	if _, row := errors.AsType[*input.RowError](firstErr); firstErr != nil && !row {
		stop()
		return started{}, firstErr
	}
	if !ok {
		stop()
		return started{}, problem(CodeBatchInvalid, "", FieldProblem{"candidates", "are missing", "send at least one"})
	}
	return started{stop: stop, all: func(yield func(input.Candidate, error) bool) {
		for c, err := first, firstErr; ok; c, err, ok = next() {
			if !yield(c, err) {
				return
			}
		}
	}}, nil
}

// mediaTypeOf returns the content type of a request, if exports accept it.
func mediaTypeOf(r *http.Request) (string, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || charset != "" && charset != "utf-8" && charset != "us-ascii" || r.Header.Get("Content-Encoding") != "" {
		return "", problem(CodeMediaType, "Send JSON, NDJSON or CSV in UTF-8, not compressed.")
	}
	switch kind {
	case mediaJSON, mediaNDJSON, mediaCSV, mediaTSV:
		return kind, nil
	case "application/jsonl", "application/ndjson":
		return mediaNDJSON, nil
	}
	return "", problem(CodeMediaType, "Send "+strings.Join([]string{mediaJSON, mediaNDJSON, mediaCSV, mediaTSV}, ", ")+".")
}

// requestSchema describes the body as one JSON object.
func requestSchema(schemas huma.Registry) *huma.Schema {
	flag := func(description string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeBoolean, Default: false, Description: description}
	}
	return &huma.Schema{
		Type: huma.TypeObject, Required: []string{"candidates"}, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{
			"job":       {Type: huma.TypeInteger, Format: "int64", Minimum: new(1.0), Description: "System ID of the job."},
			"prospects": flag("Export without a job."),
			"options": {Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{
				"generate_dummy_emails":       flag("Generate dummy email addresses for candidates without one."),
				"include_previously_exported": flag("Include previously exported candidates."),
			}},
			"candidates": {Type: huma.TypeArray, Items: schemaOf(schemas, input.Candidate{}), Description: "If longer than 4 MiB, it must be the last member."},
		},
	}
}
