package icimstest

import "testing"

// TestUnstoredFields: fields that are accepted but not stored keep their value.
func TestUnstoredFields(t *testing.T) {
	b := open(t, calm(), func(c *TenantConfig) {
		c.UnstoredFields = []string{"source", "phones", "education", "applicantworkflow.status"}
	})
	const sent = `,"source":"SeekOut","phones":[{"phonenumber":"1"}],"education":[{"school":{"value":"X"}}],"workexperience":[{"worktitle":"Y"}]}`
	b.must(201, "POST", "/people", ana+sent)
	ids := b.tenant.PeopleWithEmail("ana.duarte@example.com")
	if len(ids) != 1 {
		t.Fatal(ids)
	}
	b.must(204, "PATCH", "/people/"+itoa(ids[0]), `{"source":"SeekOut","education":[{"school":{"value":"X"}}]}`)
	b.must(201, "POST", "/people/"+itoa(ids[0])+"/fields/phones", `{"phonenumber":"2"}`)
	fields, _ := b.tenant.Person(ids[0])
	if fields["source"] != nil || fields["phones"] != nil || fields["education"] != nil || fields["workexperience"] == nil || fields["firstname"] == nil {
		t.Errorf("%v", fields)
	}
	b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":`+itoa(ids[0])+`,"source":"SeekOut","status":{"id":"D10106"}}`)
	if flows := b.tenant.Workflows(); len(flows) != 1 || flows[0].Source != "SeekOut" || flows[0].StatusID != "D10100" {
		t.Errorf("%+v", flows)
	}
	old := b.tenant.AddPerson(map[string]any{"firstname": "O", "lastname": "P", "email": "o@example.com", "source": "Job Board"})
	b.must(204, "PATCH", "/people/"+itoa(old), `{"source":"SeekOut"}`)
	if fields, _ := b.tenant.Person(old); fields["source"] != "Job Board" {
		t.Errorf("%v", fields)
	}
}

// TestPeopleWhomNoSearchShows: people hidden from searches can still be read.
func TestPeopleWhomNoSearchShows(t *testing.T) {
	for shown, want := range map[string]int{Everybody: 1, Nobody: 0} {
		cfg := calm()
		cfg.Behavior.PeopleInSearch = shown
		b := open(t, cfg)
		id := b.tenant.AddPerson(map[string]any{"firstname": "A", "lastname": "D", "email": "a@example.com"})
		found := b.must(200, "POST", "/search/people", `{"filters":[{"name":"person.email","value":["a@example.com"],"operator":"=="}]}`).json(t)["searchResults"].([]any)
		if len(found) != want {
			t.Errorf("%s: %v", shown, found)
		}
		b.must(200, "GET", "/people/"+itoa(id), "")
	}
	if err := (Behavior{PeopleInSearch: "some"}).check(); err == nil {
		t.Error("a value that there is not")
	}
}
