package icimstest

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shape reduces JSON to its keys and types; an array is the union of its elements' shapes.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = shape(x)
		}
		return out
	case []any:
		var union any = "empty"
		for _, x := range v {
			s := shape(x)
			if m, both := union.(map[string]any); both {
				maps.Copy(m, s.(map[string]any))
				continue
			}
			union = s
		}
		return []any{union}
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "bool"
	}
	return "null"
}

func recording(t *testing.T, name string) any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func likeRecording(t *testing.T, name string, r reply) {
	t.Helper()
	if diff := cmp.Diff(shape(recording(t, name)), shape(any(r.json(t)))); diff != "" {
		t.Errorf("recorded (-) and simulated (+) differ in shape:\n%s", diff)
	}
}

// TestRecordings compares responses with recorded responses of iCIMS.
func TestRecordings(t *testing.T) {
	t.Run("a person with custom fields and an address", func(t *testing.T) {
		b := open(t, calm(), func(c *TenantConfig) {
			c.CustomFields = map[string]string{"field29946": "text", "field36999": "text", "field23848": "multilist"}
		})
		path := b.createAna(`,"field29946":"In a Category I selected","field36999":"Yes",
			"field23848":[{"value":"Child Care or Teacher's Assistant"},{"value":"Construction or Building Trades"}],
			"addresses":[{"addressstreet1":"1 Example Street","addresscity":"Boston","addresszip":"02111","addresstype":{"id":"D84002"},
				"addressstate":{"value":"Massachusetts"},"addresscountry":{"id":"D41001"}}]`)
		r := b.must(200, "GET", path+"?fields=firstname,lastname,field29946,field23848,field36999,addresses", "")
		got := r.json(t)
		if diff := cmp.Diff(shape(recording(t, "mapc-youth_match/person-2.json")), shape(any(got))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a person without values for all requested fields", func(t *testing.T) {
		b := open(t, calm())
		path := b.createAna(`,"hiredate":"2013-04-30","startdate":"2013-05-03"`)
		likeRecording(t, "macat-connect/second_icims_candidate.json",
			b.must(200, "GET", path+"?fields=firstname,lastname,email,folder,hiredate,startdate,phones,addresses", ""))
	})
	t.Run("a search for people", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		b.createAna("")
		likeRecording(t, "macat-connect/icims_search_candidates.json", b.search("people", byEmail("ana.duarte@example.com")))
	})
	t.Run("a search for workflows", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001}`)
		likeRecording(t, "mapc-youth_match/person-1-workflows.json", b.search("applicantworkflows", `{"name":"applicantworkflow.person.id","value":["90001"]}`))
	})
	t.Run("a workflow", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001,"status":{"id":"D10100"},
			"source":"Other (Please Specify)","sourcename":"Applicant from previous year"}`)
		r := b.must(200, "GET", "/applicantworkflows/21001", "")
		likeRecording(t, "mapc-youth_match/workflow-19288.json", r)
		want := recording(t, "mapc-youth_match/workflow-19288.json").(map[string]any)
		if diff := cmp.Diff(want["status"], r.json(t)["status"]); diff != "" {
			t.Error(diff)
		}
		for i, l := range r.json(t)["links"].([]any) {
			l, w := l.(map[string]any), want["links"].([]any)[i].(map[string]any)
			if l["rel"] != w["rel"] || l["title"] != w["title"] {
				t.Errorf("link %d: %v, recorded %v", i, l, w)
			}
		}
	})
	t.Run("a job", func(t *testing.T) {
		b := open(t, calm())
		b.tenant.AddJob(Job{ID: 1123, Title: "Mentor", Location: "HQ", Openings: 5, Category: Node{"C36823", "Education"}})
		likeRecording(t, "mapc-youth_match/job-1123.json", b.must(200, "GET", "/jobs/1123?fields=joblocation,jobtitle,numberofpositions,positioncategory", ""))
		likeRecording(t, "mapc-youth_match/job-1123-positions.json", b.must(200, "GET", "/jobs/1123?fields=numberofpositions", ""))
	})
	t.Run("the headers of a create", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		r := b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001}`)
		varying := []string{"date", "location", "set-cookie", "x-newrelic-app-data", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-transaction"}
		for name, want := range recording(t, "mapc-youth_match/create-workflow-headers.json").(map[string]any) {
			got := r.header.Get(name)
			switch {
			case name == "x-newrelic-app-data": // added by a monitoring product
			case slices.Contains(varying, name):
				if got == "" {
					t.Errorf("no header %s", name)
				}
			case got != want:
				t.Errorf("%s: %q, recorded %q", name, got, want)
			}
		}
		if id := r.header.Get("X-Transaction"); len(id) != len("{2A06CCC7-D2CC-5C91-2591-89CF1FF4F939}") {
			t.Errorf("x-transaction %q is not of the recorded form", id)
		}
	})
}

// byEmail returns the filter for an exact email look-up.
func byEmail(emails ...string) string {
	return `{"name":"person.email","value":["` + strings.Join(emails, `","`) + `"],"operator":"=="}`
}

// search makes a live search with filters joined by AND.
func (b *bench) search(kind string, filters ...string) reply {
	b.t.Helper()
	return b.must(http.StatusOK, "POST", "/search/"+kind+"?staleness=0", `{"filters":[`+strings.Join(filters, ",")+`]}`)
}

// hits returns the IDs of a search response.
func (r reply) hits(t *testing.T) []int64 {
	t.Helper()
	out := []int64{}
	for _, row := range r.json(t)["searchResults"].([]any) {
		switch id := row.(map[string]any)["id"].(type) {
		case float64:
			out = append(out, int64(id))
		case string:
			out = append(out, atoi(id))
		}
	}
	return out
}
