package worker_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// hides returns a rig whose tenant hides schools whose names begin with "Hidden" and names only the
// collection when it refuses one.
func hides(t *testing.T, changes ...func(*icimstest.Behavior)) *rig {
	t.Helper()
	return newRig(t, rigOptions{sim: hiding(changes...), tenant: hidesSchools})
}

func hiding(changes ...func(*icimstest.Behavior)) icimstest.Config {
	world := icimstest.Behavior{EntryProblemNames: icimstest.Collection, UnknownListValue: icimstest.Refuse}
	for _, change := range changes {
		change(&world)
	}
	return behaving(world)
}

func hidesSchools(c *icimstest.TenantConfig) {
	hidden := []string{"Hidden"}
	for i := range 40 {
		hidden = append(hidden, fmt.Sprint("Hidden ", i))
	}
	c.HiddenEntries = map[string][]string{"lists.school": hidden}
}

func TestEitherWorldRefusedEntriesCostNoOthers(t *testing.T) {
	t.Parallel()
	t.Run("the same combination of an accepted and a refused entry, many times", func(t *testing.T) {
		t.Parallel()
		r := hides(t)
		all := people(30)
		for i := range all {
			all[i].Education = []input.Education{{School: "Porto", Degree: "MSc"}, {School: "Hidden", Degree: "BSc"}}
		}
		b := r.run(input.ToJob(job), input.Options{}, all...)
		if withEducation, _, schools := r.history("education", "school"); withEducation != len(all) || schools != len(all) {
			t.Errorf("%d people with education, %d schools, want %d", withEducation, schools, len(all))
		}
		r.whole(b, len(all))
	})
	for _, treated := range []string{icimstest.Warn, icimstest.WarnCollection} {
		t.Run("saved with a warning: "+treated, func(t *testing.T) {
			t.Parallel()
			r := hides(t, func(b *icimstest.Behavior) { b.UnknownListValue = treated })
			all := people(30)
			for i := range all {
				all[i].Education = []input.Education{{School: "Porto", Degree: "MSc"}, {School: "Hidden"}}
				if i%3 == 0 {
					all[i].Education = []input.Education{{School: "Porto", Degree: "MSc"}}
				}
			}
			b := r.run(input.ToJob(job), input.Options{}, all...)
			if withEducation, _, schools := r.history("education", "school"); withEducation != len(all) || schools != len(all) {
				t.Errorf("%d people with education, %d schools, want %d", withEducation, schools, len(all))
			}
			r.whole(b, len(all))
		})
	}
	t.Run("many refused values before the first accepted one", func(t *testing.T) {
		t.Parallel()
		r := hides(t)
		all := people(45)
		for i := range all {
			school := fmt.Sprint("School ", i)
			if i < 15 {
				school = fmt.Sprint("Hidden ", i)
			}
			all[i].Education = []input.Education{{School: school, Degree: "BSc"}}
		}
		r.run(input.ToJob(job), input.Options{}, all[:15]...)
		r.run(input.ToJob(job), input.Options{}, all[15:]...)
		if withEducation, _, _ := r.history("education", "school"); withEducation != 30 {
			t.Errorf("%d people with education, want 30", withEducation)
		}
	})
	t.Run("a lost answer after the refusal", func(t *testing.T) {
		t.Parallel()
		r := hides(t)
		c := ana()
		c.Education = []input.Education{{School: "Porto", Degree: "MSc"}, {School: "Hidden", Degree: "BSc"}}
		r.sim.AddRule(icimstest.Rule{Route: "people.create", Nth: 2, Fault: icimstest.ResetAfter})
		b := r.run(input.ToJob(job), input.Options{}, c)
		_, _, schools := r.history("education", "school")
		if o := r.outcomes(b.ID)[0]; b.Created != 1 || schools != 1 || !strings.Contains(o.Warnings, "education_owed") {
			t.Errorf("%d schools, outcome %+v", schools, o)
		}
		r.whole(b, 1)
	})
}

// Whoever is found after a lost create may have been entered by somebody else meanwhile.
func TestEitherWorldEmployeeFoundAfterALostCreateIsNotChanged(t *testing.T) {
	t.Parallel()
	r := hides(t)
	c := ana()
	c.Education = []input.Education{{School: "Porto", Degree: "MSc"}, {School: "Hidden", Degree: "BSc"}}
	r.sim.AddRule(icimstest.Rule{Route: "people.create", Nth: 2, Fault: icimstest.ResetBefore})
	id := r.send(input.ToJob(job), input.Options{}, c)
	r.eventually("the answer to the create is lost", func() bool { return r.calls("people.create") == 2 })
	r.tenant.AddPerson(map[string]any{"firstname": c.FirstName, "lastname": c.LastName, "email": c.Email, "folder": map[string]any{"id": "D32013"}})
	b := r.finished(id)
	if _, entries, _ := r.history("education", "school"); b.Dead != 0 || entries != 0 {
		t.Errorf("%d entries were added: %+v", entries, b)
	}
	r.whole(b, 1)
}

// A person whom the account may not change, or whose record lacks what iCIMS requires, is put on the
// job all the same.
// An attempt that ends between the person and its entries is continued by the next one.
func TestEitherWorldInterruptedProfileIsCompleted(t *testing.T) {
	t.Parallel()
	c := ana()
	c.Education = []input.Education{{School: "Porto", Degree: "MSc"}, {School: "Hidden"}, {School: "Lisbon", Degree: "BSc"}, {School: "Faro"}}
	c.Phones = []input.Phone{{Number: "+351 912 000 001", Type: "mobile"}, {Number: "+351 912 000 002", Type: "home"}}
	complete := func(t *testing.T, r *rig, b store.Batch) {
		t.Helper()
		withEducation, _, schools := r.history("education", "school")
		o := r.outcomes(b.ID)[0]
		if withEducation != 1 || schools != 3 || b.Created != 1 || o.Warnings != "field_refused:education,education_owed" {
			t.Errorf("%d schools, outcome %+v", schools, o)
		}
		if p, _ := r.tenant.Person(o.Person); strings.Count(fmt.Sprint(p["phones"]), "+351") != 2 {
			t.Errorf("phones %v", p["phones"])
		}
		// The simulator counts entries that are added to an older profile.
		if inv := r.sim.Invariants(); inv.People != 1 || inv.Workflows != 1 || inv.ExperienceWrites > 0 {
			t.Errorf("%+v", inv)
		}
	}
	for nth := 1; nth <= 4; nth++ {
		t.Run(fmt.Sprint("429 to entry ", nth), func(t *testing.T) {
			t.Parallel()
			r := hides(t, func(b *icimstest.Behavior) { b.RetryAfter = icimstest.Present })
			r.sim.AddRule(icimstest.Rule{Route: "collections.add", Nth: nth, Fault: icimstest.Error429})
			complete(t, r, r.run(input.ToJob(job), input.Options{}, c))
		})
	}
	t.Run("what is left out is recorded before the create", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: hiding(), tenant: hidesSchools, stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, c)
		ref := store.Ref{Customer: customer, Export: r.outcomes(id)[0].Export}
		// The create is refused for an entry, and the reduced one takes its time.
		r.sim.AddRule(icimstest.Rule{Route: "people.create", Nth: 2, Fault: icimstest.Slow, Delay: 2 * time.Second})
		r.start()
		r.eventually("what the create leaves out is recorded", func() bool {
			record := r.redis.HGetAll(t.Context(), "ix:{"+customer+"}:x:"+ref.Export).Val()
			return record["st"] == "creating" && strings.Contains(record["wa"], "profile_incomplete") && strings.Contains(record["wa"], "education_owed")
		})
		complete(t, r, r.finished(id))
	})
	t.Run("but an employee is left alone", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: hiding(), tenant: hidesSchools, stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, c)
		claim := r.kill(r.outcomes(id)[0].Export, store.ExpressQueue, 0)
		person := r.tenant.AddPerson(map[string]any{
			"firstname": c.FirstName, "lastname": c.LastName, "email": c.Email, "folder": map[string]any{"id": "D32013"},
		})
		for _, s := range []store.Step{
			{To: store.Creating, Lease: time.Second},
			{To: store.Created, Lease: time.Second, Person: person, PersonMade: true, Warnings: "profile_incomplete,folder_dropped,field_refused:education,education_owed"},
		} {
			r.must(r.ledger.Step(t.Context(), claim, s))
		}
		r.start()
		r.finished(id)
		p, _ := r.tenant.Person(person)
		if inv := r.sim.Invariants(); inv.EmployeeWrites > 0 || p["education"] != nil || !strings.Contains(fmt.Sprint(p["folder"]), "D32013") {
			t.Errorf("%+v, person %v", inv, p)
		}
	})
	t.Run("the worker is killed", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: hiding(), tenant: hidesSchools, stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, c)
		claim := r.kill(r.outcomes(id)[0].Export, store.ExpressQueue, 0)
		person := r.tenant.AddPerson(map[string]any{
			"firstname": c.FirstName, "lastname": c.LastName, "email": c.Email, "folder": map[string]any{"id": icims.FolderActive},
			"education": []any{map[string]any{"school": map[string]any{"value": "Porto"}, "degree": map[string]any{"value": "MSc"}}},
		})
		for _, s := range []store.Step{
			{To: store.Creating, Lease: time.Second},
			{To: store.Created, Lease: time.Second, Person: person, PersonMade: true, Warnings: "profile_incomplete,field_refused:education,education_owed,field_refused:phones"},
		} {
			r.must(r.ledger.Step(t.Context(), claim, s))
		}
		r.start()
		complete(t, r, r.finished(id))
	})
}

// An account that may create people, but not add to them.
func TestEitherWorldDeniedEntriesCostNoWorkflow(t *testing.T) {
	t.Parallel()
	r := hides(t)
	r.sim.AddRule(icimstest.Rule{Route: "collections.add", Fault: icimstest.StatusBefore, Status: 403, Code: 3, Times: -1})
	c := ana()
	c.Education = []input.Education{{School: "Porto", Degree: "MSc"}, {School: "Hidden"}}
	b := r.run(input.ToJob(job), input.Options{}, c)
	if o := r.outcomes(b.ID)[0]; o.State != store.Done || o.Workflow == 0 || !strings.Contains(o.Warnings, "education_owed") || strings.Contains(o.Warnings, "incomplete") {
		t.Errorf("outcome %+v", o)
	}
	r.whole(b, 1)
}

// Refused numbers say nothing about the type of phones.
func TestEitherWorldRefusedNumbersKeepPhoneTypes(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	for _, route := range []string{"people.create", "collections.add"} {
		r.sim.AddRule(icimstest.Rule{
			Route: route, Fault: icimstest.StatusBefore, Status: 400, Code: 4, Times: -1,
			Match: func(call icimstest.Call) bool { return bytes.Contains(call.Body, []byte("+999")) },
		})
	}
	good := func(i int) bool { return i == 0 || i >= 5 }
	all := people(8)
	for i := range all {
		all[i].Phones = []input.Phone{{Number: fmt.Sprint("+999 912 000 00", i), Type: "mobile"}}
		if good(i) {
			all[i].Phones[0].Number = fmt.Sprint("+351 912 000 00", i)
		}
	}
	for i, c := range all {
		b := r.run(input.ToJob(job), input.Options{}, c)
		o := r.outcomes(b.ID)[0]
		p, _ := r.tenant.Person(o.Person)
		switch phones := fmt.Sprint(p["phones"]); {
		case !good(i) && o.Warnings != "field_refused:phones":
			t.Errorf("warnings %q", o.Warnings)
		case good(i) && (o.Warnings != "" || !strings.Contains(phones, "Mobile")):
			t.Errorf("warnings %q, phones %s", o.Warnings, phones)
		}
	}
}

// One refused field that iCIMS does not name costs no other.
func TestEitherWorldUnnamedRefusalsCostNoOtherField(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"field51001", "source", "folder", "education", "phones", "phonetype"} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm()})
			refuse := icimstest.Rule{
				Fault: icimstest.StatusBefore, Status: 400, Code: 4, Times: -1,
				Match: func(call icimstest.Call) bool { return bytes.Contains(call.Body, []byte(`"`+field+`"`)) },
			}
			for _, route := range []string{"people.create", "people.patch", "collections.add"} {
				refuse.Route = route
				r.sim.AddRule(refuse)
			}
			r.sim.AddRule(icimstest.Rule{
				Route: "collections.add", Fault: icimstest.StatusBefore, Status: 400, Code: 4, Times: -1,
				Match: func(call icimstest.Call) bool { return strings.HasSuffix(call.Path, "/"+field) },
			})
			all := people(8)
			for i := range all {
				all[i].LinkedInURL = fmt.Sprint("https://www.linkedin.com/in/person-", i)
				all[i].Phones = []input.Phone{{Number: fmt.Sprint("+351 912 000 00", i), Type: "mobile"}}
				all[i].Education = []input.Education{{School: "Porto", Degree: "MSc"}}
			}
			b := r.run(input.ToJob(job), input.Options{}, all...)
			for _, o := range r.outcomes(b.ID) {
				p, _ := r.tenant.Person(o.Person)
				for _, name := range []string{r.conn.WithDefaults().LinkedInField, "source", "folder", "education", "phones"} {
					if lost := p[name] == nil; lost != (name == field) && name != "folder" {
						t.Errorf("%s: %v in %v", name, p[name], p)
					}
				}
				if folder := fmt.Sprint(p["folder"]); strings.Contains(folder, icims.FolderActive) == (field == "folder") {
					t.Errorf("folder %s", folder)
				}
				want := map[string]string{
					"folder": "folder_dropped", "education": "field_refused:education,education_owed", "phonetype": "phone_type_dropped",
				}[field]
				if want == "" {
					want = "field_refused:" + field
				}
				if o.Warnings != want {
					t.Errorf("warnings %q, want %q", o.Warnings, want)
				}
			}
			r.whole(b, len(all))
		})
	}
}

func TestEitherWorldRefusedUpdatesCostNoWorkflow(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string][]icimstest.Rule{
		"the record lacks a required field": {{Route: "people.patch", Fault: icimstest.StatusBefore, Status: 400, Code: 1}},
		"people may not be changed":         {{Route: "people.patch", Fault: icimstest.AccessDenied404}},
		"people may not be changed: 403":    {{Route: "people.patch", Fault: icimstest.StatusBefore, Status: 403, Code: 3}},
		"phones may not be added":           {{Route: "collections.add", Fault: icimstest.AccessDenied404}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm()})
			c := ana()
			id := r.tenant.AddPerson(map[string]any{"firstname": "Other", "lastname": c.LastName, "email": c.Email})
			for _, rule := range rules {
				rule.Times = -1
				r.sim.AddRule(rule)
			}
			b := r.run(input.ToJob(job), input.Options{}, c)
			if o := r.outcomes(b.ID)[0]; o.State != store.Done || o.Person != id || o.Workflow == 0 || !strings.Contains(o.Warnings, "update_refused") {
				t.Errorf("outcome %+v", o)
			}
			r.whole(b, 1)
		})
	}
}

func TestEitherWorldRefusalsThatNameNoField(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	r.sim.AddRule(icimstest.Rule{
		Route: "workflows.create", Fault: icimstest.StatusBefore, Status: 400, Code: 4, Times: -1,
		Match: func(c icimstest.Call) bool { return bytes.Contains(c.Body, []byte(`"status"`)) },
	})
	b := r.run(input.ToJob(job), input.Options{}, people(5)...)
	for _, o := range r.outcomes(b.ID) {
		if !strings.Contains(o.Warnings, "status_dropped") {
			t.Errorf("warnings %q", o.Warnings)
		}
	}
	r.whole(b, 5)
}
