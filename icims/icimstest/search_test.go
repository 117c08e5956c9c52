package icimstest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSearchMessages(t *testing.T) {
	b := open(t, calm())
	cases := []struct{ name, kind, body, want string }{
		{"no body", "people", ` `, "At least one filter must be specified"},
		{"no filter", "people", `{}`, "At least one filter must be specified"},
		{"an empty list of filters", "people", `{"filters":[],"children":[{"filters":[]}]}`, "At least one filter must be specified"},
		{"an empty filter", "people", `{"filters":[{}]}`, "At least one filter must be specified"},
		{"an unknown filter", "people", `{"filters":[{"name":"person.shoesize","value":["1"]}]}`, "The following filter is either not valid or hidden: [person.shoesize]"},
		{"a filter of another record type", "people", `{"filters":[{"name":"applicantworkflow.id","value":["1"]}]}`, "The following filter is either not valid or hidden: [applicantworkflow.id]"},
		{"one bad filter among good ones", "people", `{"filters":[` + byEmail("a@example.com") + `,{"name":"job.id","value":["1"]}]}`, "The following filter is either not valid or hidden: [job.id]"},
		{"an operator that text does not have", "people", `{"filters":[{"name":"person.email","value":["a"],"operator":">"}]}`, "The following filter operator is not valid in the given context: [>]"},
		{"an operator that numbers do not have", "people", `{"filters":[{"name":"person.id","value":["1"],"operator":"=="}]}`, "The following filter operator is not valid in the given context: [==]"},
		{"a group operator in words", "people", `{"filters":[` + byEmail("a") + `],"operator":"AND"}`, "The following group operator is not valid in the given context: [AND]"},
		{"an unknown filter attribute", "people", `{"filters":[{"name":"person.email","values":["a"]}]}`, "The following filter attribute is unrecognized: [values]"},
		{"an unknown group attribute", "people", `{"filter":[]}`, "The following group attribute is unrecognized: [filter]"},
		{"a value that is no array", "people", `{"filters":[{"name":"person.email","value":"a"}]}`, "An unknown parsing error occurred"},
		{"a value that is no string", "people", `{"filters":[{"name":"person.id","value":[1]}]}`, "An unknown parsing error occurred"},
		{"no JSON", "people", `{`, "An unknown parsing error occurred"},
		{"a workflow filter of a person", "applicantworkflows", `{"filters":[{"name":"person.id","value":["1"]}]}`, "The following filter is either not valid or hidden: [person.id]"},
	}
	for _, tc := range cases {
		t.Run(tc.name+" is refused", func(t *testing.T) {
			r := b.must(http.StatusBadRequest, "POST", "/search/"+tc.kind, tc.body)
			if diff := cmp.Diff([]string{"4 " + tc.want}, r.problems(t, "errors")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSearchPeople(t *testing.T) {
	b := open(t, calm())
	add := func(first, last, email, folder string) int64 {
		return b.tenant.AddPerson(map[string]any{"firstname": first, "lastname": last, "email": email, "folder": map[string]any{"id": folder}})
	}
	ana := add("Ana", "Duarte", "ana@example.com", "D32007")
	upper := add("Ana", "Duarte", "ANA@example.com", "D32013")
	longer := add("Mariana", "Costa", "mariana@example.com", "D32007")
	other := add("Bo", "Ek", "bo@example.com", "D32002")
	cases := []struct {
		name    string
		filters string
		want    []int64
	}{
		{"== is exact in case", byEmail("ana@example.com"), []int64{ana}},
		{"only the first of several text values counts", byEmail("bo@example.com", "nobody@example.com", "ana@example.com"), []int64{other}},
		{"several values of a list mean any of them", `{"name":"person.folder","value":["D32002","D32013"]}`, []int64{upper, other}},
		{"== finds no part", byEmail("ana@example"), []int64{}},
		{"= contains, in any case", `{"name":"person.email","value":["ana@example.com"],"operator":"="}`, []int64{ana, upper, longer}},
		{"the default operator is =", `{"name":"person.lastname","value":["uart"]}`, []int64{ana, upper}},
		{"!== is not exact", `{"name":"person.email","value":["ana@example.com"],"operator":"!=="}`, []int64{upper, longer, other}},
		{"all filters must hold", `{"name":"person.firstname","value":["Ana"],"operator":"=="},{"name":"person.folder","value":["D32013"]}`, []int64{upper}},
		{"an unknown node ID finds no one", `{"name":"person.folder","value":["D99999"]}`, []int64{}},
		{"a label is no node id", `{"name":"person.folder","value":["Cand:Active"]}`, []int64{}},
		{"> pages by id", fmt.Sprintf(`{"name":"person.id","value":["%d"],"operator":">"}`, upper), []int64{longer, other}},
		{"an empty id is before all", `{"name":"person.id","value":[""],"operator":">"}`, []int64{ana, upper, longer, other}},
		{"ids may come comma separated", fmt.Sprintf(`{"name":"person.idCSV","value":["%d,%d"]}`, ana, other), []int64{ana, other}},
		{"a badly formed date is ignored", `{"name":"person.createddate","value":["30/03/2026"],"operator":"<"}`, []int64{ana, upper, longer, other}},
		{"a day finds what it holds", `{"name":"person.createddate","value":["2026-03-30"]}`, []int64{ana, upper, longer, other}},
		{"a range has two ends", `{"name":"person.createddate","value":["2026-03-01"],"secondaryValue":["2026-03-29"]}`, []int64{}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, b.search("people", tc.filters).hits(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("| joins filters and children", func(t *testing.T) {
		r := b.must(200, "POST", "/search/people?staleness=0", `{"operator":"|","filters":[`+byEmail("bo@example.com")+`],
			"children":[{"filters":[`+byEmail("ana@example.com")+`]}]}`)
		if diff := cmp.Diff([]int64{ana, other}, r.hits(t)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the search may be in the URL", func(t *testing.T) {
		r := b.must(200, "GET", "/search/people?searchJson="+url.QueryEscape(`{"filters":[`+byEmail("bo@example.com")+`]}`), "")
		if diff := cmp.Diff([]int64{other}, r.hits(t)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a hidden person is not found", func(t *testing.T) {
		b.tenant.Hide("person", other)
		if got := b.search("people", byEmail("bo@example.com")).hits(t); len(got) > 0 {
			t.Error(got)
		}
	})
	t.Run("== may ignore case", func(t *testing.T) {
		cfg := calm()
		cfg.Behavior.SearchEmailCase = Insensitive
		b := open(t, cfg)
		id := b.tenant.AddPerson(map[string]any{"email": "ANA@example.com"})
		if diff := cmp.Diff([]int64{id}, b.search("people", byEmail("ana@example.com")).hits(t)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a changed address is found, the old one is not", func(t *testing.T) {
		b := open(t, calm())
		path := b.createAna("")
		b.must(204, "PATCH", path, `{"email":"new@example.com"}`)
		if got := b.search("people", byEmail("ana.duarte@example.com")).hits(t); len(got) > 0 {
			t.Error(got)
		}
		if got := b.search("people", byEmail("new@example.com")).hits(t); len(got) != 1 {
			t.Error(got)
		}
	})
}

func TestSearchCap(t *testing.T) {
	b := open(t, calm())
	for i := range 1500 {
		b.tenant.AddPerson(map[string]any{"email": fmt.Sprintf("p%d@example.com", i)})
	}
	first := b.search("people", `{"name":"person.id","value":[""],"operator":">"}`).hits(t)
	if len(first) != 1000 || first[0] != 90001 || first[999] != 91000 {
		t.Fatalf("%d hits from %d", len(first), first[0])
	}
	rest := b.search("people", `{"name":"person.id","value":["91000"],"operator":">"}`).hits(t)
	if len(rest) != 500 || rest[0] != 91001 || rest[499] != 91500 {
		t.Errorf("%d hits", len(rest))
	}
}

func TestSearchStaleness(t *testing.T) {
	var now atomic.Int64
	now.Store(noon.Unix())
	cfg := calm()
	cfg.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	b := open(t, cfg)
	look := func(query string) int {
		t.Helper()
		return len(b.must(200, "POST", "/search/people"+query, `{"filters":[`+byEmail("ana.duarte@example.com")+`]}`).hits(t))
	}
	if n := look(""); n != 0 {
		t.Fatalf("%d people at the start", n)
	}
	b.createAna("")
	if n := look(""); n != 0 {
		t.Errorf("a cached search found the new person (%d)", n)
	}
	if n := look("?staleness=20"); n != 0 {
		t.Errorf("a search that accepts older results found the new person (%d)", n)
	}
	now.Add(15 * 60)
	if n := look(""); n != 1 {
		t.Errorf("after 15 minutes the search still is cached (%d)", n)
	}
	b.tenant.Purge(90001)
	if n := look(""); n != 1 {
		t.Errorf("the cached search forgot the purged person (%d)", n)
	}
	if n := look("?staleness=0"); n != 0 {
		t.Errorf("a live search found the purged person (%d)", n)
	}
}

func TestSearchLag(t *testing.T) {
	var now atomic.Int64
	now.Store(noon.Unix())
	cfg := calm()
	cfg.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	cfg.Faults.SearchLag = 30 * time.Second
	b := open(t, cfg)
	path := b.createAna("")
	b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001}`)
	finds := func(email string) int { return len(b.search("people", byEmail(email)).hits(t)) }
	links := func() int {
		return len(b.search("applicantworkflows", `{"name":"applicantworkflow.person.id","value":["90001"]}`).hits(t))
	}
	if finds("ana.duarte@example.com") != 0 || links() != 0 {
		t.Error("a live search sees a write at once")
	}
	b.must(200, "GET", path, "")
	now.Add(30)
	if finds("ana.duarte@example.com") != 1 || links() != 1 {
		t.Error("the write stays invisible after the lag")
	}
	b.must(204, "PATCH", path, `{"email":"new@example.com"}`)
	if finds("ana.duarte@example.com") != 1 || finds("new@example.com") != 0 {
		t.Error("a live search sees a change at once")
	}
	now.Add(30)
	if finds("ana.duarte@example.com") != 0 || finds("new@example.com") != 1 {
		t.Error("the change stays invisible after the lag")
	}
}

func TestSearchWorkflows(t *testing.T) {
	b := open(t, calm())
	ana := b.tenant.AddPerson(map[string]any{"email": "ana@example.com"})
	bo := b.tenant.AddPerson(map[string]any{"email": "bo@example.com"})
	first := b.tenant.AddWorkflow(ana, 1709, "D10100")
	second := b.tenant.AddWorkflow(ana, 1710, "D10106")
	third := b.tenant.AddWorkflow(bo, 1709, "D10106")
	person := func(ids ...string) string {
		return `{"name":"applicantworkflow.person.id","value":["` + strings.Join(ids, `","`) + `"]}`
	}
	cases := []struct {
		name, filters string
		want          []int64
	}{
		{"of a person", person(itoa(ana)), []int64{first, second}},
		{"of several people", person(itoa(bo), itoa(ana)), []int64{first, second, third}},
		{"of a person and a job", person(itoa(ana)) + `,{"name":"applicantworkflow.job.id","value":["1710"]}`, []int64{second}},
		{"of a job", `{"name":"applicantworkflow.job.id","value":["1709"]}`, []int64{first, third}},
		{"by e-mail", `{"name":"applicantworkflow.person.email","value":["bo@example.com"],"operator":"=="}`, []int64{third}},
		{"by status", `{"name":"applicantworkflow.status","value":["D10106"]}`, []int64{second, third}},
		{"by bin", `{"name":"applicantworkflow.bin","value":["New Submissions"],"operator":"=="}`, []int64{first, second, third}},
		{"by job title", `{"name":"applicantworkflow.job.jobtitle","value":["nurse"]}`, []int64{second}},
		{"after an id", `{"name":"applicantworkflow.id","value":["` + itoa(first) + `"],"operator":">"}`, []int64{second, third}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, b.search("applicantworkflows", tc.filters).hits(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
