package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// TestEitherWorldFolder updates people with a visible and a hidden folder.
func TestEitherWorldFolder(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{icimstest.Shown, icimstest.Hidden} {
		for _, missing := range []string{"", store.MissingFolderCandidate} {
			t.Run(folder+", missing folder "+missing, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{Folder: folder}), conn: func(c *store.Connection) { c.MissingFolder = missing }, stopped: true})
				all := people(10)
				for i, c := range all {
					in := "D32007"
					if i%2 == 0 && missing == "" {
						in = "D32013"
					}
					r.tenant.AddPerson(map[string]any{"firstname": "Old", "lastname": "Name", "email": c.Email, "folder": map[string]any{"id": in}})
				}
				r.start()
				b := r.run(input.ToJob(job), input.Options{}, all...)
				inv := r.sim.Invariants()
				if b.Updated != 10 || inv.EmployeeWrites != 0 || inv.Workflows != 10 {
					t.Errorf("batch %+v, invariants %+v", b, inv)
				}
				updated := 0
				for _, p := range r.tenant.People() {
					if p.Fields["firstname"] == "Ana" {
						updated++
					}
				}
				want := map[string]int{icimstest.Shown: 5, icimstest.Hidden: 0}[folder]
				if missing != "" {
					want = 10
				}
				if updated != want {
					t.Errorf("%d people updated, want %d", updated, want)
				}
				for _, o := range r.outcomes(b.ID) {
					if hidden := strings.Contains(o.Warnings, "folder_hidden"); hidden != (folder == icimstest.Hidden && missing == "") {
						t.Errorf("warnings %q", o.Warnings)
					}
				}
			})
		}
	}
}

// TestEitherWorldFolderOnCreate: a refused folder appears in the results.
func TestEitherWorldFolderOnCreate(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{icimstest.Warn, icimstest.Refuse} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{UnknownListValue: mode}), conn: func(c *store.Connection) { c.Folder.ID = "C999" }})
			b := r.run(input.ToJob(job), input.Options{}, people(5)...)
			for _, o := range r.outcomes(b.ID) {
				if o.State != store.Done || o.Warnings != "folder_dropped" {
					t.Errorf("outcome %+v", o)
				}
			}
			r.whole(b, 5)
		})
	}
}

// history counts the entries of a collection over all people, and those with a child.
func (r *rig) history(collection, child string) (people, entries, children int) {
	for _, p := range r.tenant.People() {
		list, _ := p.Fields[collection].([]any)
		if len(list) > 0 {
			people++
		}
		for _, e := range list {
			entries++
			if e.(map[string]any)[child] != nil {
				children++
			}
		}
	}
	return people, entries, children
}

// TestEitherWorldHiddenSchool: if the tenant hides the school, only the school is lost, whatever
// field iCIMS names in its refusal.
func TestEitherWorldHiddenSchool(t *testing.T) {
	t.Parallel()
	const n, every = 100, 20
	for _, names := range []string{icimstest.Path, icimstest.Child, icimstest.Collection, icimstest.None} {
		for _, mode := range []string{icimstest.Refuse, icimstest.Warn} {
			if names == icimstest.None && mode == icimstest.Warn {
				continue // a warning about no field says nothing about education
			}
			t.Run(names+", "+mode, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, rigOptions{
					sim: behaving(icimstest.Behavior{EntryProblemNames: names, UnknownListValue: mode}),
					tenant: func(c *icimstest.TenantConfig) {
						hidden := []string{}
						for i := range n {
							hidden = append(hidden, fmt.Sprint("Hidden School ", i))
						}
						c.HiddenEntries = map[string][]string{"lists.school": hidden}
					},
				})
				all := people(n)
				for i := range all {
					all[i].Education = []input.Education{{School: fmt.Sprint("School ", i), Degree: "BSc"}, {School: fmt.Sprint("College ", i), Degree: "MSc"}}
					if i%every == 0 {
						all[i].Education[1].School = fmt.Sprint("Hidden School ", i)
					}
				}
				b := r.run(input.ToJob(job), input.Options{}, all...)
				withEducation, _, schools := r.history("education", "school")
				if withEducation != n || schools != 2*n-n/every {
					t.Errorf("%d people with education, %d schools, want %d and %d", withEducation, schools, n, 2*n-n/every)
				}
				owed := 0
				for _, o := range r.outcomes(b.ID) {
					if strings.Contains(o.Warnings, "education_owed") {
						owed++
					}
				}
				if owed != n/every {
					t.Errorf("%d exports owe education, want %d", owed, n/every)
				}
				r.whole(b, n)
			})
		}
	}
}

// TestEitherWorldOwedEducationIsFilled: an update adds what an earlier export could not, if the
// history is empty.
func TestEitherWorldOwedEducationIsFilled(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{icimstest.Refuse, icimstest.Warn} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{UnknownListValue: mode}), tenant: func(c *icimstest.TenantConfig) {
				c.HiddenEntries = map[string][]string{"lists.school": {"Hidden School"}}
			}})
			a := ana()
			a.Education = []input.Education{{School: "Hidden School"}}
			first := r.run(input.Prospects, input.Options{}, a)
			if o := r.outcomes(first.ID)[0]; !strings.Contains(o.Warnings, "education_owed") || o.State != store.Done {
				t.Fatalf("outcome %+v", o)
			}
			story, err := r.ledger.Timeline(t.Context(), store.Ref{Customer: customer, Export: r.outcomes(first.ID)[0].Export})
			if err != nil || len(story) == 0 {
				t.Errorf("the timeline lacks it: %+v, %v", story, err)
			}
			a.Education = ana().Education
			again := r.run(input.Prospects, input.Options{IncludePreviouslyExported: true}, a)
			if o := r.outcomes(again.ID)[0]; o.Warnings != "" || again.Updated != 1 {
				t.Errorf("outcome %+v", o)
			}
			if people, entries, _ := r.history("education", "school"); people != 1 || entries != 1 {
				t.Errorf("%d people with education, %d entries", people, entries)
			}
			a.Education = append(a.Education, input.Education{School: "Another"})
			r.run(input.Prospects, input.Options{IncludePreviouslyExported: true}, a)
			if _, entries, _ := r.history("education", "school"); entries != 1 {
				t.Errorf("an existing education was changed: %d entries", entries)
			}
			r.clean()

			// Another user may have added what is owed.
			other := people(1)[0]
			other.Education = []input.Education{{School: "Hidden School"}}
			made := r.outcomes(r.run(input.Prospects, input.Options{}, other).ID)[0]
			if !strings.Contains(made.Warnings, "education_owed") {
				t.Errorf("outcome %+v", made)
			}
			r.tenant.Change(made.Person, map[string]any{"education": []any{map[string]any{"school": map[string]any{"value": "Entered by hand"}}}})
			other.Education = a.Education
			r.run(input.Prospects, input.Options{IncludePreviouslyExported: true}, other)
			if p, _ := r.tenant.Person(made.Person); len(p["education"].([]any)) != 1 {
				t.Errorf("an education added manually was changed: %v", p["education"])
			}
		})
	}
}

// TestEitherWorldStatusByLabel: workflows have the connection's status or a warning, whatever
// iCIMS does with a label.
func TestEitherWorldStatusByLabel(t *testing.T) {
	t.Parallel()
	const n = 12
	for _, mode := range []string{icimstest.Accepted, icimstest.Refused, icimstest.Ignored, icimstest.IgnoredWarn} {
		for _, seen := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, seen before: %v", mode, seen), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{StatusByValue: mode}), stopped: true})
				if seen {
					r.tenant.AddWorkflow(r.tenant.AddPerson(existing(map[string]any{"email": "else@example.com"})), job+1, "D10106")
				}
				r.start()
				b := r.run(input.ToJob(job), input.Options{}, people(n)...)
				right := 0
				for _, w := range r.tenant.Workflows() {
					if w.Job == job && w.StatusID == "D10106" {
						right++
					}
				}
				dropped := 0
				for _, o := range r.outcomes(b.ID) {
					if o.State != store.Done {
						t.Errorf("outcome %+v", o)
					}
					if strings.Contains(o.Warnings, "status_dropped") {
						dropped++
					}
				}
				if right+dropped != n || seen && right != n || mode == icimstest.Accepted && right != n {
					t.Errorf("%d workflows in the status, %d warnings", right, dropped)
				}
				if calls := r.calls("workflows.get", "workflows.patch", "search.applicantworkflows"); calls > 6 {
					t.Errorf("%d calls to learn it: %v", calls, r.sim.CallCounts())
				}
				r.clean()
			})
		}
	}
}

// TestEitherWorldStatusOfNewWorkflows: iCIMS may ignore the status of a new workflow. Each one is then
// set by a second call, whether a verification found that out or not.
func TestEitherWorldStatusOfNewWorkflows(t *testing.T) {
	t.Parallel()
	const n = 6
	verified := store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes, KeepsStatus: store.Yes, StatusID: "D10106", StatusLater: store.Yes}
	for _, mode := range []string{icimstest.Accepted, icimstest.Ignored} {
		for name, profile := range map[string]store.TenantProfile{"verified": verified, "not verified": {SearchOr: store.Yes, ReadsPair: store.Yes}} {
			for _, byLabel := range []string{icimstest.Accepted, icimstest.Ignored} {
				t.Run(fmt.Sprintf("%s, %s, label %s", mode, name, byLabel), func(t *testing.T) {
					t.Parallel()
					r := tenantRig(t, icimstest.Behavior{StatusOnCreate: mode, StatusByValue: byLabel}, profile)
					r.tenant.AddWorkflow(r.tenant.AddPerson(existing(map[string]any{"email": "else@example.com"})), job+1, "D10106")
					b := r.run(input.ToJob(job), input.Options{}, people(n)...)
					for _, w := range r.tenant.Workflows() {
						if w.StatusID != "D10106" {
							t.Errorf("workflow %d has the status %s", w.ID, w.StatusID)
						}
					}
					for _, o := range r.outcomes(b.ID) {
						if strings.Contains(o.Warnings, "status_dropped") {
							t.Errorf("outcome %+v", o)
						}
					}
					if patches := r.calls("workflows.patch"); mode == icimstest.Accepted && patches > 1 || patches > n {
						t.Errorf("%d changes", patches)
					}
					r.clean()
				})
			}
		}
	}
}

// TestOneFailedStatusChangeAffectsOneWorkflow: a fault while the first workflow gets its status says
// nothing about the others.
func TestOneFailedStatusChangeAffectsOneWorkflow(t *testing.T) {
	t.Parallel()
	const n = 6
	r := tenantRig(t, icimstest.Behavior{StatusOnCreate: icimstest.Ignored}, store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes, StatusID: "D10106"})
	r.sim.AddRule(icimstest.Rule{Route: "workflows.patch", Fault: icimstest.StatusBefore, Status: 503})
	b := r.run(input.ToJob(job), input.Options{}, people(n)...)
	right, dropped := 0, 0
	for _, w := range r.tenant.Workflows() {
		if w.StatusID == "D10106" {
			right++
		}
	}
	for _, o := range r.outcomes(b.ID) {
		if strings.Contains(o.Warnings, "status_dropped") {
			dropped++
		}
	}
	if right != n-1 || dropped != 1 {
		t.Errorf("%d workflows in the status, %d warnings", right, dropped)
	}
}

// TestStatusThatIsNeverStoredIsReported: neither a new workflow nor a change stores the status, and
// iCIMS does not say so.
func TestStatusThatIsNeverStoredIsReported(t *testing.T) {
	t.Parallel()
	const n = 6
	profile := store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes, StatusID: "D10106"}
	r := tenantRig(t, icimstest.Behavior{}, profile, func(o *rigOptions) {
		o.tenant = func(c *icimstest.TenantConfig) { c.UnstoredFields = []string{"applicantworkflow.status"} }
	})
	b := r.run(input.ToJob(job), input.Options{}, people(n)...)
	for _, o := range r.outcomes(b.ID) {
		if !strings.Contains(o.Warnings, "status_dropped") {
			t.Errorf("outcome %+v", o)
		}
	}
	if patches := r.calls("workflows.patch"); patches > 1 {
		t.Errorf("%d changes", patches)
	}
}

// A tenant that stops accepting the status after verification: a warning counts as a refusal.
func TestEitherWorldStatusIsIgnoredLater(t *testing.T) {
	t.Parallel()
	const n = 6
	for mode, dropped := range map[string]int{icimstest.Accepted: 0, icimstest.IgnoredWarn: n} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{StatusByValue: mode}, store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes, KeepsStatus: store.Yes})
			b := r.run(input.ToJob(job), input.Options{}, people(n)...)
			told := 0
			for _, o := range r.outcomes(b.ID) {
				if strings.Contains(o.Warnings, "status_dropped") {
					told++
				}
			}
			if told != dropped {
				t.Errorf("%d of %d have a warning", told, dropped)
			}
			r.holds(n, n)
		})
	}
}

// TestEitherWorldUnknownFields: fields that the tenant lacks cause the same warnings, whether
// iCIMS refuses them or saves the record without them.
func TestEitherWorldUnknownFields(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{icimstest.Warn, icimstest.Refuse} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{UnknownField: mode, UnknownListValue: mode}), tenant: func(c *icimstest.TenantConfig) {
				c.LinkedInField, c.WorkExperience.Collection, c.Education.Collection = "", "rcf1", "rcf2"
				c.PhoneTypes = []string{"Office"}
			}})
			b := r.run(input.ToJob(job), input.Options{}, people(10)...)
			for _, o := range r.outcomes(b.ID) {
				for _, w := range []string{"field_refused:field51001", "field_refused:workexperience", "field_refused:education", "education_owed", "work_experience_owed", "phone_type_dropped"} {
					if !strings.Contains(o.Warnings, w) {
						t.Errorf("warnings %q lack %s", o.Warnings, w)
					}
				}
				if strings.Contains(o.Warnings, "saved_with_warning") {
					t.Errorf("warnings %q", o.Warnings)
				}
			}
			r.whole(b, 10)
		})
	}
}

// An account may have the right to create people but not to change them, and a tenant may refuse
// the source of workflows. The candidate gets the workflow in both cases.
func TestEitherWorldFieldsAreRefusedOnUpdateAndOfWorkflows(t *testing.T) {
	t.Parallel()
	refusal := func(route, field string) icimstest.Rule {
		return icimstest.Rule{Route: route, Fault: icimstest.StatusBefore, Status: 400, Code: 4, Field: field, Times: -1}
	}
	t.Run("a refused workflow source is left out", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		r.sim.AddRule(refusal("workflows.create", "source"))
		const n = 60
		b := r.run(input.ToJob(job), input.Options{}, people(n)...)
		for _, o := range r.outcomes(b.ID) {
			if o.Warnings != "field_refused:source" {
				t.Errorf("warnings %q", o.Warnings)
			}
		}
		r.whole(b, n)
		const together = 16 // exports of a lane, all started before the third refusal
		if calls := r.calls("workflows.create"); calls > n+3+together {
			t.Errorf("%d calls for %d workflows", calls, n)
		}
	})
	t.Run("a refused name is not changed", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		all := people(5) // the first four are in iCIMS under another name, and the last one is created after them
		var ids []int64
		for _, c := range all[:4] {
			ids = append(ids, r.tenant.AddPerson(map[string]any{"firstname": "Other", "lastname": c.LastName, "email": c.Email}))
		}
		r.sim.AddRule(refusal("people.patch", "firstname"))
		b := r.run(input.ToJob(job), input.Options{}, all[:4]...)
		for i, o := range r.outcomes(b.ID) {
			if !slices.Contains(ids, o.Person) || o.Workflow == 0 || !strings.Contains(o.Warnings, "field_refused:firstname") {
				t.Errorf("outcome %d: %+v", i, o)
			}
		}
		if created := r.run(input.ToJob(job), input.Options{}, all[4]); created.Created != 1 {
			t.Errorf("afterwards: %+v", created)
		}
	})
}
