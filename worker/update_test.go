package worker_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

var included = input.Options{IncludePreviouslyExported: true}

// existing are the fields of a person that is in iCIMS before the export.
func existing(change map[string]any) map[string]any {
	f := map[string]any{
		"firstname": "Anna", "lastname": "Duarte", "email": "ana.duarte@example.com",
		"folder": map[string]any{"id": "D32006"},
		"phones": []any{map[string]any{"phonenumber": "(425) 555-0199", "phonetype": map[string]any{"value": "Home"}}},
	}
	maps.Copy(f, change)
	return f
}

func TestUpdate(t *testing.T) {
	t.Parallel()

	t.Run("a person with the same email gets only differing fields and missing phones", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		id := r.tenant.AddPerson(existing(nil))
		b := r.run(input.ToJob(job), input.Options{}, ana())
		if b.Updated != 1 || r.calls("people.create") != 0 {
			t.Fatalf("batch %+v, calls %v", b, r.sim.CallCounts())
		}
		p, _ := r.tenant.Person(id)
		folder, _ := p["folder"].(map[string]any)
		phones, _ := p["phones"].([]any)
		if p["firstname"] != "Ana" || len(phones) != 2 || folder["id"] == "D32007" || p["source"] != nil || p["workexperience"] != nil {
			t.Errorf("person %v", p)
		}
		if w := r.tenant.Workflows(); len(w) != 1 || w[0].Person != id {
			t.Errorf("workflows %+v", w)
		}
		r.clean()
	})

	t.Run("an unchanged second export takes at most three calls and writes nothing", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		r.run(input.ToJob(job), input.Options{}, ana())
		r.sim.ResetCalls()
		b := r.run(input.ToJob(job), included, ana())
		writes := r.calls("people.create", "people.patch", "collections.add", "workflows.create", "workflows.patch")
		if b.Updated != 1 || r.sim.CallCount() > 3 || writes != 0 {
			t.Errorf("batch %+v, calls %v", b, r.sim.CallCounts())
		}
		r.clean()
	})

	t.Run("another spelling is the same person, whether or not the exact search ignores case", func(t *testing.T) {
		t.Parallel()
		for _, heed := range []string{icimstest.Sensitive, icimstest.Insensitive} {
			sim := calm()
			sim.Behavior.SearchEmailCase = heed
			r := newRig(t, rigOptions{sim: sim})
			r.tenant.AddPerson(existing(map[string]any{"email": "Ana.Duarte@Example.COM"}))
			if b := r.run(input.Prospects, input.Options{}, ana()); b.Updated != 1 {
				t.Errorf("%s: batch %+v", heed, b)
			}
			r.clean()
		}
	})

	t.Run("employees and hiring managers are attached but not overwritten", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		id := r.tenant.AddPerson(existing(map[string]any{"folder": map[string]any{"id": "D32013"}}))
		b := r.run(input.ToJob(job), input.Options{}, ana())
		if p, _ := r.tenant.Person(id); b.Updated != 1 || p["firstname"] != "Anna" {
			t.Errorf("batch %+v, person %v", b, p)
		}
		if o := r.outcomes(b.ID)[0]; o.Warnings != "employee_not_updated" || o.Workflow == 0 {
			t.Errorf("outcome %+v", o)
		}
		if n := r.sim.Invariants().EmployeeWrites; n != 0 {
			t.Errorf("%d writes to employees", n)
		}
	})

	t.Run("a purged profile is ignored, a merge is followed", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		r.tenant.Purge(r.tenant.AddPerson(existing(nil)))
		if b := r.run(input.Prospects, input.Options{}, ana()); b.Created != 1 {
			t.Fatalf("with a purged profile: %+v", b)
		}
		primary := r.tenant.AddPerson(existing(map[string]any{"email": "ana@elsewhere.example.com"}))
		r.tenant.Merge(r.tenant.PeopleWithEmail("ana.duarte@example.com")[0], primary)
		b := r.run(input.Prospects, included, ana())
		o := r.outcomes(b.ID)[0]
		if b.Updated != 1 || o.Person != primary || !strings.Contains(o.Warnings, "person_merged") {
			t.Errorf("after a merge: %+v, outcome %+v", b, o)
		}
		if n := r.sim.Invariants().PurgedWrites; n != 0 {
			t.Errorf("%d writes to purged people", n)
		}
	})

	t.Run("the candidate's profile of several is used, with a warning", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		r.tenant.AddPerson(existing(map[string]any{"folder": map[string]any{"id": "D32018"}}))
		want := r.tenant.AddPerson(existing(nil))
		r.tenant.AddPerson(existing(nil))
		b := r.run(input.Prospects, input.Options{}, ana())
		if o := r.outcomes(b.ID)[0]; o.Person != want || o.Warnings != "several_profiles" {
			t.Errorf("outcome %+v, want person %d", o, want)
		}
	})

	t.Run("an existing workflow is a success, whatever the response to a second one", func(t *testing.T) {
		t.Parallel()
		for _, answer := range []string{icimstest.Reject400, icimstest.ReturnExisting, icimstest.Allow} {
			sim := calm()
			sim.Behavior.DuplicateWorkflow = answer
			r := newRig(t, rigOptions{sim: sim})
			person := r.tenant.AddPerson(existing(nil))
			want := r.tenant.AddWorkflow(person, job, "D10100")
			b := r.run(input.ToJob(job), input.Options{}, ana())
			if o := r.outcomes(b.ID)[0]; o.Workflow != want || r.calls("workflows.create") != 0 {
				t.Errorf("%s: outcome %+v, want workflow %d", answer, o, want)
			}
			r.clean()
		}
	})
}

func TestSharedEmails(t *testing.T) {
	t.Parallel()
	const pairs = 250
	r := newRig(t, rigOptions{sim: icimstest.Config{Seed: 7}, stopped: true})
	var first, second []input.Candidate
	for i, c := range people(pairs) {
		twin := c
		twin.ID = "twin-" + c.ID
		if i%2 == 0 {
			first, second = append(first, c), append(second, twin)
		} else {
			first, second = append(first, c, twin), append(second, twin)
		}
	}
	a := r.send(input.ToJob(job), input.Options{}, first...)
	slices.Reverse(second)
	b := r.send(input.ToJob(job), included, second...)
	r.start()
	one, two := r.finished(a), r.finished(b)
	if made := one.Created + two.Created; made != pairs || one.Dead+two.Dead != 0 {
		t.Errorf("%d created for %d e-mails: %+v, %+v", made, pairs, one, two)
	}
	if inv := r.sim.Invariants(); inv.People != pairs || inv.Workflows != pairs {
		t.Errorf("%d people and %d workflows for %d e-mails", inv.People, inv.Workflows, pairs)
	}
	r.clean()
}

func TestDummyEmails(t *testing.T) {
	t.Parallel()
	dummies := input.Options{GenerateDummyEmails: true, IncludePreviouslyExported: true}
	nameless := ana()
	nameless.Email = ""

	t.Run("each export of a candidate without an address creates a profile", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		first := r.run(input.Prospects, dummies, nameless)
		second := r.run(input.Prospects, dummies, nameless)
		if first.Created != 1 || second.Created != 1 || len(r.tenant.People()) != 2 {
			t.Errorf("%+v, %+v", first, second)
		}
		for _, p := range r.tenant.People() {
			if email, _ := p.Fields["email"].(string); !input.IsDummyEmail(email, tasks.DefaultDummyDomain) {
				t.Errorf("address %q", email)
			}
		}
	})

	t.Run("a taken dummy address is replaced", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(input.Prospects, dummies, nameless)
		taken := r.payload(id, 0).Candidate.Email
		other := r.tenant.AddPerson(existing(map[string]any{"email": taken}))
		r.start()
		if b := r.finished(id); b.Created != 1 {
			t.Errorf("batch %+v", b)
		}
		if p, _ := r.tenant.Person(other); p["firstname"] != "Anna" {
			t.Errorf("another person was overwritten: %v", p)
		}
		r.clean()
	})
}

func TestDummyOfALostRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	nameless := ana()
	nameless.Email = ""
	id := r.send(input.ToJob(job), input.Options{GenerateDummyEmails: true}, nameless)
	// As after a crash of Redis's machine: the person was created, and the ledger has lost the
	// record.
	made := r.tenant.AddPerson(existing(map[string]any{
		"firstname": nameless.FirstName, "lastname": nameless.LastName, "email": r.payload(id, 0).Candidate.Email,
	}))
	r.start()
	b := r.finished(id)
	if o := r.outcomes(id)[0]; b.Updated != 1 || o.Person != made || len(r.tenant.People()) != 1 {
		t.Errorf("%+v, %+v, %d people", b, o, len(r.tenant.People()))
	}
	r.clean()
}

// payload opens the ledger's payload of a queued export.
func (r *rig) payload(id store.BatchID, row int) tasks.Payload {
	r.t.Helper()
	ref := store.Ref{Customer: customer, Export: r.outcomes(id)[row].Export}
	key := "ix:{" + customer + "}:p:" + ref.Export
	sealed, err := r.redis.Get(r.t.Context(), key).Bytes()
	if err != nil {
		r.t.Fatal(err)
	}
	// A payload is sealed for its key and for its batch's target.
	to, err := r.redis.HMGet(r.t.Context(), "ix:{"+customer+"}:b:"+strings.TrimPrefix(string(id), customer+"-"), "t", "o").Result()
	if err != nil {
		r.t.Fatal(err)
	}
	data, err := r.ledger.Keys().Open(sealed, fmt.Sprintf("%s\n%s\n%s", key, to[0], to[1]))
	if err != nil {
		r.t.Fatal(err)
	}
	p, err := tasks.DecodePayload(data)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}
