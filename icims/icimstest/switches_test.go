package icimstest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMisspelledSwitchesAreRefused: an ignored switch would keep the default.
func TestMisspelledSwitchesAreRefused(t *testing.T) {
	bad := map[string]Behavior{
		"status_by_value":     {StatusByValue: "ignore"},
		"status_on_create":    {StatusOnCreate: "ignore"},
		"unknown_field":       {UnknownField: "warning"},
		"entry_problem_names": {EntryProblemNames: "parent"},
		"folder":              {Folder: "secret"},
		"entry_primary":       {EntryPrimary: "yes"},
		"patch_location":      {PatchLocation: "no"},
		"patch_status":        {PatchStatus: 202},
		"transaction_header":  {TransactionHeader: "off"},
		"web_services":        {WebServices: "denied"},
		"web_services_status": {WebServicesStatus: 200},
	}
	for name, b := range bad {
		if err := b.check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSwitches(t *testing.T) {
	with := func(t *testing.T, b Behavior) *bench {
		cfg := calm()
		cfg.Behavior = b
		return open(t, cfg)
	}
	t.Run("a wrong field name is a warning on a saved record", func(t *testing.T) {
		b := with(t, Behavior{})
		r := b.must(201, "POST", "/people", ana+`,"StartDate":"2026-01-01","phones":[{"phonenumber":"1","color":"red"},{"color":"red"}]}`)
		if got := r.header.Get("X-Warning"); got != "4:StartDate:Field name must be all lowercase" {
			t.Errorf("header %q", got)
		}
		want := []string{"4 StartDate: Field name must be all lowercase", "4 phones.color: The field is not valid or not accessible.", "4 phones.color: The field is not valid or not accessible."}
		if diff := cmp.Diff(want, r.problems(t, "warnings")); diff != "" {
			t.Error(diff)
		}
		if p, _ := b.tenant.Person(90001); len(p["phones"].([]any)) != 1 {
			t.Errorf("person %v", p)
		}
	})
	t.Run("a problem within a collection names path, child or collection", func(t *testing.T) {
		for names, want := range map[string]string{Path: "phones.phonetype", Child: "phonetype", Collection: "phones"} {
			r := with(t, Behavior{EntryProblemNames: names}).must(400, "POST", "/people", ana+`,"phones":[{"phonenumber":"1","phonetype":{"value":"Satellite"}}]}`)
			if got := r.problems(t, "errors"); len(got) != 1 || !strings.HasPrefix(got[0], "4 "+want+":") {
				t.Errorf("%s: %v", names, got)
			}
		}
	})
	t.Run("a hidden folder is stored and not returned", func(t *testing.T) {
		b := with(t, Behavior{Folder: Hidden})
		path := b.createAna(`,"folder":{"id":"D32007"}`)
		if p := b.must(200, "GET", path+"?fields=folder,email", "").json(t); p["folder"] != nil || p["email"] == nil {
			t.Errorf("person %v", p)
		}
		if p, _ := b.tenant.Person(90001); p["folder"] == nil {
			t.Errorf("person %v", p)
		}
	})
	t.Run("a PATCH answers with or without Location", func(t *testing.T) {
		b := with(t, Behavior{})
		path := b.createAna("")
		if r := b.must(204, "PATCH", path, `{"firstname":"Anna"}`); !strings.HasSuffix(r.header.Get("Location"), path) {
			t.Errorf("headers %v", r.header)
		}
		b = with(t, Behavior{PatchLocation: Absent, PatchStatus: http.StatusOK})
		if r := b.must(200, "PATCH", b.createAna(""), `{"firstname":"Anna"}`); r.header.Get("Location") != "" {
			t.Errorf("headers %v", r.header)
		}
	})
	t.Run("a status given by its label may be ignored", func(t *testing.T) {
		for mode, warnings := range map[string]int{Ignored: 0, IgnoredWarn: 1} {
			b := with(t, Behavior{StatusByValue: mode})
			b.createAna("")
			r := b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001,"status":{"value":"Recruiter Submitted"}}`)
			if n := len(r.header.Values("X-Warning")); n != warnings || b.tenant.Workflows()[0].StatusID != "D10100" {
				t.Errorf("%s: %d warnings, %+v", mode, n, b.tenant.Workflows())
			}
			b.must(204, "PATCH", "/applicantworkflows/21001", `{"status":{"id":"D10106"}}`)
			if got := b.search("applicantworkflows", `{"name":"applicantworkflow.status","value":["Recruiter Submitted"]}`).hits(t); len(got) != 1 {
				t.Errorf("%s: a search by the label finds %v", mode, got)
			}
		}
	})
	t.Run("the status of a new workflow may be ignored", func(t *testing.T) {
		b := with(t, Behavior{StatusOnCreate: Ignored})
		b.createAna("")
		b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001,"status":{"id":"D10106"}}`)
		if got := b.tenant.Workflows()[0].StatusID; got != "D10100" {
			t.Errorf("status %s", got)
		}
		b.must(204, "PATCH", "/applicantworkflows/21001", `{"status":{"id":"D10106"}}`)
		if got := b.tenant.Workflows()[0].StatusID; got != "D10106" {
			t.Errorf("status %s after a PATCH", got)
		}
	})
	t.Run("answers may lack the transaction header", func(t *testing.T) {
		b := with(t, Behavior{TransactionHeader: Absent})
		if r := b.do("GET", "/people/7", ""); r.header.Get("X-Transaction") != "" || len(r.problems(t, "errors")) != 1 {
			t.Errorf("%v %s", r.header, r.body)
		}
	})
	t.Run("a user may lack the right to the API", func(t *testing.T) {
		b := with(t, Behavior{WebServices: Refused})
		if got := b.must(401, "GET", "", "").problems(t, "errors"); len(got) != 1 || !strings.Contains(got[0], "not Authorized to access Web Services") {
			t.Error(got)
		}
		b.tenant.SetWebServices(true)
		b.must(200, "GET", "", "")
		with(t, Behavior{WebServices: Refused, WebServicesStatus: 403}).must(403, "GET", "", "")
	})
}
