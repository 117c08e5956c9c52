package api

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

// connect gives a customer a connection. No worker uses it.
func (r *rig) connect(customer string) {
	r.t.Helper()
	conn := store.Connection{
		Customer: customer, Username: "export-user", Password: "hunter2-hunter2",
		PortalURLs: "https://api.icims.com/customers/" + customer + "/search/portals/1?staleness=0",
	}
	if _, err := r.Ledger.Connections.Add(r.t.Context(), conn, "a test", ""); err != nil {
		r.t.Fatal(err)
	}
}

func row(id string) string {
	return fmt.Sprintf(`{"id":%q,"first_name":"Ottoline","last_name":"Quillfeather","email":"%s@example.com"}`, id, id)
}

const noEmail = `{"id":"c-bare","first_name":"Ottoline","last_name":"Quillfeather"}`

func TestExportsAreAcceptedInEveryForm(t *testing.T) {
	t.Parallel()
	csv := "id,first_name,last_name,email\nc-1,Ottoline,Quillfeather,c-1@example.com\nc-2,Ottoline,Quillfeather,\n"
	specs := []struct {
		name, query, contentType, body string
		job                            int64
		accepted, refused, dummies     int
	}{
		{"NDJSON to a job", "?job=1709", "application/x-ndjson", row("c-1") + "\n" + noEmail + "\n", 1709, 1, 1, 0},
		{"NDJSON to no job, with dummy addresses", "?prospects=true&generate_dummy_emails=true", "application/x-ndjson; charset=UTF-8", row("c-1") + "\n" + noEmail, 0, 2, 0, 1},
		{"CSV", "?job=1709", "text/csv; charset=utf-8", csv, 1709, 1, 1, 0},
		{"values separated by tabs", "?job=1709", "text/tab-separated-values", strings.ReplaceAll(csv, ",", "\t"), 1709, 1, 1, 0},
		{"one JSON object", "", "application/json", `{"job":1709,"options":{"generate_dummy_emails":true},"candidates":[` + row("c-1") + `,` + noEmail + `]}`, 1709, 2, 0, 1},
		{"a JSON array, with the target in the query", "?job=1709", "application/json", `[` + row("c-1") + `]`, 1709, 1, 0, 0},
		{"the same in query and body", "?job=1709", "application/json", `{"job":1709,"candidates":[` + row("c-1") + `]}`, 1709, 1, 0, 0},
	}
	for _, s := range specs {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.connect("1234")
			a := r.call(r.key(ScopeExport, "1234"), http.MethodPost, "/v1/customers/1234/exports"+s.query, s.body, "Content-Type", s.contentType)
			var sent Sent
			a.is(http.StatusAccepted, &sent)
			if sent.Accepted != s.accepted || sent.RefusedRows != s.refused || len(sent.Refused) != s.refused || sent.Dummies != s.dummies {
				t.Errorf("receipt %+v", sent)
			}
			for _, refused := range sent.Refused {
				if p := refused.Problems[0]; p.Field != "email" || p.Code == "" || p.Remedy == "" {
					t.Errorf("refused: %+v", p)
				}
			}
			if sent.Forecast == nil || sent.Forecast.Calls == 0 || len(sent.Waits) == 0 {
				t.Errorf("forecast %+v, waits %q: no worker runs", sent.Forecast, sent.Waits)
			}
			if where := a.Header.Get("Location"); where != "/v1/customers/1234/batches/"+string(sent.Batch) {
				t.Errorf("it is to be found at %s", where)
			}
			b, err := r.Ledger.Batches.Get(t.Context(), sent.Batch)
			if err != nil || b.Accepted != s.accepted || b.Refused != s.refused || b.Job != s.job || b.Closed.IsZero() {
				t.Errorf("batch %+v, %v", b, err)
			}
		})
	}
}

func TestExportsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	r.connect("77")
	if err := r.Ledger.Connections.Remove(t.Context(), "77", 0, "a test", ""); err != nil {
		t.Fatal(err)
	}
	key := r.key(ScopeExport)
	const path = "/v1/customers/1234/exports"
	specs := []struct {
		name, path, contentType, body string
		code                          Code
		field                         string
	}{
		{"without a target", path, "application/x-ndjson", row("c-1"), CodeBatchInvalid, "job"},
		{"with two targets", path + "?job=1&prospects=true", "application/x-ndjson", row("c-1"), CodeBatchInvalid, "job"},
		{"with one target in the query and another in the body", path + "?job=1", "application/json", `{"job":2,"candidates":[]}`, CodeBatchInvalid, "job"},
		{"with an option that differs", path + "?job=1&generate_dummy_emails=true", "application/json", `{"options":{"generate_dummy_emails":false},"candidates":[]}`, CodeBatchInvalid, "options.generate_dummy_emails"},
		{"with a job that is none", path + "?job=acme", "application/json", `[]`, CodeInvalid, "query.job"},
		{"with a job that is none in the body", path, "application/json", `{"job":-1,"candidates":[]}`, CodeBatchInvalid, "job"},
		{"with a flag that is none", path + "?job=1&dry_run=yes", "application/json", `[]`, CodeInvalid, "query.dry_run"},
		{"with a parameter given twice", path + "?job=1&job=2", "application/json", `[]`, CodeInvalid, "query.job"},
		{"with a parameter that is not known", path + "?job=1&hunter2=hunter2", "application/json", `[]`, CodeInvalid, "query"},
		{"without candidates", path + "?job=1", "application/x-ndjson", "\n\n", CodeBatchInvalid, "candidates"},
		{"with an empty list", path + "?job=1", "application/json", `[]`, CodeBatchInvalid, "candidates"},
		{"with something else than JSON", path + "?job=1", "application/json", `hunter2`, CodeBatchInvalid, "body"},
		{"with a member that is not known", path + "?job=1", "application/json", `{"hunter2":1,"candidates":[]}`, CodeBatchInvalid, "body"},
		{"of a kind that is not understood", path + "?job=1", "application/xml", `<hunter2/>`, CodeMediaType, ""},
		{"in another encoding", path + "?job=1", "text/csv; charset=latin1", `hunter2`, CodeMediaType, ""},
		{"of a customer without a connection", "/v1/customers/99/exports?job=1", "application/x-ndjson", row("c-1"), CodeNoConnection, ""},
		{"of a customer whose connection was removed", "/v1/customers/77/exports?job=1", "application/x-ndjson", row("c-1"), CodeNoConnection, ""},
	}
	for _, s := range specs {
		t.Run(s.name, func(t *testing.T) {
			a := r.call(key, http.MethodPost, s.path, s.body, "Content-Type", s.contentType)
			p := a.problem(s.code)
			if s.field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != s.field || p.Errors[0].Remedy == "") {
				t.Errorf("errors %+v, want one of %s with a remedy", p.Errors, s.field)
			}
			if strings.Contains(string(a.body), "hunter2") {
				t.Errorf("it repeats what was sent: %s", a.body)
			}
		})
	}
	r.call(key, http.MethodPost, path+"?job=1", row("c-1"), "Content-Type", "application/x-ndjson", "Idempotency-Key", strings.Repeat("k", 257)).problem(CodeInvalid)
	r.call(r.key(ScopeRead), http.MethodPost, path+"?job=1", row("c-1")).problem(CodeScopeMissing)
	if batches, _, _ := r.Ledger.Batches.Page(t.Context(), "1234", "", 10); len(batches) != 0 {
		t.Errorf("%d batches were opened", len(batches))
	}
}

func TestIdempotencyKeyMakesOneBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key := r.key(ScopeExport)
	send := func(query, body string) *reply {
		return r.call(key, http.MethodPost, "/v1/customers/1234/exports"+query, body, "Content-Type", "application/x-ndjson", "Idempotency-Key", "shortlist-42")
	}
	var first, again Sent
	send("?job=7", row("c-1")).is(http.StatusAccepted, &first)
	send("?job=7", row("c-1")).is(http.StatusOK, &again)
	if again.Batch != first.Batch || again.Again != 1 || !again.Known {
		t.Errorf("sent again: %+v", again)
	}
}

// If a batch differs from the one with the same key, the response names the differences, and
// nothing is accepted.
func TestReusedIdempotencyKeyIsRefusedWithTheDifference(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key := r.key(ScopeExport, "1234")
	send := func(query, body, kind string) *reply {
		return r.call(key, http.MethodPost, "/v1/customers/1234/exports"+query, body, "Content-Type", kind, "Idempotency-Key", "k")
	}
	const refused = `{"id":"c-9","first_name":"Ana","last_name":"Duarte"}`
	rows := []string{row("c-1"), refused, row("c-2")}
	var first, again Sent
	send("?job=7", strings.Join(rows, "\n"), mediaNDJSON).is(http.StatusAccepted, &first)
	other := `{"id":"c-2","first_name":"Ana","last_name":"Duarte","email":"other@example.com"}`
	csv := func(rows ...string) string { return "id,first_name,last_name,email\n" + strings.Join(rows, "\n") }
	for name, c := range map[string]struct{ query, body, kind, field, detail string }{
		"another job":        {"?job=8", strings.Join(rows, "\n"), mediaNDJSON, "job", "goes to job 7"},
		"no job":             {"?prospects=true", strings.Join(rows, "\n"), mediaNDJSON, "job", "goes to job 7"},
		"an option":          {"?job=7&generate_dummy_emails=true", strings.Join(rows, "\n"), mediaNDJSON, "options.generate_dummy_emails", "another generate_dummy_emails"},
		"another address":    {"?job=7", strings.Join([]string{rows[0], rows[1], other}, "\n"), mediaNDJSON, "candidates[2]", "Row 3 differs from"},
		"a corrected row":    {"?job=7", strings.Join([]string{rows[0], row("c-9"), rows[2]}, "\n"), mediaNDJSON, "candidates[1]", "Row 2 differs from"},
		"a row more":         {"?job=7", strings.Join(append(slices.Clone(rows), row("c-3")), "\n"), mediaNDJSON, "candidates", "complete with 3 rows"},
		"a row less":         {"?job=7", strings.Join(rows[:2], "\n"), mediaNDJSON, "candidates", "has 3 rows, and fewer were sent"},
		"other rows in CSV":  {"?job=7", csv("c-1,Ana,Duarte,other@example.com"), mediaCSV, "candidates[0]", "Row 1 differs from"},
		"other rows in JSON": {"", `{"job":7,"candidates":[` + rows[0] + `,` + rows[2] + `]}`, mediaJSON, "candidates[1]", "Row 2 differs from"},
	} {
		t.Run(name, func(t *testing.T) {
			p := send(c.query, c.body, c.kind).problem(CodeBatchConflict)
			if !strings.Contains(p.Detail, c.detail) || !strings.Contains(p.Detail, "Nothing was accepted.") || p.Receipt != nil {
				t.Errorf("%+v", p)
			}
			if len(p.Errors) != 1 || p.Errors[0].Field != c.field || !strings.Contains(p.Errors[0].Remedy, "another Idempotency-Key") {
				t.Errorf("%+v", p.Errors)
			}
			b, err := r.Ledger.Batches.Get(t.Context(), first.Batch)
			if err != nil || b.Accepted != 2 || b.Refused != 1 {
				t.Errorf("the batch is %+v, %v", b, err)
			}
		})
	}
	// The same candidates are the same rows in another format.
	send("", `{"candidates":[`+strings.Join(rows, ",")+`],"job":7}`, mediaJSON).is(http.StatusOK, &again)
	if again.Batch != first.Batch || again.Again != 2 || again.RefusedRows != 1 {
		t.Errorf("in another form: %+v", again)
	}
}

// An ended batch is not extended by a later request, so followers can rely on its end.
func TestEndedBatchIsNotExtended(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key := r.key(ScopeExport)
	send := func(body string) *reply {
		return r.call(key, http.MethodPost, "/v1/customers/1234/exports?job=7", body, "Content-Type", mediaNDJSON, "Idempotency-Key", "k")
	}
	var sent Sent
	send(row("c-1")).is(http.StatusAccepted, &sent)
	ref := store.Ref{Customer: "1234", Export: r.Ledger.Keys().ExportID(string(sent.Batch), "c-1")}
	r.finish(ref, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 7, Workflow: 3})
	events := string(r.call(r.key(ScopeRead), http.MethodGet, "/v1/customers/1234/batches/"+string(sent.Batch)+"/events", nil).body)
	if !strings.Contains(events, "event: end") {
		t.Fatalf("the batch has not ended: %s", events)
	}
	send(row("c-1") + "\n" + row("c-2")).problem(CodeBatchConflict)
	send(row("c-2")).problem(CodeBatchConflict)
	b, err := r.Ledger.Batches.Get(t.Context(), sent.Batch)
	if err != nil || b.Accepted != 1 || b.Ended.IsZero() {
		t.Errorf("it is %+v, %v", b, err)
	}
}

func TestIdempotencyKeyCompletesBrokenUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key := r.key(ScopeExport)
	const rows = 1200
	var all bytes.Buffer
	for i := range rows {
		all.WriteString(row(fmt.Sprintf("c-%d", i)) + "\n")
	}
	send := func(body io.Reader) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+"/v1/customers/1234/exports?job=7", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/x-ndjson")
		req.Header.Set("Idempotency-Key", "k")
		return r.server.Client().Do(req)
	}
	half := io.MultiReader(bytes.NewReader(all.Bytes()[:all.Len()/2]), brokenReader{})
	if response, err := send(half); err == nil {
		response.Body.Close()
		t.Fatal("the broken upload was answered", response.Status)
	}
	id := store.BatchID(r.Ledger.Keys().BatchID("1234", "k"))
	var left store.Batch
	testrig.Eventually(t, "the broken batch is closed", func() bool {
		var err error
		left, err = r.Ledger.Batches.Get(t.Context(), id)
		return err == nil && !left.Closed.IsZero()
	})
	if left.Accepted == 0 || left.Accepted >= rows {
		t.Errorf("%d of %d were accepted before it broke off", left.Accepted, rows)
	}
	response, err := send(&all)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	whole, err := r.Ledger.Batches.Get(t.Context(), id)
	if err != nil || response.StatusCode != http.StatusAccepted || whole.Accepted != rows {
		t.Errorf("%s, %d accepted, %v", response.Status, whole.Accepted, err)
	}
	if live, _ := r.Ledger.Recovery.Live(t.Context(), "1234"); live != rows {
		t.Errorf("%d exports move, want %d", live, rows)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestTooLargeBodyReportsAcceptedRows(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(d *Deps) { d.Settings.MaxUpload = 100_000 })
	r.connect("1234")
	var all strings.Builder
	for i := range 2000 {
		all.WriteString(row(fmt.Sprintf("c-%d", i)) + "\n")
	}
	p := r.call(r.key(ScopeExport), http.MethodPost, "/v1/customers/1234/exports?job=7", all.String(), "Content-Type", "application/x-ndjson", "Idempotency-Key", "k").problem(CodeTooLarge)
	id := store.BatchID(r.Ledger.Keys().BatchID("1234", "k"))
	b, err := r.Ledger.Batches.Get(t.Context(), id)
	if err != nil || b.Accepted == 0 || b.Closed.IsZero() {
		t.Fatalf("batch %+v, %v", b, err)
	}
	if want := fmt.Sprintf("%s were accepted into batch %s", prose.Plural(b.Accepted, "candidate"), id); !strings.Contains(p.Detail, want) {
		t.Errorf("detail %q, want %q", p.Detail, want)
	}
}

func TestDryRunSubmitsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key := r.key(ScopeExport)
	done := r.accept("1234", 7, "c-1")
	r.finish(done[0], store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17})
	before, _, err := r.Ledger.Batches.Page(t.Context(), "1234", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	body := row("c-1") + "\n" + row("c-2") + "\n" + noEmail + "\n"
	var out DryRun
	r.call(key, http.MethodPost, "/v1/customers/1234/exports?job=7&dry_run=true", body, "Content-Type", "application/x-ndjson").is(http.StatusOK, &out)
	if !out.DryRun || out.Accepted != 2 || out.Estimate.Candidates != 1 || out.Estimate.Skipped != 1 || out.RefusedRows != 1 || out.Estimate.Least != 3 || out.Forecast.Calls == 0 {
		t.Errorf("%+v", out)
	}
	if f, e := out.Forecast, out.Estimate; f.Calls < e.Least || f.Calls > e.Most {
		t.Errorf("%d calls to go lie outside of %d to %d", f.Calls, e.Least, e.Most)
	}
	if len(out.Skips) != 1 || out.Skips[0].Candidate != "c-1" || out.Skips[0].Person != 17 || out.Skips[0].At.IsZero() {
		t.Errorf("who would be skipped: %+v", out.Skips)
	}
	if len(out.Requests) != 1 || out.Requests[0].Candidate != "c-2" || out.Requests[0].Person["firstname"] != "Ottoline" || out.Requests[0].Workflow["baseprofile"] == nil {
		t.Errorf("what would be sent: %+v", out.Requests)
	}
	out = DryRun{}
	r.call(key, http.MethodPost, "/v1/customers/1234/exports?job=7&dry_run=true&include_previously_exported=true", body, "Content-Type", "application/x-ndjson").is(http.StatusOK, &out)
	if out.Estimate.Candidates != 2 || len(out.Skips) != 0 || len(out.Requests) != 2 {
		t.Errorf("with those exported before: %+v", out.Estimate)
	}
	var many strings.Builder
	for i := range 10 {
		many.WriteString(row(fmt.Sprintf("m-%d", i)) + "\n")
	}
	out = DryRun{}
	r.call(key, http.MethodPost, "/v1/customers/1234/exports?prospects=true&dry_run=true", many.String(), "Content-Type", "application/x-ndjson").is(http.StatusOK, &out)
	if len(out.Requests) != sampledRequests || out.Requests[0].Workflow != nil {
		t.Errorf("of ten prospects %d are shown, with workflow %v", len(out.Requests), out.Requests[0].Workflow)
	}
	after, _, err := r.Ledger.Batches.Page(t.Context(), "1234", "", 10)
	if err != nil || len(after) != len(before) {
		t.Errorf("there were %d batches, now %d, %v", len(before), len(after), err)
	}
	if entries := r.journal("create-export"); len(entries) != 0 {
		t.Errorf("dry runs are in the journal: %+v", entries)
	}
}

func TestExportIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	var sent Sent
	r.call(r.key(ScopeExport), http.MethodPost, "/v1/customers/1234/exports?job=7", row("c-1"), "Content-Type", "application/x-ndjson").is(http.StatusAccepted, &sent)
	entries := r.journal("create-export")
	if len(entries) != 2 || entries[0].Outcome != store.JournalDone || entries[0].Object != string(sent.Batch) || entries[1].Outcome != store.JournalAsked || entries[1].Customer != "1234" {
		t.Errorf("%+v", entries)
	}
}

func TestBodyWithoutValidRowsCreatesNoBatch(t *testing.T) {
	r := newRig(t)
	r.withConnection(mine)
	key := r.key(ScopeExport)
	path := "/v1/customers/" + mine + "/exports?job=1709"
	for name, s := range map[string]struct{ contentType, body, field string }{
		"NDJSON that is no JSON":       {"application/x-ndjson", "hunter2\nnot JSON\n", "candidates[0]"},
		"NDJSON without addresses":     {"application/x-ndjson", `{"id":"c-1","first_name":"A","last_name":"B"}` + "\n", "candidates[0].email"},
		"JSON with bad candidates":     {"application/json", `{"candidates":[{"id":"c-1"},7]}`, "candidates[0]"},
		"an array of bad candidates":   {"application/json", `[{"id":"c-1"}]`, "candidates[0]"},
		"CSV without usable addresses": {"text/csv", "id,first_name,last_name,email\nc-1,A,B,hunter2\n", "candidates[0].email"},
	} {
		t.Run(name, func(t *testing.T) {
			p := r.call(key, http.MethodPost, path, s.body, "Content-Type", s.contentType, "Idempotency-Key", name).problem(CodeNothingAccepted)
			if len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Field, s.field) || p.Errors[0].Remedy == "" || p.Receipt == nil || len(p.Receipt.Refused) == 0 {
				t.Errorf("problem %+v", p)
			}
		})
	}
	if n, err := r.redis.Exists(t.Context(), "ix:{"+mine+"}:batches").Result(); err != nil || n != 0 {
		t.Errorf("batches were made (%v)", err)
	}
}

func TestBodyFieldsMayHaveAnyOrder(t *testing.T) {
	r := newRig(t)
	r.withConnection(mine)
	key := r.key(ScopeExport)
	path := "/v1/customers/" + mine + "/exports"
	const candidate = `{"id":"c-1","first_name":"A","last_name":"B"}`
	members := []string{`"candidates":[` + candidate + `]`, `"job":1709`, `"options":{"generate_dummy_emails":true}`}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		body := "{" + members[order[0]] + "," + members[order[1]] + "," + members[order[2]] + "}"
		var sent Sent
		r.call(key, http.MethodPost, path, body, "Content-Type", "application/json").is(http.StatusAccepted, &sent)
		b, err := r.Ledger.Batches.Get(t.Context(), sent.Batch)
		if err != nil || sent.Accepted != 1 || sent.Dummies != 1 || b.Job != 1709 {
			t.Errorf("%s: %+v, %+v, %v", body, sent, b, err)
		}
	}
	for body, want := range map[string]string{
		`{"candidates":[` + candidate + `]}`:                                         "is missing",
		`{"candidates":[` + candidate + `],"job":1709,"prospects":true}`:             "conflicts with prospects",
		`{"candidates":[` + candidate + strings.Repeat(" ", 5<<20) + `],"job":1709}`: "must come before the candidates",
	} {
		p := r.call(key, http.MethodPost, path, body, "Content-Type", "application/json").problem(CodeBatchInvalid)
		if len(p.Errors) != 1 || p.Errors[0].Field != "job" || p.Errors[0].Problem != want {
			t.Errorf("%.60s: %+v", body, p.Errors)
		}
	}
}
