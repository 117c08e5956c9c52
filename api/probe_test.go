package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seekout/icims-export/store"
)

// probeInput has one of each kind of input field.
type probeInput struct {
	CustomerPath

	Limit   int       `query:"limit" minimum:"1" maximum:"100" default:"10"`
	Since   time.Time `query:"since"`
	Kind    string    `query:"kind" enum:"one,two"`
	IfMatch string    `header:"If-Match" maxLength:"20"`
	Body    struct {
		Name   string `json:"name" minLength:"1" maxLength:"20"`
		Email  string `json:"email,omitempty" format:"email"`
		Limits struct {
			InFlight int `json:"in_flight,omitempty" minimum:"1" maximum:"1000"`
		} `json:"limits,omitzero"`
		Tags  []string       `json:"tags,omitempty" maxItems:"3"`
		Extra map[string]int `json:"extra,omitempty"`
		Why   string         `json:"why,omitempty"`
	}
}

type probeOutput struct {
	Body struct {
		Name string `json:"name"`
	}
}

// probe contains the handlers of test routes.
type probe struct {
	response func(context.Context, *probeInput) (*probeOutput, error)
	stream   func(http.ResponseWriter, *http.Request)
}

// withProbes adds test routes: one with a JSON body, and a streamed one.
func (r *rig) withProbes() *probe {
	r.known(mine)
	p := &probe{}
	register(r.Server, op{
		ID: "probe", Method: http.MethodPut, Path: "/v1/customers/{customer}/probe", Summary: "Probe", Tags: []string{"probe"}, Scope: ScopeOperate, Changes: true,
	}, func(ctx context.Context, in *probeInput) (*probeOutput, error) {
		if p.response != nil {
			return p.response(ctx, in)
		}
		out := &probeOutput{}
		out.Body.Name = in.Body.Name
		return out, nil
	})
	registerRaw(r.Server, op{
		ID: "probe-stream", Method: http.MethodPost, Path: "/v1/customers/{customer}/batches/{batch}/probe", Summary: "Probe", Tags: []string{"probe"}, Scope: ScopeExport, Changes: true,
	}, huma.Operation{
		Parameters:  []*huma.Param{{Name: "limit", In: "query", Schema: &huma.Schema{Type: huma.TypeString}}},
		RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{"text/csv": {}, "application/x-ndjson": {}}},
		Responses:   map[string]*huma.Response{"200": {Description: "OK"}},
	}, func(w http.ResponseWriter, req *http.Request) {
		if p.stream != nil {
			p.stream(w, req)
			return
		}
		if _, err := io.Copy(w, req.Body); err != nil {
			r.refuse(w, req, err)
		}
	})
	return p
}

const (
	probePath  = "/v1/customers/" + mine + "/probe"
	streamPath = "/v1/customers/" + mine + "/batches/" + mine + "-abcdefgh234567ij/probe"
)

// Each invalid field is named; values and unknown names are not repeated.
func TestInvalidFieldsAreNamed(t *testing.T) {
	r := newRig(t, withoutRateLimits)
	r.withProbes()
	key := r.key(ScopeOperate, mine)
	for name, tt := range map[string]struct {
		query, body string
		want        []FieldProblem
	}{
		"a field is missing": {"", `{}`, []FieldProblem{{"name", "is missing", "add it"}}},
		"a field is too long": {"", `{"name":"` + strings.Repeat("x", 21) + `"}`, []FieldProblem{
			{"name", "is too long", "use at most 20 characters"},
		}},
		"a field is empty that must not be":   {"", `{"name":""}`, []FieldProblem{{"name", "is missing", "add it"}}},
		"a number is too large, further down": {"", `{"name":"a","limits":{"in_flight":2000}}`, []FieldProblem{{"limits.in_flight", "is too large", "use at most 1000"}}},
		"a number is none":                    {"", `{"name":"a","limits":{"in_flight":"` + canary + `"}}`, []FieldProblem{{"limits.in_flight", "must be an integer", "use an integer"}}},
		"an item of a list has another type":  {"", `{"name":"a","tags":["b",7]}`, []FieldProblem{{"tags[1]", "must be a string", "use a string"}}},
		"a list has too many items":           {"", `{"name":"a","tags":["b","c","d","e"]}`, []FieldProblem{{"tags", "has too many items", "use at most 3"}}},
		"a value of a map has another type":   {"", `{"name":"a","extra":{"` + canary + `":"x"}}`, []FieldProblem{{"extra.*", "must be an integer", "use an integer"}}},
		"an address is none":                  {"", `{"name":"a","email":"` + canary + `"}`, []FieldProblem{{"email", "is not an email address", "use an address such as name@example.com"}}},
		"a field is not known": {"", `{"name":"a","` + canary + `":1}`, []FieldProblem{
			{"body", "has an unknown field", "remove it; known fields are email, extra, limits, name, tags, why"},
		}},
		"a field is not known, further down": {"", `{"name":"a","limits":{"` + canary + `":1}}`, []FieldProblem{
			{"limits", "has an unknown field", "remove it; known fields are in_flight"},
		}},
		"a name looks like a path": {"", `{"name":"a","limits.in_flight":1}`, []FieldProblem{
			{"body", "has an unknown field", "remove it; see the OpenAPI document for known fields"},
		}},
		"the body is a list": {"", `["` + canary + `"]`, []FieldProblem{{"body", "must be an object", "use an object"}}},
		"a parameter is not known": {"?" + canary + "=1", `{"name":"a"}`, []FieldProblem{
			{"query", "has an unknown field", "remove it; known fields are kind, limit, since"},
		}},
		"a parameter is no number":       {"?limit=" + canary, `{"name":"a"}`, []FieldProblem{{"query.limit", "must be an integer", "use an integer"}}},
		"a parameter is too small":       {"?limit=0", `{"name":"a"}`, []FieldProblem{{"query.limit", "is too small", "use at least 1"}}},
		"a parameter is no time":         {"?since=" + canary, `{"name":"a"}`, []FieldProblem{{"query.since", "is not a valid time", "use a time such as 2026-11-22T15:04:05Z"}}},
		"a parameter is none of a list":  {"?kind=" + canary, `{"name":"a"}`, []FieldProblem{{"query.kind", "is not an allowed value", "use one of one, two"}}},
		"a number does not fit the type": {"", `{"name":"a","limits":{"in_flight":1e300}}`, []FieldProblem{{"limits.in_flight", "is too large", "use at most 1000"}}},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.call(key, http.MethodPut, probePath+tt.query, tt.body)
			got := a.problem(CodeInvalid).Errors
			sorted := cmpopts.SortSlices(func(x, y FieldProblem) bool { return x.Field < y.Field })
			if diff := cmp.Diff(tt.want, got, sorted); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(string(a.body), canary) {
				t.Errorf("it repeats what was sent: %s", a.body)
			}
		})
	}
}

func TestBodiesAreRefused(t *testing.T) {
	r := newRig(t, withoutRateLimits)
	r.withProbes()
	key, exporter := r.key(ScopeOperate, mine), r.key(ScopeExport, mine)
	r.call(key, http.MethodPut, probePath, nil).problem(CodeMalformed)
	r.call(key, http.MethodPut, probePath, `{"name":`).problem(CodeMalformed)
	r.call(key, http.MethodPut, probePath, `{"name":"`+strings.Repeat("x", DefaultMaxBody)+`"}`).problem(CodeTooLarge)
	r.call(key, http.MethodPut, probePath, `{"name":"a"}`, "Content-Type", "text/plain").problem(CodeMediaType)
	r.call(exporter, http.MethodPost, streamPath, "a,b\n", "Content-Type", "text/plain").problem(CodeMediaType)
	r.call(exporter, http.MethodPost, streamPath+"?what=1", "a,b\n", "Content-Type", "text/csv").problem(CodeInvalid)
	r.call(exporter, http.MethodPost, streamPath+"?%zz", "a,b\n", "Content-Type", "text/csv").problem(CodeInvalid)
	if a := r.call(exporter, http.MethodPost, streamPath+"?limit=1", "a,b\n", "Content-Type", "text/csv; charset=utf-8"); string(a.body) != "a,b\n" {
		t.Errorf("got %s", a.body)
	}
	small := newRig(t, func(d *Deps) { d.Settings.MaxUpload = 1000 })
	small.withProbes()
	small.call(small.key(ScopeExport), http.MethodPost, streamPath, strings.NewReader(strings.Repeat("x", 1001)), "Content-Type", "text/csv").is(http.StatusOK, nil)
}

func TestChangesAreLoggedBeforeTheyAreMade(t *testing.T) {
	r := newRig(t, withoutRateLimits)
	p := r.withProbes()
	key, exporter := r.key(ScopeOperate, mine), r.key(ScopeExport, mine)
	entries := func() []store.AuditLogEntry {
		t.Helper()
		page, err := r.Ledger.AuditLog.Page(t.Context(), store.AuditLogFilter{})
		if err != nil {
			t.Fatal(err)
		}
		return page.Entries
	}
	outcomes := func() (all []store.AuditLogOutcome) {
		for _, e := range entries() {
			all = append(all, e.Outcome)
		}
		return all
	}
	var before []store.AuditLogOutcome
	p.response = func(ctx context.Context, in *probeInput) (*probeOutput, error) {
		before = outcomes()
		switch in.Body.Name {
		case "refused":
			return nil, problem(CodeConnectionExists, "")
		case "broken":
			return nil, errors.New("no such luck")
		case "panics":
			panic("no such luck")
		}
		noteOf(ctx).Object = "thing 7"
		return &probeOutput{}, nil
	}
	p.stream = func(w http.ResponseWriter, req *http.Request) {
		before = outcomes()
		r.refuse(w, req, &store.BatchConflictError{Differs: store.DiffersInJob})
	}
	asked, done, refused, failed := store.JournalAsked, store.JournalDone, store.JournalRefused, store.JournalFailed
	var want []store.AuditLogOutcome
	step := func(name string, outcome store.AuditLogOutcome, call func() *reply) {
		t.Helper()
		before = nil
		call()
		if !cmp.Equal(before, append([]store.AuditLogOutcome{asked}, want...)) {
			t.Errorf("%s: while it was made the journal had %v", name, before)
		}
		want = append([]store.AuditLogOutcome{outcome, asked}, want...)
		if got := outcomes(); !cmp.Equal(got, want) {
			t.Errorf("%s: after it the journal has %v, want %v", name, got, want)
		}
	}
	put := func(name string) func() *reply {
		return func() *reply {
			return r.call(key, http.MethodPut, probePath, fmt.Sprintf(`{"name":%q,"why":"because"}`, name))
		}
	}
	step("a change", done, put("fine"))
	last := entries()[0]
	ignored := cmpopts.IgnoreFields(store.AuditLogEntry{}, "At", "Request", "Key")
	wantEntry := store.AuditLogEntry{Outcome: done, Who: "test operate", What: "probe", Customer: mine, Object: "thing 7", Why: "because"}
	if diff := cmp.Diff(wantEntry, last, ignored); diff != "" || last.Key == "" || last.Request != entries()[1].Request {
		t.Errorf("%+v %s", last, diff)
	}
	step("a refusal", refused, put("refused"))
	step("a failure", failed, put("broken"))
	step("a panic", failed, put("panics"))
	step("a stream's refusal", refused, func() *reply {
		return r.call(exporter, http.MethodPost, streamPath, "x", "Content-Type", "text/csv")
	})
	if e := entries()[0]; e.Object != mine+"-abcdefgh234567ij" || e.Code != string(CodeBatchConflict) {
		t.Errorf("%+v", e)
	}
	// A change that was not recorded was not made.
	r.call(key, http.MethodPut, probePath, `{}`).problem(CodeInvalid)
	r.call(exporter, http.MethodPut, probePath, `{"name":"a"}`).problem(CodeScopeMissing)
	if got := outcomes(); !cmp.Equal(got, want) {
		t.Errorf("the journal has %v, want %v", got, want)
	}
}

func TestNothingChangesWithoutAnAuditLogEntry(t *testing.T) {
	r := newRig(t)
	p := r.withProbes()
	made := false
	p.response = func(context.Context, *probeInput) (*probeOutput, error) { made = true; return &probeOutput{}, nil }
	p.stream = func(http.ResponseWriter, *http.Request) { made = true }
	key, exporter := r.key(ScopeOperate, mine), r.key(ScopeExport, mine)
	r.call(key, http.MethodGet, "/v1/whoami", nil).is(http.StatusOK, nil)
	r.call(exporter, http.MethodGet, "/v1/whoami", nil).is(http.StatusOK, nil)
	// A Redis that reads but does not write, as after a disk failure.
	if err := r.redis.ConfigSet(t.Context(), "min-replicas-to-write", "1").Err(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.redis.ConfigSet(context.Background(), "min-replicas-to-write", "0") })
	for _, a := range []*reply{
		r.call(key, http.MethodPut, probePath, `{"name":"a"}`),
		r.call(exporter, http.MethodPost, streamPath, "x", "Content-Type", "text/csv"),
	} {
		if a.problem(CodeUnavailable); a.Header.Get("Retry-After") == "" {
			t.Error("the answer does not say when to ask again")
		}
	}
	if made {
		t.Error("the change was made")
	}
}

// An unexpected error appears only in the log, and there without its text.
func TestUnexpectedErrorsRevealNothing(t *testing.T) {
	r := newRig(t)
	p := r.withProbes()
	key := r.key(ScopeOperate)
	for name, response := range map[string]func(context.Context, *probeInput) (*probeOutput, error){
		"an error": func(context.Context, *probeInput) (*probeOutput, error) {
			return nil, fmt.Errorf("person %w", errors.New(canary))
		},
		"a panic": func(context.Context, *probeInput) (*probeOutput, error) { panic(canary) },
	} {
		t.Run(name, func(t *testing.T) {
			p.response = response
			a := r.call(key, http.MethodPut, probePath, `{"name":"`+canary+`"}`)
			id := a.problem(CodeInternal).RequestID
			if strings.Contains(string(a.body), canary) || strings.Contains(r.log.String(), canary) {
				t.Errorf("it is told: %s\n%s", a.body, r.log)
			}
			if !strings.Contains(r.log.String(), `"request":"`+id+`"`) {
				t.Error("the log does not know the request")
			}
		})
	}
	t.Run("a panic during a response aborts it", func(t *testing.T) {
		p.stream = func(w http.ResponseWriter, _ *http.Request) {
			w.Write(bytes.Repeat([]byte("x"), 1<<16))
			panic(canary)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+streamPath, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+r.key(ScopeExport))
		response, err := r.server.Client().Do(req)
		if err != nil {
			return
		}
		defer response.Body.Close()
		if _, err := io.ReadAll(response.Body); err == nil {
			t.Error("the answer looks whole")
		}
	})
}
