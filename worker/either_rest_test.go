package worker_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// The tests named TestEitherWorld run exports in both positions of a switch of the simulator.
// docs/fidelity.md has the table.

// TestEitherWorldCallsPerSecond: iCIMS allows more calls than ours per second, the same number
// without a burst, or fewer.
func TestEitherWorldCallsPerSecond(t *testing.T) {
	t.Parallel()
	const n, ours = 40, 10
	for _, own := range []float64{0, ours, ours * 0.6} {
		t.Run(fmt.Sprint(own), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{
				sim:    calm(),
				tenant: func(c *icimstest.TenantConfig) { c.Limits = icimstest.Limits{CallsPerSecond: own} },
				conn: func(c *store.Connection) {
					c.Limits = store.Limits{CallsPerSecond: ours, Burst: 10, InFlight: 4, CallsPerDay: 10_000}
				},
			})
			all := people(n)
			r.knows(all[:n/2]...)
			done := r.run(input.Prospects, input.Options{}, all...)
			r.ended(done, n/2, n/2, 0)
			if inv := r.sim.Invariants(); inv.People != n {
				t.Errorf("%d people, want %d", inv.People, n)
			}
			r.clean()
			seen := r.tenant.Traffic()
			if seen.OverRate > 12 {
				t.Errorf("%d calls over iCIMS's rate", seen.OverRate)
			}
			t.Logf("%d calls, %d over the rate", seen.Calls, seen.OverRate)
		})
	}
}

// TestEitherWorldOtherAnswers: new and known people, in the other position of each switch without
// a row of its own. People and workflows are created once, and data of known people stays.
func TestEitherWorldOtherAnswers(t *testing.T) {
	t.Parallel()
	const n = 8
	for name, b := range map[string]icimstest.Behavior{
		"as documented":                          {},
		"PATCH replaces collections":             {CollectionPatch: icimstest.Replace},
		"a known entry is answered without path": {DuplicateEntryLocation: icimstest.Absent},
		"workflows have no default status":       {MissingStatus: icimstest.None, StatusByValue: icimstest.Refused},
		"texts that are too long are cut":        {OverlongText: icimstest.Truncate},
		"warnings come in the header alone":      {WarningCarrier: icimstest.Header, UnknownListValue: icimstest.Warn},
		"warnings come in the body alone":        {WarningCarrier: icimstest.Body, UnknownListValue: icimstest.Warn},
		"a second e-mail is refused with 400":    {DuplicateEmail: icimstest.Reject400Code4},
		"a second e-mail is refused with 409":    {DuplicateEmail: icimstest.Reject409},
		"an unlinked pair is an empty object":    {PairRoute: icimstest.EmptyObject},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, b, store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes}, func(o *rigOptions) {
				o.tenant = func(c *icimstest.TenantConfig) {
					c.HiddenEntries = map[string][]string{"lists.school": {"Hidden School"}}
				}
			})
			all := people(2 * n)
			ids := make([]int64, n)
			for i := range all {
				all[i].WorkExperience[0].Title = strings.Repeat("Engineer ", 20)
				if i < n {
					ids[i] = r.tenant.AddPerson(map[string]any{
						"firstname": "Anna", "lastname": "Duarte", "email": all[i].Email, "folder": map[string]any{"id": "D32007"},
						"phones":    []any{map[string]any{"phonenumber": fmt.Sprint("99", i)}},
						"education": []any{map[string]any{"school": map[string]any{"value": "Their Own"}}},
					})
				}
			}
			all[n].Education[0].School = "Hidden School"
			done := r.run(input.ToJob(job), input.Options{}, all...)
			r.ended(done, n, n, 0)
			r.holds(2*n, 2*n)
			for i, id := range ids {
				p, _ := r.tenant.Person(id)
				phones, _ := p["phones"].([]any)
				education, _ := p["education"].([]any)
				if len(phones) != 2 || len(education) != 1 || p["firstname"] != "Ana" {
					t.Errorf("known person %d: %v", i, p)
				}
			}
			for _, o := range r.outcomes(done.ID) {
				if owed := strings.Contains(o.Warnings, "education_owed"); owed != (o.Candidate == all[n].ID) {
					t.Errorf("%+v", o)
				}
			}
		})
	}
}

// TestEitherWorldSpentQuota: whatever status iCIMS returns when the daily calls are used up,
// exports wait for the next day.
func TestEitherWorldSpentQuota(t *testing.T) {
	t.Parallel()
	const n = 20
	for _, status := range []int{http.StatusTooManyRequests, http.StatusForbidden, http.StatusServiceUnavailable} {
		for _, after := range []string{icimstest.Absent, icimstest.Present} {
			t.Run(fmt.Sprintf("%d, Retry-After %s", status, after), func(t *testing.T) {
				t.Parallel()
				r := tenantRig(t, icimstest.Behavior{QuotaStatus: status, RetryAfter: after}, store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes}, func(o *rigOptions) {
					o.tenant = func(c *icimstest.TenantConfig) { c.DailyLimit = 1000 }
				})
				all := people(n + 2)
				r.ended(r.run(input.ToJob(job), input.Options{}, all[n:]...), 2, 0, 0)
				before := r.sim.CallCount()
				r.tenant.SpendQuota(1000) // by another user of the account
				id := r.send(input.ToJob(job), input.Options{}, all[:n]...)
				r.closedBy(store.Reason(icims.ReasonQuotaExhausted))
				for _, o := range r.outcomes(id) {
					if o.State == store.Dead || o.State == store.Done || o.State == store.Deferred && o.Reason != store.Reason(icims.ReasonQuotaExhausted) {
						t.Errorf("%+v", o)
					}
				}
				if refused := r.sim.CallCount() - before; refused == 0 || refused > n {
					t.Errorf("%d calls were refused", refused)
				}
				if inv := r.sim.Invariants(); inv.People != 2 || inv.Workflows != 2 {
					t.Errorf("%d people and %d workflows", inv.People, inv.Workflows)
				}
			})
		}
	}
}
