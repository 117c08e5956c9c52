package icimstest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCreateWorkflow(t *testing.T) {
	t.Run("a create answers 201 with a Location and an empty body", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		r := b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001,"status":{"value":"Recruiter Submitted"},"source":"SeekOut"}`)
		if want := b.url + "/customers/1234/applicantworkflows/21001"; r.header.Get("Location") != want || len(r.body) > 0 {
			t.Errorf("Location %q, body %q", r.header.Get("Location"), r.body)
		}
		w := b.tenant.Workflows()[0]
		if w.Person != 90001 || w.Job != 1709 || w.StatusID != "D10106" || w.Status != "New Submissions - Recruiter Submitted" || w.Source != "SeekOut" {
			t.Errorf("%+v", w)
		}
	})
	refusals := []struct {
		name, body string
		status     int
		want       []string
	}{
		{"both profiles are mandatory", `{}`, 400, []string{"1 baseprofile: This field is required.", "1 associatedprofile: This field is required."}},
		{"a quoted id is no integer", `{"baseprofile":"1709","associatedprofile":90001}`, 400, []string{"4 baseprofile: The value must be the integer id of a profile."}},
		{"a fraction is no integer", `{"baseprofile":1709.5,"associatedprofile":90001}`, 400, []string{"4 baseprofile: The value must be the integer id of a profile."}},
		{"the job must exist", `{"baseprofile":1,"associatedprofile":90001}`, 404, []string{"2 Job not found."}},
		{"the person must exist", `{"baseprofile":1709,"associatedprofile":1}`, 404, []string{"2 Person not found."}},
		{"an unknown status is refused", `{"baseprofile":1709,"associatedprofile":90001,"status":{"value":"Hired"}}`, 400, []string{"4 status: The list value Hired is not valid."}},
		{"a guarded status is refused", `{"baseprofile":1709,"associatedprofile":90001,"status":{"id":"C14661"}}`, 400, []string{"4 status: The entrance criteria of Rejected - Offer Declined are not met."}},
		{"an unknown field is refused", `{"baseprofile":1709,"associatedprofile":90001,"Status":1}`, 400, []string{"4 Status: Field name must be all lowercase"}},
	}
	for _, tc := range refusals {
		t.Run(tc.name, func(t *testing.T) {
			b := open(t, refusing())
			b.createAna("")
			r := b.must(tc.status, "POST", "/applicantworkflows", tc.body)
			if diff := cmp.Diff(tc.want, r.problems(t, "errors")); diff != "" {
				t.Error(diff)
			}
			if len(b.tenant.Workflows()) > 0 {
				t.Error("a refused workflow exists")
			}
		})
	}
	for _, status := range []string{`{"id":"D10106"}`, `{"id":"D10106","value":"anything"}`, `{"value":"New Submissions - Recruiter Submitted"}`, `{"value":"recruiter submitted"}`} {
		t.Run("the status may be "+status, func(t *testing.T) {
			b := open(t, calm())
			b.createAna("")
			b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001,"status":`+status+`}`)
			if got := b.tenant.Workflows()[0].StatusID; got != "D10106" {
				t.Error(got)
			}
		})
	}
	t.Run("a status by value may be refused", func(t *testing.T) {
		cfg := calm()
		cfg.Behavior.StatusByValue = Refused
		b := open(t, cfg)
		b.createAna("")
		b.must(400, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001,"status":{"value":"Recruiter Submitted"}}`)
		b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001,"status":{"id":"D10106"}}`)
	})
	for mode, want := range map[string]string{First: "D10100", None: ""} {
		t.Run("without a status it takes "+mode, func(t *testing.T) {
			cfg := calm()
			cfg.Behavior.MissingStatus = mode
			b := open(t, cfg)
			b.createAna("")
			b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001}`)
			if got := b.tenant.Workflows()[0].StatusID; got != want {
				t.Errorf("status %q, want %q", got, want)
			}
			if _, shown := b.must(200, "GET", "/applicantworkflows/21001", "").json(t)["status"]; shown != (want != "") {
				t.Error("an empty status is shown, or a set one is not")
			}
		})
	}
	t.Run("a free source is stored, its name only warns", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		r := b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001,"source":"SeekOut","sourcename":"x"}`)
		if diff := cmp.Diff([]string{"4 sourcename: Provided source is not valid so cannot set sourcename."}, r.problems(t, "warnings")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDuplicateWorkflow(t *testing.T) {
	cases := []struct {
		mode      string
		status    int
		workflows int
		location  string
	}{{Reject400, 400, 1, ""}, {ReturnExisting, 201, 1, "21001"}, {Allow, 201, 2, "21002"}}
	for _, tc := range cases {
		t.Run(tc.mode, func(t *testing.T) {
			cfg := calm()
			cfg.Behavior.DuplicateWorkflow = tc.mode
			b := open(t, cfg)
			b.createAna("")
			const body = `{"baseprofile":1709,"associatedprofile":90001}`
			b.must(201, "POST", "/applicantworkflows", body)
			r := b.must(tc.status, "POST", "/applicantworkflows", body)
			want := ""
			if tc.location != "" {
				want = b.url + "/customers/1234/applicantworkflows/" + tc.location
			}
			if got := r.header.Get("Location"); got != want {
				t.Errorf("Location %q, want %q", got, want)
			}
			if n := len(b.tenant.Workflows()); n != tc.workflows {
				t.Errorf("%d workflows, want %d", n, tc.workflows)
			}
			if dup := len(b.sim.Invariants().DuplicateWorkflows); (dup == 1) != (tc.mode == Allow) {
				t.Errorf("%d duplicate workflows", dup)
			}
		})
	}
}

func TestReadAndChangeWorkflow(t *testing.T) {
	b := open(t, calm())
	b.createAna("")
	b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001,"source":"SeekOut"}`)
	t.Run("it is found by person and job", func(t *testing.T) {
		got := b.must(200, "GET", "/applicantworkflows/person/90001/job/1709", "").json(t)
		if got["source"] != "SeekOut" || got["baseprofile"].(map[string]any)["value"] != "Data Engineer" {
			t.Error(got)
		}
		b.must(404, "GET", "/applicantworkflows/person/90001/job/1710", "")
	})
	t.Run("a patch of the status answers 204", func(t *testing.T) {
		b.must(204, "PATCH", "/applicantworkflows/21001", `{"status":{"id":"D10106"}}`)
		if got := b.tenant.Workflows()[0].StatusID; got != "D10106" {
			t.Error(got)
		}
	})
	t.Run("the status log is newest first", func(t *testing.T) {
		var got []string
		for _, row := range b.must(200, "GET", "/applicantworkflows/21001/submittalstatuslog", "").json(t)["submittalstatuslog"].([]any) {
			got = append(got, fmt.Sprint(row.(map[string]any)["status"].(map[string]any)["id"]))
		}
		if diff := cmp.Diff([]string{"D10106", "D10100"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the profiles of a workflow are fixed", func(t *testing.T) {
		b.must(400, "PATCH", "/applicantworkflows/21001", `{"baseprofile":1710}`)
	})
	t.Run("it cannot be deleted", func(t *testing.T) { b.must(405, "DELETE", "/applicantworkflows/21001", "") })
}
