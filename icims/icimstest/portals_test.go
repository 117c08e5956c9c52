package icimstest

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPortals(t *testing.T) {
	b := open(t, calm())
	t.Run("rows come without title, highest id first", func(t *testing.T) {
		r := b.must(200, "GET", "/search/portals/1?staleness=0", "")
		if diff := cmp.Diff([]int64{1711, 1710, 1709}, r.hits(t)); diff != "" {
			t.Error(diff)
		}
		row := r.json(t)["searchResults"].([]any)[2].(map[string]any)
		want := map[string]any{"id": 1709.0, "portalUrl": "https://jobs-1234.icims.com/jobs/1709/data-engineer/job",
			"self": b.url + "/customers/1234/portals/jobs/1709", "updatedDate": "2026-03-30 12:00 PM"}
		if diff := cmp.Diff(want, row); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a portal is found by name too", func(t *testing.T) {
		if diff := cmp.Diff([]int64{1709}, b.must(200, "GET", "/search/portals/internal", "").hits(t)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("filters may be in the URL or in a body", func(t *testing.T) {
		const search = `{"filters":[{"name":"job.id","value":["1709"],"operator":">"}]}`
		for _, r := range []reply{
			b.must(200, "GET", "/search/portals/1?searchJson="+url.QueryEscape(search), ""),
			b.must(200, "POST", "/search/portals/1", search),
		} {
			if diff := cmp.Diff([]int64{1711, 1710}, r.hits(t)); diff != "" {
				t.Error(diff)
			}
		}
	})
	t.Run("a filter of people is refused", func(t *testing.T) {
		b.must(400, "POST", "/search/portals/1", `{"filters":[{"name":"person.id","value":["1"]}]}`)
	})
	t.Run("its filters are listed, drop-downs with options", func(t *testing.T) {
		options := map[string]bool{}
		for _, f := range b.must(200, "GET", "/search/portals/1/filters", "").json(t)["filters"].([]any) {
			f := f.(map[string]any)
			_, has := f["options"]
			options[f["name"].(string)] = has
		}
		if !options["job.folder"] || options["job.id"] || len(options) != len(jobFilters) {
			t.Error(options)
		}
	})
	t.Run("the self address of a row answers", func(t *testing.T) {
		if got := b.must(200, "GET", "/portals/jobs/1709", "").json(t)["jobtitle"]; got != "Data Engineer" {
			t.Error(got)
		}
		b.must(404, "GET", "/portals/internal/1710", "")
	})
	t.Run("an unknown portal is 404 with code 2, an invisible one with code 3", func(t *testing.T) {
		b.tenant.AddPortal(9, "secret")
		b.tenant.Hide("portal", 9)
		for path, code := range map[string]string{"/search/portals/7": "2", "/search/portals/9": "3"} {
			if got := b.must(404, "GET", path, "").header.Get("X-Error")[:1]; got != code {
				t.Errorf("%s: code %s, want %s", path, got, code)
			}
		}
	})
	t.Run("1,000 rows at most, pageable by the highest id", func(t *testing.T) {
		b := open(t, calm())
		b.tenant.AddPortal(3, "large")
		for i := range 1200 {
			b.tenant.AddJob(Job{ID: int64(5000 + i), Title: "Job", Portals: []int{3}})
		}
		first := b.must(200, "GET", "/search/portals/3", "").hits(t)
		if len(first) != 1000 || first[0] != 5999 || first[999] != 5000 {
			t.Fatalf("%d rows from %d", len(first), first[0])
		}
		rest := b.must(200, "POST", "/search/portals/3", `{"filters":[{"name":"job.id","value":["5999"],"operator":">"}]}`).hits(t)
		if len(rest) != 200 || rest[199] != 6000 {
			t.Errorf("%d rows", len(rest))
		}
	})
}

func TestJobs(t *testing.T) {
	b := open(t, calm())
	t.Run("only the requested fields are returned", func(t *testing.T) {
		got := b.must(200, "GET", "/jobs/1709?fields=jobtitle,jobid,joblocation,folder", "").json(t)
		want := map[string]any{"jobtitle": "Data Engineer", "jobid": "2026-1709",
			"folder": map[string]any{"id": "D31001", "value": "Approved", "formattedvalue": "Approved"}, "links": got["links"]}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("an unknown job is code 2, an invisible one code 3", func(t *testing.T) {
		b.tenant.Hide("job", 1710)
		for path, code := range map[string]string{"/jobs/1": "2", "/jobs/1710": "3"} {
			if got := b.must(404, "GET", path, "").header.Get("X-Error")[:1]; got != code {
				t.Errorf("%s: code %s, want %s", path, got, code)
			}
		}
	})
	t.Run("jobs can be searched", func(t *testing.T) {
		if diff := cmp.Diff([]int64{1709}, b.search("jobs", `{"name":"job.jobtitle","value":["engineer"]}`).hits(t)); diff != "" {
			t.Error(diff)
		}
	})
}
