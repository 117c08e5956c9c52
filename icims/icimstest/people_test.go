package icimstest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCreatePerson(t *testing.T) {
	t.Run("a create answers 201 with a Location and an empty body", func(t *testing.T) {
		b := open(t, calm())
		r := b.must(http.StatusCreated, "POST", "/people", ana+"}")
		if want := b.url + "/customers/1234/people/90001"; r.header.Get("Location") != want {
			t.Errorf("Location %q, want %q", r.header.Get("Location"), want)
		}
		if len(r.body) != 0 || r.header.Get("Content-Length") != "0" || r.header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("body %q, headers %v", r.body, r.header)
		}
	})
	t.Run("all fields of a candidate are stored as sent", func(t *testing.T) {
		b := open(t, refusing())
		path := b.createAna(`,"folder":{"id":"D32007"},"source":"SeekOut",
			"phones":[{"phonetype":{"value":"Mobile"},"phonenumber":"+1 425 555 0143"}],
			"workexperience":[{"workemployer":"Contoso","worktitle":"Data Engineer","workstartdate":"2021-03-01"}],
			"education":[{"school":{"value":"University of Porto"},"degree":{"value":"Master of Science"}}],
			"field51001":"https://www.linkedin.com/in/example"`)
		got := b.must(200, "GET", path+"?fields=firstname,lastname,email,folder,source,phones,workexperience,education,field51001", "").json(t)
		delete(got, "links")
		node := func(id, value string) map[string]any {
			return map[string]any{"id": id, "value": value, "formattedvalue": value}
		}
		want := map[string]any{
			"firstname": "Ana", "lastname": "Duarte", "email": "ana.duarte@example.com", "source": "SeekOut",
			"folder":         node("D32007", "Cand:Active"),
			"phones":         []any{map[string]any{"entry": 5002.0, "primary": true, "phonenumber": "+1 425 555 0143", "phonetype": node("D83004", "Mobile")}},
			"workexperience": []any{map[string]any{"entry": 5003.0, "workemployer": "Contoso", "worktitle": "Data Engineer", "workstartdate": "2021-03-01"}},
			"education":      []any{map[string]any{"entry": 5001.0, "school": node("C40006", "University of Porto"), "degree": node("C40005", "Master of Science")}},
			"field51001":     "https://www.linkedin.com/in/example",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})

	refusals := []struct {
		name, body string
		want       []string
	}{
		{"each missing required field is one code 1 error", `{"firstname":"Ana"}`,
			[]string{"1 lastname: This field is required.", "1 email: This field is required."}},
		{"an empty string is an empty field", `{"firstname":"Ana","lastname":"","email":"a@example.com"}`,
			[]string{"1 lastname: This field is required."}},
		{"an upper-case field name is code 4", ana + `,"FirstName":"Ana"}`, []string{"4 FirstName: Field name must be all lowercase"}},
		{"an upper-case name within a collection is code 4", ana + `,"phones":[{"phoneNumber":"1"}]}`, []string{"4 phones.phoneNumber: Field name must be all lowercase"}},
		{"an unknown field is code 4", ana + `,"linkedin":"x"}`, []string{"4 linkedin: The field is not valid or not accessible."}},
		{"an e-mail with accents is refused", `{"firstname":"Ana","lastname":"Duarte","email":"aná@example.com"}`,
			[]string{"4 email: The email address contains characters that are not allowed.", "1 email: This field is required."}},
		{"an unknown list node id is refused", ana + `,"folder":{"id":"D99999"}}`, []string{"4 folder: The list node D99999 is not valid."}},
		{"an unknown list value is refused", ana + `,"phones":[{"phonenumber":"1","phonetype":{"value":"Satellite"}}]}`, []string{"4 phones.phonetype: The list value Satellite is not valid."}},
		{"a bare string is no list value", ana + `,"folder":"Cand:Active"}`, []string{"4 folder: A list value must be an object with id or value."}},
		{"a month is no date", ana + `,"workexperience":[{"workstartdate":"2021-03"}]}`, []string{"4 workexperience.workstartdate: The date must have the form yyyy-MM-dd."}},
		{"a day that is not in the calendar is no date", ana + `,"startdate":"2021-02-30"}`, []string{"4 startdate: The date must have the form yyyy-MM-dd."}},
		{"a number is no text", `{"firstname":7,"lastname":"Duarte","email":"a@example.com"}`, []string{"4 firstname: The value must be text.", "1 firstname: This field is required."}},
		{"a title over 64 characters is refused", ana + `,"workexperience":[{"worktitle":"` + strings.Repeat("é", 65) + `"}]}`,
			[]string{"4 workexperience.worktitle: The value exceeds the maximum length of 64 characters."}},
		{"an employer over 128 characters is refused", ana + `,"workexperience":[{"workemployer":"` + strings.Repeat("x", 129) + `"}]}`,
			[]string{"4 workexperience.workemployer: The value exceeds the maximum length of 128 characters."}},
		{"a phone over 128 characters is refused", ana + `,"phones":[{"phonenumber":"` + strings.Repeat("1", 129) + `"}]}`,
			[]string{"4 phones.phonenumber: The value exceeds the maximum length of 128 characters."}},
		{"a resume cannot be sent as a field", ana + `,"resume":"x"}`, []string{"4 resume: The field cannot be set."}},
		{"an entry without values is refused", ana + `,"phones":[{}]}`, []string{"4 phones: The entry has no values."}},
		{"a collection must be an array", ana + `,"phones":{}}`, []string{"4 phones: The value must be an array."}},
		{"several faults are reported together", ana + `,"linkedin":"x","startdate":"x"}`,
			[]string{"4 linkedin: The field is not valid or not accessible.", "4 startdate: The date must have the form yyyy-MM-dd."}},
	}
	for _, tc := range refusals {
		t.Run(tc.name, func(t *testing.T) {
			b := open(t, refusing())
			r := b.must(http.StatusBadRequest, "POST", "/people", tc.body)
			if diff := cmp.Diff(tc.want, r.problems(t, "errors")); diff != "" {
				t.Error(diff)
			}
			if n := len(r.header.Values("X-Error")); n != len(tc.want) {
				t.Errorf("%d X-Error headers, want one per problem: %v", n, r.header)
			}
			if n := len(b.tenant.People()); n != 0 {
				t.Errorf("%d people after a refusal", n)
			}
		})
	}

	t.Run("X-Error holds code, field and detail", func(t *testing.T) {
		b := open(t, calm())
		r := b.do("POST", "/people", `{"firstname":"Ana","lastname":"Duarte"}`)
		if got := r.header.Get("X-Error"); got != "1:email:This field is required." {
			t.Error(got)
		}
	})
	t.Run("a text of exactly the limit is stored", func(t *testing.T) {
		b := open(t, calm())
		b.createAna(`,"workexperience":[{"worktitle":"` + strings.Repeat("é", 64) + `"}]`)
	})
	t.Run("overlong text may be cut instead", func(t *testing.T) {
		cfg := calm()
		cfg.Behavior.OverlongText = Truncate
		b := open(t, cfg)
		path := b.createAna(`,"workexperience":[{"worktitle":"` + strings.Repeat("é", 65) + `"}]`)
		got := b.must(200, "GET", path+"?fields=workexperience", "").json(t)["workexperience"].([]any)[0].(map[string]any)["worktitle"]
		if got != strings.Repeat("é", 64) {
			t.Error(got)
		}
	})
	t.Run("an unknown list value may be left out with a warning", func(t *testing.T) {
		cfg := calm()
		cfg.Behavior.UnknownListValue = Warn
		b := open(t, cfg)
		r := b.must(201, "POST", "/people", ana+`,"phones":[{"phonenumber":"1","phonetype":{"value":"Satellite"}}]}`)
		if diff := cmp.Diff([]string{"4 phones.phonetype: The list value Satellite is not valid."}, r.problems(t, "warnings")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("hidden fields can neither be set nor seen", func(t *testing.T) {
		b := open(t, refusing(), func(c *TenantConfig) { c.HiddenFields = []string{"phones"} })
		r := b.must(400, "POST", "/people", ana+`,"phones":[{"phonenumber":"1"}]}`)
		if diff := cmp.Diff([]string{"4 phones: The field is not valid or not accessible."}, r.problems(t, "errors")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("required fields are the tenant's", func(t *testing.T) {
		b := open(t, calm(), func(c *TenantConfig) { c.Required = []string{"email", "folder"} })
		r := b.must(400, "POST", "/people", `{"email":"a@example.com"}`)
		if diff := cmp.Diff([]string{"1 folder: This field is required."}, r.problems(t, "errors")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDuplicateEmail(t *testing.T) {
	for mode, status := range map[string]int{Allow: 201, Reject400Code4: 400, Reject409: 409} {
		t.Run(mode, func(t *testing.T) {
			cfg := calm()
			cfg.Behavior.DuplicateEmail = mode
			b := open(t, cfg)
			b.createAna("")
			r := b.must(status, "POST", "/people", `{"firstname":"A","lastname":"D","email":"ANA.duarte@example.com"}`)
			if status != 201 && r.problems(t, "errors")[0] != "4 email: The email address is already in use." {
				t.Error(r.problems(t, "errors"))
			}
			if dup := len(b.sim.Invariants().DuplicateProfiles); (dup == 1) != (mode == Allow) {
				t.Errorf("%d duplicate profiles", dup)
			}
		})
	}
}

func TestReadPerson(t *testing.T) {
	t.Run("without fields a default subset is returned", func(t *testing.T) {
		b := open(t, calm())
		path := b.createAna(`,"source":"SeekOut","phones":[{"phonenumber":"1"}]`)
		got := sortedKeys(b.must(200, "GET", path, "").json(t))
		if diff := cmp.Diff([]string{"email", "firstname", "folder", "lastname", "links"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("empty and unknown fields are absent, never an error", func(t *testing.T) {
		b := open(t, calm())
		got := sortedKeys(b.must(200, "GET", b.createAna("")+"?fields=id,middlename,phones,nosuchfield,FirstName", "").json(t))
		if diff := cmp.Diff([]string{"id", "links"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a missing person is code 2", func(t *testing.T) {
		b := open(t, calm())
		r := b.must(404, "GET", "/people/1", "")
		if diff := cmp.Diff([]string{"2 Person not found."}, r.problems(t, "errors")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a hidden person is 404 with code 3", func(t *testing.T) {
		b := open(t, calm())
		path := b.createAna("")
		b.tenant.Hide("person", 90001)
		if got := b.must(404, "GET", path, "").header.Get("X-Error"); !strings.HasPrefix(got, "3:") {
			t.Error(got)
		}
	})
}

func TestPatchPerson(t *testing.T) {
	t.Run("a patch answers 204 and changes only what it names", func(t *testing.T) {
		b := open(t, calm())
		path := b.createAna(`,"source":"SeekOut"`)
		if r := b.must(204, "PATCH", path, `{"firstname":"Anna"}`); len(r.body) != 0 {
			t.Errorf("body %q", r.body)
		}
		got := b.must(200, "GET", path+"?fields=firstname,source", "").json(t)
		if got["firstname"] != "Anna" || got["source"] != "SeekOut" {
			t.Error(got)
		}
	})
	for _, empty := range []string{`null`, `""`} {
		t.Run(empty+" clears a field", func(t *testing.T) {
			b := open(t, calm())
			path := b.createAna(`,"source":"SeekOut"`)
			b.must(204, "PATCH", path, `{"source":`+empty+`}`)
			if got := b.must(200, "GET", path+"?fields=source", "").json(t); got["source"] != nil {
				t.Error(got)
			}
		})
	}
	t.Run("required fields must be present on the record", func(t *testing.T) {
		b := open(t, calm())
		id := b.tenant.AddPerson(map[string]any{"firstname": "Ana", "lastname": "Duarte"})
		r := b.must(400, "PATCH", "/people/"+itoa(id), `{"source":"SeekOut"}`)
		if diff := cmp.Diff([]string{"1 email: This field is required."}, r.problems(t, "errors")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a person cannot be deleted", func(t *testing.T) {
		b := open(t, calm())
		b.must(405, "DELETE", b.createAna(""), "")
	})
}

func TestMergedPerson(t *testing.T) {
	b := open(t, calm())
	discarded := b.tenant.AddPerson(map[string]any{"firstname": "Ana", "lastname": "Duarte", "email": "a@example.com"})
	primary := b.tenant.AddPerson(map[string]any{"firstname": "Ana", "lastname": "Duarte", "email": "a@example.com"})
	b.tenant.AddWorkflow(discarded, 1709, "D10100")
	b.tenant.Merge(discarded, primary)
	t.Run("it is renamed, without e-mail, in the Purge folder", func(t *testing.T) {
		got := b.must(200, "GET", "/people/"+itoa(discarded), "").json(t)
		want := "Merged with " + itoa(primary) + " - 3/30/2026"
		if got["firstname"] != want || got["email"] != nil || got["folder"].(map[string]any)["id"] != "D32002" {
			t.Error(got)
		}
	})
	t.Run("it no longer counts as a duplicate", func(t *testing.T) {
		if v := b.sim.Invariants().Violations(); len(v) > 0 {
			t.Error(v)
		}
	})
	t.Run("its workflows move to the primary person", func(t *testing.T) {
		if w := b.tenant.Workflows(); len(w) != 1 || w[0].Person != primary {
			t.Error(w)
		}
	})
	t.Run("of two workflows for the same job one is removed", func(t *testing.T) {
		again := b.tenant.AddPerson(map[string]any{"email": "again@example.com"})
		b.tenant.AddWorkflow(again, 1709, "D10106")
		b.tenant.Merge(again, primary)
		if w := b.tenant.Workflows(); len(w) != 1 || w[0].StatusID != "D10100" {
			t.Error(w)
		}
	})
	t.Run("only the primary person has the address", func(t *testing.T) {
		if diff := cmp.Diff([]int64{primary}, b.tenant.PeopleWithEmail("A@example.com")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("after the purge it is not found", func(t *testing.T) {
		b.tenant.Purge(discarded)
		b.must(404, "GET", "/people/"+itoa(discarded), "")
	})
	t.Run("workflows of a purged person go with it", func(t *testing.T) {
		b.tenant.Purge(primary)
		if w := b.tenant.Workflows(); len(w) > 0 {
			t.Error(w)
		}
	})
}

func TestSourceName(t *testing.T) {
	t.Run("a free source is stored but takes no source name", func(t *testing.T) {
		b := open(t, calm())
		r := b.must(201, "POST", "/people", ana+`,"source":"SeekOut","sourcename":"Campaign"}`)
		if diff := cmp.Diff([]string{"4 sourcename: Provided source is not valid so cannot set sourcename."}, r.problems(t, "warnings")); diff != "" {
			t.Error(diff)
		}
		if got := r.header.Get("X-Warning"); got != "4:sourcename:Provided source is not valid so cannot set sourcename." {
			t.Error(got)
		}
		if r.header.Get("Location") == "" {
			t.Error("no Location beside a warning")
		}
		got, _ := b.tenant.Person(90001)
		if got["source"] != "SeekOut" || got["sourcename"] != nil {
			t.Error(got)
		}
	})
	t.Run("a listed source takes one", func(t *testing.T) {
		b := open(t, calm())
		r := b.must(201, "POST", "/people", ana+`,"source":"Other (Please Specify)","sourcename":"Campaign"}`)
		if len(r.body) > 0 {
			t.Errorf("%s", r.body)
		}
	})
	for carrier, want := range map[string][2]bool{Both: {true, true}, Header: {true, false}, Body: {false, true}} {
		t.Run("the warning carrier is "+carrier, func(t *testing.T) {
			cfg := calm()
			cfg.Behavior.WarningCarrier = carrier
			b := open(t, cfg)
			r := b.must(201, "POST", "/people", ana+`,"source":"SeekOut","sourcename":"Campaign"}`)
			if got := [2]bool{r.header.Get("X-Warning") != "", len(r.body) > 0}; got != want {
				t.Errorf("header, body: %v, want %v", got, want)
			}
		})
	}
}
