package icimstest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// world starts a simulator with one switch changed.
func world(t *testing.T, turn func(*Behavior)) *bench {
	t.Helper()
	cfg := calm()
	turn(&cfg.Behavior)
	return open(t, cfg)
}

func TestSearchesForSeveralAddresses(t *testing.T) {
	group := `{"operator":"|","filters":[` + byEmail("nobody@example.com") + "," + byEmail("ana@example.com") + `]}`
	values := `{"filters":[` + byEmail("nobody@example.com", "ana@example.com") + `]}`
	for _, tc := range []struct {
		search, textValues, groupOr string
		status                      int
		hits                        int
	}{
		{values, First, Any, 200, 0},
		{values, Any, Any, 200, 1},
		{group, First, Any, 200, 1},
		{group, First, First, 200, 0},
		{group, First, Last, 200, 1},
		{group, First, Refused, 400, 0},
	} {
		t.Run(fmt.Sprintf("%.20s, values %s, group %s", tc.search, tc.textValues, tc.groupOr), func(t *testing.T) {
			b := world(t, func(w *Behavior) { w.TextValues, w.GroupOr = tc.textValues, tc.groupOr })
			b.tenant.AddPerson(map[string]any{"email": "ana@example.com"})
			r := b.must(tc.status, "POST", "/search/people?staleness=0", tc.search)
			if tc.status == 200 && len(r.hits(t)) != tc.hits {
				t.Errorf("%s", r.body)
			}
		})
	}
}

func TestEmptySearches(t *testing.T) {
	for shape, want := range map[string]struct {
		status int
		body   string
	}{
		EmptyList:    {200, `{"searchResults":[]}`},
		ErrorsObject: {200, `{"errors":[{"errorMessage":"No results found.","errorCode":2}]}`},
		Errors404:    {404, `{"errors":[{"errorMessage":"No results found.","errorCode":2}]}`},
		Uncoded:      {200, `{"errors":[{"errorCode":"CODE","errorMessage":"MESSAGE"}]}`},
	} {
		t.Run(shape, func(t *testing.T) {
			b := world(t, func(w *Behavior) { w.EmptySearch = shape })
			for _, search := range []string{"/search/people", "/search/applicantworkflows"} {
				filter := `{"filters":[{"name":"person.id","value":["1"]}]}`
				if strings.HasSuffix(search, "workflows") {
					filter = `{"filters":[{"name":"applicantworkflow.id","value":["1"]}]}`
				}
				if diff := cmp.Diff(want.body, string(b.must(want.status, "POST", search, filter).body)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestAHiddenEmailIsFoundAndNotShown(t *testing.T) {
	b := world(t, func(w *Behavior) { w.EmailView = Hidden })
	path := b.createAna("")
	if p := b.must(200, "GET", path, "").json(t); p["email"] != nil || p["firstname"] == nil {
		t.Error(p)
	}
	if got := b.search("people", byEmail("ana.duarte@example.com")).hits(t); len(got) != 1 {
		t.Error(got)
	}
}

func TestPairs(t *testing.T) {
	for _, tc := range []struct {
		search, route          string
		searched, hits, status int
	}{
		{Finds, Present, 200, 1, 200}, {Misses, Present, 200, 0, 200}, {Finds, Absent, 200, 1, 404}, {Finds, Denied, 200, 1, 403},
		{Denied, Present, 403, 0, 200}, {Refused, Present, 400, 0, 200},
	} {
		t.Run(tc.search+" "+tc.route, func(t *testing.T) {
			b := world(t, func(w *Behavior) { w.PairSearch, w.PairRoute = tc.search, tc.route })
			person := b.tenant.AddPerson(map[string]any{"email": "ana@example.com"})
			flow := b.tenant.AddWorkflow(person, 1709, "D10100")
			pair := fmt.Sprintf(`{"name":"applicantworkflow.person.id","value":["%d"]},{"name":"applicantworkflow.job.id","value":["1709"]}`, person)
			found := b.must(tc.searched, "POST", "/search/applicantworkflows?staleness=0", `{"filters":[`+pair+`]}`)
			if tc.searched == 200 && len(found.hits(t)) != tc.hits {
				t.Errorf("hits %v", found.hits(t))
			}
			byID := fmt.Sprintf(`{"name":"applicantworkflow.id","value":["%d"]}`, flow)
			if got := b.search("applicantworkflows", byID).hits(t); len(got) != 1 {
				t.Errorf("by id %v", got)
			}
			b.must(tc.status, "GET", fmt.Sprintf("/applicantworkflows/person/%d/job/1709", person), "")
		})
	}
}

func TestGateway404(t *testing.T) {
	b := open(t, calm())
	path := b.createAna("")
	b.sim.AddRule(Rule{Route: "people.get", Fault: Gateway404, Times: -1, Rate: 0.5})
	injected, bodies := 0, map[string]bool{}
	for range 100 {
		r := b.do("GET", path, "")
		if r.status == http.StatusOK {
			continue
		}
		injected++
		bodies[string(r.body)] = true
		if r.status != 404 || r.header.Get("X-Transaction")+r.header.Get("X-Error") != "" {
			t.Errorf("%d %v", r.status, r.header)
		}
	}
	if injected < 25 || injected > 75 || len(bodies) != 2 {
		t.Errorf("%d of 100 injected, bodies %v", injected, bodies)
	}
}
