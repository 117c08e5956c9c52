package icimstest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// phones returns the number and primary mark of a person's phones, in order.
func (b *bench) phones(path string) []string {
	b.t.Helper()
	out := []string{}
	list, _ := b.must(200, "GET", path+"?fields=phones", "").json(b.t)["phones"].([]any)
	for _, p := range list {
		p := p.(map[string]any)
		s := p["phonenumber"].(string)
		if p["primary"] == true {
			s += " primary"
		}
		out = append(out, s)
	}
	return out
}

func TestCollectionEntries(t *testing.T) {
	t.Run("a new entry answers 201 with its Location", func(t *testing.T) {
		b := open(t, refusing())
		path := b.createAna("")
		r := b.must(201, "POST", path+"/fields/phones", `{"phonetype":{"value":"Mobile"},"phonenumber":"1"}`)
		location := strings.TrimPrefix(r.header.Get("Location"), b.url+"/customers/1234")
		if location != path+"/fields/phones/5001" {
			t.Error(location)
		}
		got := b.must(200, "GET", location, "").json(t)
		if got["phonenumber"] != "1" || got["primary"] != true || got["entry"] != 5001.0 {
			t.Error(got)
		}
	})
	for mode, location := range map[string]bool{Existing: true, Absent: false} {
		t.Run("an identical entry is success without change, Location "+mode, func(t *testing.T) {
			cfg := refusing()
			cfg.Behavior.DuplicateEntryLocation = mode
			b := open(t, cfg)
			path := b.createAna("")
			const body = `{"phonetype":{"value":"Mobile"},"phonenumber":"1"}`
			first := b.must(201, "POST", path+"/fields/phones", body).header.Get("Location")
			r := b.must(201, "POST", path+"/fields/phones", body)
			if got := r.header.Get("Location"); (got == first) != location {
				t.Errorf("Location %q, first %q", got, first)
			}
			if diff := cmp.Diff([]string{"1 primary"}, b.phones(path)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("the first entry is primary until another requests it", func(t *testing.T) {
		b := open(t, refusing())
		path := b.createAna(`,"phones":[{"phonenumber":"1"},{"phonenumber":"2"}]`)
		if diff := cmp.Diff([]string{"1 primary", "2"}, b.phones(path)); diff != "" {
			t.Error(diff)
		}
		b.must(201, "POST", path+"/fields/phones", `{"phonenumber":"3","primary":true}`)
		if diff := cmp.Diff([]string{"3 primary", "1", "2"}, b.phones(path)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("an entry can be changed and deleted", func(t *testing.T) {
		b := open(t, refusing())
		path := b.createAna(`,"phones":[{"phonenumber":"1"},{"phonenumber":"2"}]`)
		b.must(204, "PATCH", path+"/fields/phones/5002", `{"phonenumber":"4"}`)
		b.must(204, "DELETE", path+"/fields/phones/5001", "")
		if diff := cmp.Diff([]string{"4 primary"}, b.phones(path)); diff != "" {
			t.Error(diff)
		}
		b.must(404, "GET", path+"/fields/phones/5001", "")
	})
	t.Run("a field that is no collection takes no entries", func(t *testing.T) {
		b := open(t, refusing())
		b.must(400, "POST", b.createAna("")+"/fields/firstname", `{"x":"1"}`)
	})
}

func TestCollectionPatch(t *testing.T) {
	cases := []struct {
		name, mode, body string
		want             []string
	}{
		{"append adds entries without id", Append, `[{"phonenumber":"3"}]`, []string{"1 primary", "2", "3"}},
		{"append changes entries with id", Append, `[{"entry":5002,"phonenumber":"9"}]`, []string{"1 primary", "9"}},
		{"append keeps identical entries once", Append, `[{"phonenumber":"2"}]`, []string{"1 primary", "2"}},
		{"replace drops what is not named", Replace, `[{"phonenumber":"3"}]`, []string{"3 primary"}},
		{"replace keeps entries named by id", Replace, `[{"entry":5002},{"phonenumber":"3"}]`, []string{"2 primary", "3"}},
		{"null clears with append", Append, `null`, []string{}},
		{"null clears with replace", Replace, `null`, []string{}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			cfg := refusing()
			cfg.Behavior.CollectionPatch = tc.mode
			b := open(t, cfg)
			path := b.createAna(`,"phones":[{"phonenumber":"1"},{"phonenumber":"2"}]`)
			b.must(204, "PATCH", path, `{"phones":`+tc.body+`}`)
			if diff := cmp.Diff(tc.want, b.phones(path)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("an unknown entry id is refused", func(t *testing.T) {
		b := open(t, refusing())
		b.must(400, "PATCH", b.createAna(`,"phones":[{"phonenumber":"1"}]`), `{"phones":[{"entry":1,"phonenumber":"2"}]}`)
	})
}

func TestGrowingLists(t *testing.T) {
	b := open(t, refusing(), func(c *TenantConfig) { c.HiddenEntries = map[string][]string{"lists.school": {"Closed College"}} })
	school := func(path, name string) string {
		t.Helper()
		r := b.must(201, "POST", path+"/fields/education", `{"school":{"value":"`+name+`"}}`)
		got := b.must(200, "GET", strings.TrimPrefix(r.header.Get("Location"), b.url+"/customers/1234"), "").json(t)
		return got["school"].(map[string]any)["id"].(string)
	}
	path := b.createAna("")
	b.must(201, "POST", "/people", `{"firstname":"Bo","lastname":"Ek","email":"bo@example.com"}`)
	t.Run("an unknown school is added and found again", func(t *testing.T) {
		if first, again := school(path, "University of Porto"), school("/people/90002", "university of porto"); first != again || first[0] != 'C' {
			t.Errorf("nodes %s and %s", first, again)
		}
	})
	t.Run("a hidden entry is refused", func(t *testing.T) {
		r := b.must(400, "POST", path+"/fields/education", `{"school":{"value":"Closed College"}}`)
		if diff := cmp.Diff([]string{"4 education.school: The list value Closed College is not valid."}, r.problems(t, "errors")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("other lists do not grow", func(t *testing.T) {
		b.must(400, "PATCH", path, `{"folder":{"value":"Cand:Brand New"}}`)
	})
	t.Run("the list is shown without its hidden entries", func(t *testing.T) {
		nodes := b.must(200, "GET", "/v2/lists/lists.school", "").json(t)["nodes"].([]any)
		if len(nodes) != 1 || nodes[0].(map[string]any)["value"] != "University of Porto" {
			t.Error(nodes)
		}
	})
}
