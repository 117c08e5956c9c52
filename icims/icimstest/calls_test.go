package icimstest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCallLog(t *testing.T) {
	t.Run("a call is kept with route, section, status and body, without credentials", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		got := b.sim.Calls()
		want := []Call{{At: noon, Seq: 1, Customer: customer, Method: "POST", Path: "/customers/1234/people", Route: "people.create",
			Section: "5.2", Status: 201, Effect: true, Created: 90001, Body: []byte(ana + "}")}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the newest calls are kept, all are counted", func(t *testing.T) {
		cfg := calm()
		cfg.KeepCalls = 3
		b := open(t, cfg)
		for i := range 5 {
			b.do("GET", fmt.Sprintf("/people/%d", i+1), "")
		}
		var seqs []int
		for _, c := range b.sim.Calls() {
			seqs = append(seqs, c.Seq)
		}
		if diff := cmp.Diff([]int{3, 4, 5}, seqs); diff != "" {
			t.Error(diff)
		}
		if n := b.sim.CallCount(); n != 5 || b.sim.CallCounts()["people.get"] != 5 {
			t.Error(n)
		}
		b.sim.ResetCalls()
		if len(b.sim.Calls()) != 0 || b.sim.CallCount() != 0 {
			t.Error("calls after a reset")
		}
	})
	t.Run("-1 keeps counts only", func(t *testing.T) {
		cfg := calm()
		cfg.KeepCalls = -1
		b := open(t, cfg)
		b.must(200, "GET", "", "")
		if len(b.sim.Calls()) != 0 || b.sim.CallCount() != 1 {
			t.Error(b.sim.Calls())
		}
	})
	t.Run("old bodies are dropped when there are too many", func(t *testing.T) {
		l := newCallLog(100)
		for range 100 + 30 {
			l.begin(&Call{Body: make([]byte, bodyBudget/20)})
		}
		with := 0
		for i := range l.ring {
			c := l.ring[(l.next+i)%len(l.ring)]
			if c.Body != nil {
				with++
			} else if with > 0 {
				t.Fatalf("call %d lost its body before an older one", c.Seq)
			}
		}
		if with != 20 || l.bodies > bodyBudget {
			t.Errorf("%d bodies of %d bytes in all", with, l.bodies)
		}
	})
}

func TestConcurrentCalls(t *testing.T) {
	sim := New(calm())
	tenant := sim.AddTenant(DemoTenant(customer, "user", "secret"))
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 50 {
				email := fmt.Sprintf("p%d-%d@example.com", worker, i)
				res, err := post(t.Context(), sim, "/people", fmt.Sprintf(`{"firstname":"P","lastname":"Q","email":"%s","education":[{"school":{"value":"S%d"}}]}`, email, i))
				if err != nil || res.StatusCode != 201 {
					t.Errorf("%v %v", res, err)
					return
				}
				id := res.Header.Get("Location")[strings.LastIndex(res.Header.Get("Location"), "/")+1:]
				for _, call := range [][2]string{
					{"/applicantworkflows", `{"baseprofile":1701,"associatedprofile":` + id + `}`},
					{"/search/people", `{"filters":[` + byEmail(email) + `]}`},
					{"/people/" + id + "/fields/phones", `{"phonenumber":"1"}`},
				} {
					if res, err := post(t.Context(), sim, call[0], call[1]); err != nil || res.StatusCode >= 300 {
						t.Errorf("%s: %v %v", call[0], res, err)
					}
				}
				sim.Calls()
				sim.Invariants()
			}
		})
	}
	wg.Wait()
	if inv := sim.Invariants(); inv.People != 400 || inv.Workflows != 400 || len(inv.Violations()) > 0 {
		t.Errorf("%+v", inv)
	}
	if n := len(tenant.lists[listSchool].entries); n != 50 {
		t.Errorf("%d schools, want 50", n)
	}
}
