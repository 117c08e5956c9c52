package worker_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// hides returns a rig whose tenant hides schools whose names begin with "Hidden" and names only the
// collection when it refuses one.
func hides(t *testing.T, changes ...func(*icimstest.Behavior)) *rig {
	t.Helper()
	world := icimstest.Behavior{EntryProblemNames: icimstest.Collection, UnknownListValue: icimstest.Refuse}
	for _, change := range changes {
		change(&world)
	}
	return newRig(t, rigOptions{
		sim: behaving(world),
		tenant: func(c *icimstest.TenantConfig) {
			hidden := []string{"Hidden"}
			for i := range 40 {
				hidden = append(hidden, fmt.Sprint("Hidden ", i))
			}
			c.HiddenEntries = map[string][]string{"lists.school": hidden}
		},
	})
}

func TestEitherWorldRefusedEntriesCostNoOthers(t *testing.T) {
	t.Parallel()
	t.Run("the same combination of an accepted and a refused entry, many times", func(t *testing.T) {
		t.Parallel()
		r := hides(t)
		all := people(30)
		for i := range all {
			all[i].Education = []tasks.Education{{School: "Porto", Degree: "MSc"}, {School: "Hidden", Degree: "BSc"}}
		}
		b := r.run(tasks.ToJob(job), tasks.Options{}, all...)
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
				all[i].Education = []tasks.Education{{School: "Porto", Degree: "MSc"}, {School: "Hidden"}}
				if i%3 == 0 {
					all[i].Education = []tasks.Education{{School: "Porto", Degree: "MSc"}}
				}
			}
			b := r.run(tasks.ToJob(job), tasks.Options{}, all...)
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
			all[i].Education = []tasks.Education{{School: school, Degree: "BSc"}}
		}
		r.run(tasks.ToJob(job), tasks.Options{}, all[:15]...)
		r.run(tasks.ToJob(job), tasks.Options{}, all[15:]...)
		if withEducation, _, _ := r.history("education", "school"); withEducation != 30 {
			t.Errorf("%d people with education, want 30", withEducation)
		}
	})
	t.Run("a lost answer after the refusal", func(t *testing.T) {
		t.Parallel()
		r := hides(t)
		c := ana()
		c.Education = []tasks.Education{{School: "Porto", Degree: "MSc"}, {School: "Hidden", Degree: "BSc"}}
		r.sim.AddRule(icimstest.Rule{Route: "people.create", Nth: 2, Fault: icimstest.ResetAfter})
		b := r.run(tasks.ToJob(job), tasks.Options{}, c)
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
	c.Education = []tasks.Education{{School: "Porto", Degree: "MSc"}, {School: "Hidden", Degree: "BSc"}}
	r.sim.AddRule(icimstest.Rule{Route: "people.create", Nth: 2, Fault: icimstest.ResetBefore})
	id := r.send(tasks.ToJob(job), tasks.Options{}, c)
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
			b := r.run(tasks.ToJob(job), tasks.Options{}, c)
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
	b := r.run(tasks.ToJob(job), tasks.Options{}, people(5)...)
	for _, o := range r.outcomes(b.ID) {
		if !strings.Contains(o.Warnings, "status_dropped") {
			t.Errorf("warnings %q", o.Warnings)
		}
	}
	r.whole(b, 5)
}
