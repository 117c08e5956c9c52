package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

const (
	mine   = "1234"
	theirs = "567890123"
	nobody = "424242424"
)

// samples are values for path parameters other than the customer.
var samples = map[string]string{
	"export": "abcdefgh234567ij", "candidate": "c-1", "verification": "abcdefgh234567ij",
}

// pathOf returns an operation's path with its parameters filled in.
func pathOf(o op, customer, batch string) string {
	path := strings.ReplaceAll(o.Path, "{customer}", customer)
	if batch == "" {
		batch = customer + "-abcdefgh234567ij"
	}
	path = strings.ReplaceAll(path, "{batch}", batch)
	return pathParameter.ReplaceAllStringFunc(path, func(name string) string {
		if value, ok := samples[strings.Trim(name, "{}")]; ok {
			return value
		}
		return "abcdefgh234567ij"
	})
}

// withConnection gives a customer a connection.
func (r *rig) withConnection(customer string) {
	r.t.Helper()
	_, err := r.Ledger.Connections.Add(r.t.Context(), store.Connection{
		Customer: customer, Username: "export-user", Password: "hunter2",
		PortalURLs: "https://api.icims.com/customers/" + customer + "/search/portals/1?staleness=0",
	}, "ana", "")
	if err != nil {
		r.t.Fatal(err)
	}
}

// withEverything gives a customer one of everything that another caller might read or change.
func (r *rig) withEverything(customer string) tasks.Receipt {
	r.t.Helper()
	ctx := r.t.Context()
	r.withConnection(customer)
	receipt, err := r.Producer.Enqueue(ctx, input.Batch{
		Customer: customer, Candidates: input.Candidates(input.Candidate{ID: "c-1", FirstName: "Ana", LastName: "Lytic", Email: "ana@example.com"}),
	})
	if err != nil || receipt.Accepted != 1 {
		r.t.Fatalf("%+v, %v", receipt, err)
	}
	if err := r.Ledger.AuditLog.Append(ctx, store.AuditLogEntry{Who: "ana", What: "pause", Customer: customer, Outcome: store.JournalDone}); err != nil {
		r.t.Fatal(err)
	}
	return receipt
}

// state returns the content of Redis, except for when API keys were last used.
func (r *rig) state() map[string][]string {
	r.t.Helper()
	all := map[string][]string{}
	for _, e := range redistest.Dump(r.t, r.redis) {
		if e.Key != "ix:apikeys" && e.Key != "ix:ready" { // last use of keys, and the write test
			all[e.Key] = slices.Sorted(slices.Values(e.Values))
		}
	}
	return all
}

func TestKeyOfOneCustomerReadsAndChangesNothingOfAnother(t *testing.T) {
	r := newRig(t, withoutRateLimits)
	r.withEverything(mine)
	receipt := r.withEverything(theirs)
	for _, scope := range Scopes() {
		key := r.key(scope, mine)
		for _, o := range r.ops {
			if o.Scope == scopeNone || !principalOfKey(store.APIKey{ID: "x", Scopes: []string{string(scope)}}).Has(o.Scope) {
				continue
			}
			t.Run(string(scope)+" "+o.ID, func(t *testing.T) {
				before := r.state()
				if strings.Contains(o.Path, "{customer}") {
					p := r.call(key, o.Method, pathOf(o, theirs, string(receipt.Batch)), "{}").problem(CodeCustomerUnknown)
					// An unknown customer gets the same response.
					q := r.call(key, o.Method, pathOf(o, nobody, ""), "{}").problem(CodeCustomerUnknown)
					p.RequestID, q.RequestID = "", ""
					if diff := cmp.Diff(p, q, cmpopts.IgnoreUnexported(Problem{})); diff != "" {
						t.Errorf("it can be told that there is such a customer: %s", diff)
					}
					if strings.Contains(o.Path, "{batch}") {
						// The key's own customer in the path does not help.
						r.call(key, o.Method, pathOf(o, mine, string(receipt.Batch)), "{}").problem(CodeNoBatch)
					}
				} else if a := r.call(key, o.Method, pathOf(o, mine, ""), nil); strings.Contains(string(a.body), theirs) {
					t.Errorf("the answer tells of another customer: %s", a.body)
				}
				if diff := cmp.Diff(before, r.state()); diff != "" {
					t.Errorf("it has changed %s", diff)
				}
			})
		}
	}
}

func TestEveryRouteNeedsAKeyWithItsScope(t *testing.T) {
	r := newRig(t, withoutRateLimits)
	r.withEverything(mine)
	before := r.state()
	for _, o := range r.ops {
		if o.Scope == scopeNone {
			continue
		}
		t.Run(o.ID, func(t *testing.T) {
			path := pathOf(o, mine, "")
			for _, key := range []string{"", "ixk_abcdefgh234567ij_" + strings.Repeat("a", 52), "nonsense"} {
				a := r.call(key, o.Method, path, "{}")
				if a.problem(CodeUnauthenticated); a.Header.Get("WWW-Authenticate") == "" {
					t.Error("the answer does not say how to come")
				}
				r.now.Pass(time.Minute) // below the limit of failures
			}
			for _, scope := range Scopes() {
				if !scope.includes(o.Scope) {
					r.call(r.key(scope), o.Method, path, "{}").problem(CodeScopeMissing)
				}
			}
		})
	}
	if diff := cmp.Diff(before, r.state()); diff != "" {
		t.Errorf("it has changed %s", diff)
	}
}

func TestScopesIncludeEachOther(t *testing.T) {
	want := map[Scope][]Scope{
		ScopeRead: {ScopeRead}, ScopeExport: {ScopeRead, ScopeExport}, ScopeOperate: {ScopeRead, ScopeOperate},
		ScopeAdmin: {ScopeRead, ScopeExport, ScopeOperate, ScopeAdmin},
	}
	for _, scope := range Scopes() {
		for _, other := range Scopes() {
			if got := scope.includes(other); got != slices.Contains(want[scope], other) {
				t.Errorf("%s includes %s: %t", scope, other, got)
			}
		}
		if !scope.includes(scopeAny) {
			t.Errorf("%s does not do for what any key may", scope)
		}
	}
	if Scope("root").includes(ScopeAdmin) || (Principal{}).Has(scopeAny) || (Principal{}).May(mine) {
		t.Error("nobody may something")
	}
}

// Every operation is documented completely.
func TestEveryRouteIsDocumented(t *testing.T) {
	r := newRig(t)
	seen := map[string]bool{}
	for _, o := range r.ops {
		if o.ID == "" || seen[o.ID] || o.Summary == "" || len(o.Tags) == 0 {
			t.Errorf("%s %s lacks an id of its own, a summary or a tag", o.Method, o.Path)
		}
		seen[o.ID] = true
		if o.Changes && o.Method == http.MethodGet {
			t.Errorf("%s: a GET must change nothing", o.ID)
		}
		for _, code := range o.Errors {
			if _, ok := codes[code]; !ok {
				t.Errorf("%s: the code %s is not in the list", o.ID, code)
			}
		}
		if _, err := url.Parse(pathOf(o, mine, "")); err != nil {
			t.Error(err)
		}
	}
}

func withoutRateLimits(d *Deps) { d.Settings.KeyRate, d.Settings.KeyBurst = 1e6, 1_000_000 }

// Every route returns an error for an unknown customer in the path: it returns no empty list and
// changes nothing.
func TestEveryRouteRefusesUnknownCustomers(t *testing.T) {
	r := newRig(t)
	admin := r.key(ScopeAdmin)
	makesKnown := []string{"put-connection", "pause-lane", "resume-lane", "verify-connection"}
	asked := 0
	for _, o := range r.ops {
		if !strings.Contains(o.Path, "{customer}") || slices.Contains(makesKnown, o.ID) {
			continue
		}
		asked++
		query := "?why=x&job=1&prefix=a"
		for _, path := range []string{pathOf(o, nobody, ""), pathOf(o, nobody, "") + query} {
			a := r.call(admin, o.Method, path, map[string]any{"why": "x", "candidates": []string{"c-1"}, "job": 1})
			if a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusUnprocessableEntity && a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s %s: %d %.200s", o.Method, path, a.StatusCode, a.body)
			}
			// Without a body, a request is valid without a query.
			if o.Method == http.MethodGet && path == pathOf(o, nobody, "") && a.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s: %d %.200s", o.Method, path, a.StatusCode, a.body)
			}
			if a.StatusCode == http.StatusOK || a.StatusCode == http.StatusAccepted {
				t.Errorf("%s answers as if there were such a customer", o.ID)
			}
		}
	}
	// The audit log has the attempts for the unknown customer, and nothing of others.
	r.call(admin, http.MethodGet, "/v1/journal?customer="+nobody+"0", nil).problem(CodeCustomerUnknown)
	if asked < 15 {
		t.Errorf("only %d routes were asked", asked)
	}
	if customers, err := r.Ledger.Workers.Customers(t.Context()); err != nil || slices.Contains(customers, nobody) {
		t.Errorf("asking has made the customer known: %q, %v", customers, err)
	}
}
