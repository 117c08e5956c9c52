package icimstest

import (
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	t.Run("names and calls are unique, sections are named", func(t *testing.T) {
		seen := map[string]bool{}
		for _, r := range Routes() {
			if seen[r.Name] || seen[r.Method+" "+r.Pattern] {
				t.Errorf("%+v is there twice", r)
			}
			seen[r.Name], seen[r.Method+" "+r.Pattern] = true, true
			if r.Section == "" {
				t.Errorf("%s has no section", r.Name)
			}
		}
	})
	t.Run("every pattern leads to its own route", func(t *testing.T) {
		for _, r := range Routes() {
			path := strings.NewReplacer("{", "", "}", "").Replace(r.Pattern)
			got, _ := match(r.Method, splitPath(path))
			if got == nil || got.Name != r.Name {
				t.Errorf("%s %s leads to %+v", r.Method, path, got)
			}
		}
	})
	t.Run("escaped segments are one segment", func(t *testing.T) {
		b := open(t, calm())
		b.tenant.AddPortal(5, "a/b c")
		b.must(200, "GET", "/search/portals/a%2Fb%20c", "")
	})
}

func TestSchema(t *testing.T) {
	b := open(t, calm(), func(c *TenantConfig) {
		c.WorkExperience = WorkExperienceNames{Collection: "rcf3211", Employer: "rcf3212", Title: "rcf3213", Start: "rcf3214", End: "rcf3215"}
		c.HiddenFields = []string{"gender", "source"}
	})
	props := b.must(200, "GET", "/profiledefinitions/v1/person/schema", "").json(t)["properties"].(map[string]any)
	t.Run("a collection is an array of objects with integer entry and typed children", func(t *testing.T) {
		items := props["rcf3211"].(map[string]any)["items"].(map[string]any)["properties"].(map[string]any)
		if items["entry"].(map[string]any)["type"] != "integer" || items["rcf3214"].(map[string]any)["format"] != "date" || items["rcf3212"].(map[string]any)["type"] != "string" {
			t.Error(items)
		}
	})
	t.Run("the tenant's own field is there, hidden ones are not", func(t *testing.T) {
		if props["field51001"] == nil || props["source"] != nil {
			t.Error(sortedKeys(props))
		}
	})
	t.Run("one field can be requested", func(t *testing.T) {
		got := b.must(200, "GET", "/profiledefinitions/v1/submittal/status/schema", "").json(t)
		if got["type"] != "object" {
			t.Error(got)
		}
		b.must(404, "GET", "/profiledefinitions/v1/person/shoesize/schema", "")
	})
	t.Run("the search schemas say that ids are integers and values arrays", func(t *testing.T) {
		results := string(b.must(200, "GET", "/search/resultsSchema", "").body)
		filters := string(b.must(200, "GET", "/search/filtersSchema", "").body)
		if !strings.Contains(results, `"id":{"type":"integer"}`) || !strings.Contains(filters, `"value":{"items":{"type":"string"},"type":"array"}`) {
			t.Error(results, filters)
		}
	})
	t.Run("an unknown type is not found", func(t *testing.T) { b.must(404, "GET", "/profiledefinitions/v1/people/schema", "") })
}

func TestCustomerAndLists(t *testing.T) {
	b := open(t, calm())
	t.Run("a customer has name, platform and profile links", func(t *testing.T) {
		r := b.must(200, "GET", "", "")
		got := r.json(t)
		if got["id"] != 1234.0 || got["platformUrl"] == "" || got["customerType"] != "test" || r.header.Get("X-Customer-Type") != "test" {
			t.Error(got)
		}
		if l := r.header.Get("Link"); !strings.Contains(l, `rel="profiles"`) {
			t.Error(l)
		}
	})
	t.Run("lists are named, one level at a time, in pages", func(t *testing.T) {
		names := b.must(200, "GET", "/v2/lists", "").json(t)["lists"].([]any)
		for _, want := range []string{"lists.phone_type", "lists.sources", "lists.person.folders"} {
			found := false
			for _, n := range names {
				found = found || n == want
			}
			if !found {
				t.Errorf("no %s in %v", want, names)
			}
		}
		page := b.must(200, "GET", "/v2/lists/lists.phone_type?size=3", "").json(t)
		if n := len(page["nodes"].([]any)); n != 3 || page["_links"].(map[string]any)["next"] == nil {
			t.Error(page)
		}
		rest := b.must(200, "GET", "/v2/lists/lists.phone_type?size=3&page=1", "").json(t)
		if n := len(rest["nodes"].([]any)); n != 1 || rest["_links"].(map[string]any)["next"] != nil {
			t.Error(rest)
		}
	})
	t.Run("workflow statuses have no list", func(t *testing.T) {
		b.must(404, "GET", "/v2/lists/recruiting%20statuses", "")
	})
}

func TestFiles(t *testing.T) {
	b := open(t, calm())
	path := b.createAna("") + "/fields/resume/binary"
	b.must(404, "GET", path, "")
	const form = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cv.txt\"\r\nContent-Type: text/plain\r\n\r\nA life.\r\n--x--\r\n"
	req := b.request("PATCH", "/customers/1234"+path, form)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	if r := b.send(req); r.status != 204 {
		t.Fatal(r.status)
	}
	t.Run("a file comes back with its own content type", func(t *testing.T) {
		if r := b.must(200, "GET", path, ""); string(r.body) != "A life." || r.header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s %v", r.body, r.header)
		}
	})
	t.Run("the profile contains its URL", func(t *testing.T) {
		got := b.must(200, "GET", "/people/90001?fields=resume", "").json(t)["resume"].(map[string]any)
		if got["file"] != b.url+"/customers/1234"+path {
			t.Error(got)
		}
	})
	t.Run("a resume can neither be posted nor deleted", func(t *testing.T) {
		b.must(405, "POST", path, "{}")
		b.must(405, "DELETE", path, "")
	})
	t.Run("its text can be read", func(t *testing.T) {
		if r := b.must(200, "GET", "/people/90001/fields/resume/text", ""); string(r.body) != "A life." {
			t.Errorf("%s", r.body)
		}
	})
	t.Run("another field is no file", func(t *testing.T) { b.must(400, "GET", "/people/90001/fields/firstname/binary", "") })
}
