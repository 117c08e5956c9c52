package icimstest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInvariants(t *testing.T) {
	t.Run("people who share an address in any case are duplicates, purged ones are not", func(t *testing.T) {
		b := open(t, calm())
		a := b.tenant.AddPerson(map[string]any{"email": "a@example.com"})
		again := b.tenant.AddPerson(map[string]any{"email": "A@example.com"})
		b.tenant.AddPerson(map[string]any{"email": "a@example.com", "folder": map[string]any{"id": "D32002"}})
		inv := b.sim.Invariants()
		if diff := cmp.Diff([]DuplicateProfile{{customer, "a@example.com", []int64{a, again}}}, inv.DuplicateProfiles); diff != "" {
			t.Error(diff)
		}
		if inv.People != 2 || len(inv.Violations()) != 1 {
			t.Errorf("%+v", inv)
		}
	})
	t.Run("people of different customers are no duplicates", func(t *testing.T) {
		b := open(t, calm())
		other := b.sim.AddTenant(TenantConfig{Customer: "77", Username: "u", Password: "p"})
		b.tenant.AddPerson(map[string]any{"email": "a@example.com"})
		other.AddPerson(map[string]any{"email": "a@example.com"})
		if v := b.sim.Invariants().Violations(); len(v) > 0 {
			t.Error(v)
		}
	})
	t.Run("a changed address no longer counts as a duplicate", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		path := b.createAna("")
		b.must(204, "PATCH", path, `{"email":"new@example.com"}`)
		if v := b.sim.Invariants().Violations(); len(v) > 0 {
			t.Error(v)
		}
	})
	t.Run("history written to people who have one is counted", func(t *testing.T) {
		cfg := calm()
		now := noon
		cfg.Now = func() time.Time { return now }
		b := open(t, cfg)
		path := b.createAna(`,"workexperience":[{"worktitle":"x"}],"education":[{"otherschool":"x"}]`)
		b.must(204, "PATCH", path, `{"firstname":"Anna"}`)
		b.must(201, "POST", path+"/fields/education", `{"otherschool":"y"}`)
		if inv := b.sim.Invariants(); inv.ExperienceWrites+inv.EducationWrites != 0 {
			t.Errorf("a person who was made just now, or an entry added to it, is counted: %+v", inv)
		}
		b.must(204, "PATCH", path, `{"workexperience":[{"worktitle":"y"}]}`)
		now = now.Add(2 * time.Minute)
		b.must(201, "POST", path+"/fields/education", `{"otherschool":"z"}`)
		b.must(400, "PATCH", path, `{"workexperience":[{"worktitle":7}]}`)
		if inv := b.sim.Invariants(); inv.ExperienceWrites != 1 || inv.EducationWrites != 1 {
			t.Errorf("%+v", inv)
		}
		empty := "/people/" + itoa(b.tenant.AddPerson(map[string]any{"firstname": "B", "lastname": "D", "email": "b@example.com"}))
		b.must(201, "POST", empty+"/fields/education", `{"otherschool":"x"}`)
		b.must(201, "POST", empty+"/fields/education", `{"otherschool":"y"}`)
		if inv := b.sim.Invariants(); inv.EducationWrites != 1 {
			t.Errorf("an empty history that is filled is counted: %+v", inv)
		}
	})
	t.Run("writes to employees and to purged people are counted", func(t *testing.T) {
		b := open(t, calm())
		for _, folder := range []string{"D32013", "D32011", "D32002", "D32007"} {
			id := b.tenant.AddPerson(map[string]any{"firstname": "A", "lastname": "D", "email": folder + "@example.com", "folder": map[string]any{"id": folder}})
			b.must(204, "PATCH", "/people/"+itoa(id), `{"source":"SeekOut"}`)
		}
		if inv := b.sim.Invariants(); inv.EmployeeWrites != 2 || inv.PurgedWrites != 1 {
			t.Errorf("%+v", inv)
		}
	})
	t.Run("violations hold no address", func(t *testing.T) {
		i := Invariants{DuplicateProfiles: []DuplicateProfile{{customer, "a@example.com", []int64{1, 2}}}}
		if diff := cmp.Diff([]string{"customer 1234: people [1 2] share one e-mail address"}, i.Violations()); diff != "" {
			t.Error(diff)
		}
	})
}
