package icims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func body(t *testing.T, r *http.Request) string {
	t.Helper()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

func TestEmailSearch(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("POST /customers/1234/search/people", func(w http.ResponseWriter, r *http.Request) {
		want := `{"filters":[{"name":"person.email","value":["a@example.com"],"operator":"=="},{"name":"person.email","value":["b@example.com"],"operator":"=="}],"operator":"|"}`
		if got := body(t, r); got != want {
			t.Errorf("body %s\nwant %s", got, want)
		}
		_, _ = io.WriteString(w, `{"searchResults":[{"id":2},{"id":"3"},{"self":"https://api.icims.com/customers/1/people/5/"},{"id":2}]}`)
	})
	ids, _, err := c.SearchPeople(t.Context(), EmailQuery(OpExact, " a@example.com", "", "b@example.com", "a@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]PersonID{2, 3, 5}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestPersonJobSearch(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("POST /customers/1234/search/applicantworkflows", func(w http.ResponseWriter, r *http.Request) {
		want := `{"filters":[{"name":"applicantworkflow.person.id","value":["90210"]},{"name":"applicantworkflow.job.id","value":["1709"]}],"operator":"\u0026"}`
		if got := body(t, r); got != want {
			t.Errorf("body %s\nwant %s", got, want)
		}
		_, _ = io.WriteString(w, `{"searchResults":[]}`)
	})
	ids, _, err := c.SearchWorkflows(t.Context(), PersonJobQuery(90210, 1709))
	if err != nil || len(ids) != 0 {
		t.Errorf("got %v, %v", ids, err)
	}
}

// TestWhatCountsAsNobodyFound: an empty result makes the caller create a person, so only an
// unambiguous response may be read as one.
func TestWhatCountsAsNobodyFound(t *testing.T) {
	tests := []struct {
		body string
		ok   bool
	}{
		{`{"searchResults":[]}`, true},
		{`{"searchResults":null}`, false},
		{`{"errors":[{"errorMessage":"No results.","errorCode":2}]}`, true},
		{`{"errors":[{"errorMessage":"x","errorCode":2},{"errorMessage":"y","errorCode":0}]}`, false},
		{`{"errors":[{"errorMessage":"x","errorCode":3}]}`, false},
		{`{}`, false},
		{`[]`, false},
		{`null`, false},
		{``, false},
		{`{"searchResults":{}}`, false},
		{`{"searchResults":[{}]}`, false},
		{`{"searchResults":[null]}`, false},
		{`{"searchResults":[{"id":0}]}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.body, func(t *testing.T) {
			c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(200, nil, tt.body)))
			ids, _, err := c.SearchPeople(t.Context(), EmailQuery(OpExact, "a@example.com"))
			if tt.ok != (err == nil) || len(ids) > 0 {
				t.Errorf("got %v, %v", ids, err)
			}
			if !tt.ok && (ClassOf(err) != ClassRetry || ReasonOf(err) != ReasonBadAnswer) {
				t.Errorf("got %v, want a retry for a bad answer", err)
			}
			if _, _, err := c.SearchPortal(t.Context(), "1", 0); (err == nil) != (tt.body == `{"searchResults":[]}`) {
				t.Errorf("portal: %v", err)
			}
		})
	}
}

func TestShapesOfNobody(t *testing.T) {
	for _, tt := range []struct {
		status, known int // known is the code of WithNobodyCode
		body          string
		shape         NobodyShape
		asked, used   bool // Nobody reads the shape; a search takes it for "nothing found"
	}{
		{200, 0, `{"searchResults":[]}`, NobodyShape{}, true, true},
		{200, 0, `{"errors":[{"errorMessage":"No results.","errorCode":2}]}`, NobodyShape{true, 2}, true, true},
		{404, 0, `{"errors":[{"errorMessage":"No results.","errorCode":2}]}`, NobodyShape{true, 2}, true, true},
		{200, 0, `{"errors":[{"errorMessage":"No results.","errorCode":9}]}`, NobodyShape{true, 9}, true, false},
		{200, 9, `{"errors":[{"errorMessage":"No results.","errorCode":9}]}`, NobodyShape{true, 9}, true, true},
		{200, 8, `{"errors":[{"errorMessage":"No results.","errorCode":9}]}`, NobodyShape{true, 9}, true, false},
		{200, 0, `{"errors":[{"errorMessage":"MESSAGE","errorCode":"CODE"}]}`, NobodyShape{true, CodeUnknown}, true, false},
		{200, CodeUnknown, `{"errors":[{"errorMessage":"MESSAGE","errorCode":"CODE"}]}`, NobodyShape{true, CodeUnknown}, true, true},
		{200, 0, `{"errors":[{"errorCode":2},{"errorCode":0}]}`, NobodyShape{}, false, false},
		{404, 0, `{"errors":[{"errorMessage":"No such path.","errorCode":404}]}`, NobodyShape{}, false, false},
		{404, 0, `<html>Not found</html>`, NobodyShape{}, false, false},
		{200, 0, `{}`, NobodyShape{}, false, false},
		{200, 0, `{"searchResults":[{"id":7}]}`, NobodyShape{}, false, true},
	} {
		t.Run(fmt.Sprintf("%d %s known as %d", tt.status, tt.body, tt.known), func(t *testing.T) {
			c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(tt.status, nil, tt.body)), WithNobodyCode(tt.known))
			q := EmailQuery(OpExact, "a@example.com")
			shape, _, err := c.Nobody(t.Context(), q)
			if shape != tt.shape || (err == nil) != tt.asked {
				t.Errorf("shape %+v, %v", shape, err)
			}
			if _, _, err := c.SearchPeople(t.Context(), q); (err == nil) != tt.used {
				t.Errorf("search: %v", err)
			}
		})
	}
}

// TestEmptyObjectsCountOnlyFromICIMS: a gateway may answer a read with an empty object.
func TestEmptyObjectsCountOnlyFromICIMS(t *testing.T) {
	for _, marked := range []bool{true, false} {
		t.Run(fmt.Sprintf("with the transaction header: %t", marked), func(t *testing.T) {
			header := http.Header{}
			if marked {
				header.Set("X-Transaction", "{2A06CCC7-D2CC-5C91-2591-89CF1FF4F939}")
			}
			c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(200, header, "{}")))
			unusable := func(err error) bool {
				e, ok := errors.AsType[*Error](err)
				return ok && e.Class == ClassRetry && e.Reason == ReasonBadAnswer
			}
			if _, _, err := c.Person(t.Context(), 90210); marked && err != nil || !marked && !unusable(err) {
				t.Errorf("person: %v", err)
			}
			_, _, err := c.PairWorkflow(t.Context(), 90210, 1709)
			if e, ok := errors.AsType[*Error](err); !ok || e.Missing() != marked || !marked && !unusable(err) {
				t.Errorf("workflow of a pair: %v", err)
			}
		})
	}
}

func TestPairWorkflow(t *testing.T) {
	const links = `"links":[{"rel":"self","url":"https://api.icims.com/customers/1234/applicantworkflows/21282"},{"rel":"self","url":"https://api.icims.com/customers/1234/jobs/1709"}]`
	for _, tt := range []struct {
		status        int
		body          string
		id            WorkflowID
		missing, fail bool
	}{
		{200, `{"baseprofile":{"id":1709},"associatedprofile":{"id":90210},` + links + `}`, 21282, false, false},
		{200, `{` + links + `}`, 21282, false, false},
		{200, `{"id":"21282"}`, 21282, false, false},
		{200, `{"id":21282,"associatedprofile":{"id":1}}`, 0, false, true},
		{200, `{"id":21282,"baseprofile":{"id":1}}`, 0, false, true},
		{200, `{}`, 0, false, true}, // without X-Transaction it may be a gateway's
		{200, `[]`, 0, false, true},
		{200, `{"searchResults": []}`, 0, true, true},
		{200, `{"errors":[{"errorMessage":"Workflow not found.","errorCode":2}]}`, 0, true, true},
		{200, `{"errors":[{"errorMessage":"Internal error.","errorCode":0}]}`, 0, false, true},
		{200, ``, 0, false, true},
		{200, `{"status":{"id":"D10100"}}`, 0, false, true},
		{404, `{"errors":[{"errorMessage":"Workflow not found.","errorCode":2}]}`, 0, true, true},
		{404, `{"errors":[{"errorMessage":"no route","errorCode":404}]}`, 0, false, true},
		{404, `<html>Not found</html>`, 0, false, true},
	} {
		t.Run(fmt.Sprintf("%d %s", tt.status, tt.body), func(t *testing.T) {
			c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.Method != http.MethodGet || r.URL.Path != "/customers/1234/applicantworkflows/person/90210/job/1709" {
					t.Errorf("%s %s", r.Method, r.URL.Path)
				}
				return answering(tt.status, nil, tt.body)(r)
			})))
			w, _, err := c.PairWorkflow(t.Context(), 90210, 1709)
			if (err != nil) != tt.fail || err == nil && w.ID != tt.id {
				t.Fatalf("got %+v, %v", w, err)
			}
			if e, ok := errors.AsType[*Error](err); ok && e.Missing() != tt.missing {
				t.Errorf("missing %t: %v", e.Missing(), err)
			}
		})
	}
}

func TestSearchesThatAreNotSent(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	for name, q := range map[string]Query{
		"without a filter":            {},
		"for no address":              EmailQuery(OpExact),
		"for blank addresses":         EmailQuery(OpExact, "", "  "),
		"with a nameless filter":      {Filters: []Filter{{Value: []string{"1"}}}},
		"with an empty child":         {Children: []Query{{}}},
		"with a staleness below zero": {Filters: []Filter{{Name: "person.id", Value: []string{"1"}}}, Staleness: -1},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := c.SearchPeople(t.Context(), q)
			if e := wantError(t, err); e.Class != ClassPermanent || e.Reason != ReasonBadRequest || e.Sent != SentNo {
				t.Errorf("got %v", e)
			}
		})
	}
}

// idServer answers searches over the IDs 1..n, as iCIMS does.
func idServer(t *testing.T, mux *http.ServeMux, n int, descending bool) *int {
	calls := new(int)
	answer := func(w http.ResponseWriter, filters []Filter) {
		*calls++
		low, high := 0, n+1
		for _, f := range filters {
			if !strings.HasSuffix(f.Name, ".id") {
				continue
			}
			edge, err := strconv.Atoi(f.Value[0])
			if err != nil {
				t.Error(err)
			}
			if f.Operator == OpGreater {
				low = edge
			} else {
				high = edge
			}
		}
		var ids []int
		for id := low + 1; id < high; id++ {
			ids = append(ids, id)
		}
		if descending {
			slices.Reverse(ids)
		}
		rows := []map[string]any{}
		for _, id := range ids[:min(len(ids), MaxSearchResults)] {
			rows = append(rows, map[string]any{"id": id})
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"searchResults": rows}); err != nil {
			t.Error(err)
		}
	}
	var flat func(Query) []Filter
	flat = func(q Query) []Filter {
		out := slices.Clone(q.Filters)
		for _, c := range q.Children {
			out = append(out, flat(c)...)
		}
		return out
	}
	mux.HandleFunc("GET /customers/1234/search/portals/{portal}", func(w http.ResponseWriter, r *http.Request) {
		var q Query
		if s := r.URL.Query().Get("searchJson"); s != "" {
			if err := json.Unmarshal([]byte(s), &q); err != nil {
				t.Error(err)
			}
		}
		if r.PathValue("portal") != "my portal" {
			t.Errorf("portal %q", r.PathValue("portal"))
		}
		answer(w, flat(q))
	})
	return calls
}

func TestPaging(t *testing.T) {
	for _, tt := range []struct {
		n          int
		descending bool
		calls      int
	}{{0, false, 1}, {999, false, 1}, {1000, false, 2}, {2500, false, 3}, {999, true, 1}, {1000, true, 3}, {2500, true, 4}} {
		t.Run(fmt.Sprintf("%d descending %t", tt.n, tt.descending), func(t *testing.T) {
			c, mux := setup(t)
			calls := idServer(t, mux, tt.n, tt.descending)
			jobs, err := c.PortalJobs(t.Context(), "my portal")
			if err != nil || len(jobs) != tt.n || *calls != tt.calls {
				t.Fatalf("%d jobs in %d calls, %v; want %d in %d", len(jobs), *calls, err, tt.n, tt.calls)
			}
			for i, j := range jobs {
				if j.ID != JobID(i+1) {
					t.Fatalf("job %d is %d", i+1, j.ID)
				}
			}
		})
	}
}

func TestPagingEnds(t *testing.T) {
	rows := make([]map[string]int, MaxSearchResults)
	for i := range rows {
		rows[i] = map[string]int{"id": (i*7)%MaxSearchResults + 1}
	}
	data, err := json.Marshal(map[string]any{"searchResults": rows})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	same := roundTripper(func(r *http.Request) (*http.Response, error) { n++; return answering(200, nil, string(data))(r) })
	c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(same))
	if jobs, err := c.PortalJobs(t.Context(), "1"); err != nil || len(jobs) != MaxSearchResults || n != 3 {
		t.Errorf("%d jobs after %d calls, %v", len(jobs), n, err)
	}
}

func TestPortalRows(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("/customers/1234/search/portals/jobs", func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.URL.Query().Get("searchJson"), `{"filters":[{"name":"job.id","value":["1000"],"operator":"\u003e"}]}`; got != want {
			t.Errorf("searchJson %s, want %s", got, want)
		}
		_, _ = io.WriteString(w, `{"searchResults":[{"portalUrl":"https://jobs-acme.icims.com/jobs/1709/customer-service-representative/job",
			"self":"https://api.icims.com/customers/1769/portals/jobs/1709","id":1709,"updatedDate":"2015-09-30 02:07 PM"}]}`)
	})
	jobs, _, err := c.SearchPortal(t.Context(), "jobs", 1000)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%v, %v", jobs, err)
	}
	if want := time.Date(2015, 9, 30, 14, 7, 0, 0, time.UTC); !jobs[0].Updated.Equal(want) {
		t.Errorf("updated %s, want %s", jobs[0].Updated, want)
	}
	if got, want := jobs[0].ProvisionalTitle(), "Customer service representative"; got != want {
		t.Errorf("title %q, want %q", got, want)
	}
	for _, u := range []string{"", "https://jobs-acme.icims.com/jobs/1709/job", "https://jobs-acme.icims.com/jobs/1709", "https://x/jobs/1/a/job", ":"} {
		if got := (PortalJob{ID: 1709, PortalURL: u}).ProvisionalTitle(); got != "" {
			t.Errorf("title of %q is %q", u, got)
		}
	}
}

func TestPersonRead(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("GET /customers/1234/people/90210", func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.URL.RawQuery, "fields=firstname,phones"; got != want {
			t.Errorf("query %q, want %q", got, want)
		}
		_, _ = io.WriteString(w, `{"firstname":"Ana","new":{"x":1},"phones":[
			{"entry":5310,"phonenumber":"+1 425 555 0143","primary":true,"phonetype":{"id":"D83004","value":"Mobile"}},
			{"entry":"7","phonenumber":2403305349,"phonetype":null,"phoneextension":12}]}`)
	})
	p, _, err := c.Person(t.Context(), 90210, "firstname", "phones")
	if err != nil {
		t.Fatal(err)
	}
	want := []Phone{
		{Entry: 5310, Number: "+1 425 555 0143", Primary: true, Type: &ListNode{ID: "D83004", Value: "Mobile"}},
		{Entry: 7, Number: "2403305349", Extension: "12"},
	}
	if diff := cmp.Diff(want, p.Phones); diff != "" {
		t.Error(diff)
	}
	if p.ID != 90210 || len(p.Raw) != 3 {
		t.Errorf("read %+v", p)
	}
}

// TestAPersonWhoseFolderCannotBeRead: a folder that cannot be read must not look like no folder, or
// an employee would be overwritten.
func TestAPersonWhoseFolderCannotBeRead(t *testing.T) {
	c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(200, nil, `{"firstname":"Ana","folder":13}`)))
	_, _, err := c.Person(t.Context(), 1)
	if e := wantError(t, err); e.Reason != ReasonBadAnswer || !strings.Contains(e.Error(), "field folder") {
		t.Errorf("got %v, want a bad answer that names the field", e)
	}
}

func TestAWarningOnACreate(t *testing.T) {
	h := http.Header{"Location": {"/customers/1234/people/90210"}, "X-Warning": {"4:sourcename:no"}}
	for name, body := range map[string]string{
		"in the header":                "",
		"in the header and as warning": `{"warnings":[{"errorMessage":"sourcename: no","errorCode":4}]}`,
		"in the header and as error":   `{"errors":[{"errorMessage":"sourcename: no","errorCode":"4"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(201, h, body)))
			id, resp, err := c.CreatePerson(t.Context(), personFields)
			if err != nil || id != 90210 {
				t.Fatalf("%d, %v", id, err)
			}
			if diff := cmp.Diff([]plainProblem{{4, "sourcename", "no"}}, exposed(resp.Warnings)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCollectionEntry(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("POST /customers/1234/people/90210/fields/phones", func(w http.ResponseWriter, r *http.Request) {
		if got, want := body(t, r), `{"phonenumber":"+1 425 555 0143","phonetype":{"value":"Mobile"}}`; got != want {
			t.Errorf("body %s, want %s", got, want)
		}
		w.Header().Set("Location", "https://api.icims.com/customers/1234/people/90210/fields/phones/5310")
		w.WriteHeader(201)
	})
	entry, _, err := c.AddCollectionEntry(t.Context(), 90210, "phones", phoneFields)
	if err != nil || entry != 5310 {
		t.Errorf("entry %d, %v", entry, err)
	}
}

func TestCustomer(t *testing.T) {
	h := http.Header{"X-Customer-Type": {"test"}}
	c := newClient(t, "https://api.icims.com", Basic("u", "p"),
		WithBaseTransport(answering(200, h, `{"id":449,"name":"Acme","platformUrl":"customer449.icims.com","buildVersion":"12.1"}`)))
	v, _, err := c.Customer(t.Context())
	want := &Customer{ID: 449, Name: "Acme", PlatformURL: "customer449.icims.com", Type: "test", BuildVersion: "12.1"}
	if diff := cmp.Diff(want, v); diff != "" || err != nil || !v.IsTest() {
		t.Error(diff, err)
	}
}

func TestSchema(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("GET /customers/1234/profiledefinitions/v1/person/schema", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"type":"object","properties":{
			"firstname":{"type":["null","string"],"title":"First Name"},"odd":true,"tuple":{"items":[{"type":"string"}]},
			"workexperience":{"type":"array","items":{"type":"object","properties":{
				"entry":{"type":"integer"},"workstartdate":{"type":"string","format":"date"}}}}}}`)
	})
	s, _, err := c.Schema(t.Context(), SchemaPerson)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"workexperience"}, s.Collections()); diff != "" {
		t.Error(diff)
	}
	if got := s.Properties["workexperience"].Items.Properties["workstartdate"].Format; got != "date" {
		t.Errorf("format %q", got)
	}
	if got := s.Properties["firstname"]; got.Type != "string" || got.Title != "First Name" || s.Properties["odd"] == nil || s.Properties["email"] != nil {
		t.Errorf("read %+v in %v", got, slices.Sorted(maps.Keys(s.Properties)))
	}
}

func TestArgumentsThatAreNotSent(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	ctx := t.Context()
	tests := map[string]func(context.Context) error{
		"a create without fields":   func(ctx context.Context) error { _, _, err := c.CreatePerson(ctx, nil); return err },
		"a workflow without fields": func(ctx context.Context) error { _, _, err := c.CreateWorkflow(ctx, nil); return err },
		"a patch without fields":    func(ctx context.Context) error { _, err := c.PatchPerson(ctx, 1, Fields{}); return err },
		"a patch without a person":  func(ctx context.Context) error { _, err := c.PatchPerson(ctx, 0, personFields); return err },
		"a field in upper case": func(ctx context.Context) error {
			_, _, err := c.CreatePerson(ctx, Fields{"firstName": "A"})
			return err
		},
		"a nested field in upper case": func(ctx context.Context) error {
			_, err := c.PatchPerson(ctx, 1, Fields{"a": []Fields{{"B": 1}}})
			return err
		},
		"a value that is no JSON": func(ctx context.Context) error { _, err := c.PatchPerson(ctx, 1, Fields{"a": func() {}}); return err },
		"an entry without a person": func(ctx context.Context) error {
			_, _, err := c.AddCollectionEntry(ctx, 0, "phones", phoneFields)
			return err
		},
		"an entry of an unnamed collection": func(ctx context.Context) error {
			_, _, err := c.AddCollectionEntry(ctx, 1, "../x", phoneFields)
			return err
		},
		"a read without a person":       func(ctx context.Context) error { _, _, err := c.Person(ctx, -1); return err },
		"a read of an empty field name": func(ctx context.Context) error { _, _, err := c.Person(ctx, 1, "a&b"); return err },
		"a read without a job":          func(ctx context.Context) error { _, _, err := c.Job(ctx, 0); return err },
		"a read without a workflow":     func(ctx context.Context) error { _, _, err := c.Workflow(ctx, 0); return err },
		"a portal without a name":       func(ctx context.Context) error { _, _, err := c.SearchPortal(ctx, "", 0); return err },
		"a portal that leads elsewhere": func(ctx context.Context) error { _, _, err := c.SearchPortal(ctx, "..", 0); return err },
		"a schema without a name":       func(ctx context.Context) error { _, _, err := c.Schema(ctx, "a/b"); return err },
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			if e := wantError(t, do(ctx)); e.Class != ClassPermanent || e.Reason != ReasonBadRequest || e.Sent != SentNo || e.Err == nil {
				t.Errorf("got %v", e)
			}
		})
	}
}

func TestAPortalNameCannotLeaveItsSegment(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.URL.EscapedPath(), "/customers/1234/search/portals/a%2F..%2F..%3Fb"; got != want {
			t.Errorf("path %s, want %s", got, want)
		}
		_, _ = io.WriteString(w, `{"searchResults":[]}`)
	})
	if _, _, err := c.SearchPortal(t.Context(), "a/../..?b", 0); err != nil {
		t.Fatal(err)
	}
}
