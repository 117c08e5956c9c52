package icimstest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// State is the response to GET /_sim/state.
type State struct {
	Calls        int            `json:"calls"`
	CallsByRoute map[string]int `json:"calls_by_route"`
	Tenants      []TenantState  `json:"tenants"`
}

// TenantState counts one tenant's records and calls.
type TenantState struct {
	Customer  string `json:"customer"`
	People    int    `json:"people"`
	Workflows int    `json:"workflows"`
	Jobs      int    `json:"jobs"`
	Portals   int    `json:"portals"`
	Limit     int    `json:"limit"`
	Remaining int    `json:"remaining"`
}

// State returns the counts of records and calls.
func (s *Simulator) State() State {
	st := State{Calls: s.CallCount(), CallsByRoute: s.CallCounts(), Tenants: []TenantState{}}
	for _, t := range s.Tenants() {
		limit, remaining, _ := t.quota.state(s.cfg.Now())
		t.mu.RLock()
		st.Tenants = append(st.Tenants, TenantState{t.cfg.Customer, len(t.people), len(t.flows), len(t.jobs), len(t.portals), limit, remaining})
		t.mu.RUnlock()
	}
	slices.SortFunc(st.Tenants, func(a, b TenantState) int { return strings.Compare(a.Customer, b.Customer) })
	return st
}

// manage lists the management endpoints. Their requests are not calls: they are not logged or
// counted, and need no credentials.
var manage = map[string]func(*Simulator, *http.Request) (any, error){
	"GET health":      func(*Simulator, *http.Request) (any, error) { return map[string]any{"status": "ok"}, nil },
	"GET routes":      func(*Simulator, *http.Request) (any, error) { return Routes(), nil },
	"GET state":       func(s *Simulator, _ *http.Request) (any, error) { return s.State(), nil },
	"GET invariants":  func(s *Simulator, _ *http.Request) (any, error) { return s.Invariants(), nil },
	"GET calls":       manageCalls,
	"GET traffic":     manageTraffic,
	"POST faults":     manageFaults,
	"POST rules":      manageRules,
	"POST reset":      manageReset,
	"POST people":     managePeople,
	"POST merge":      manageMerge,
	"POST purge":      managePurge,
	"POST tenants":    manageTenants,
	"POST limits":     manageLimits,
	"GET faults":      func(s *Simulator, _ *http.Request) (any, error) { return s.faults.Load(), nil },
	"DELETE rules":    func(s *Simulator, _ *http.Request) (any, error) { s.ClearRules(); return done, nil },
	"POST block":      func(s *Simulator, r *http.Request) (any, error) { return manageBlock(s, r, true) },
	"POST unblock":    func(s *Simulator, r *http.Request) (any, error) { return manageBlock(s, r, false) },
	"GET people":      manageListPeople,
	"GET workflows":   manageListWorkflows,
	"POST revocation": manageRevoke,
}

var done = map[string]any{"status": "done"}

func (s *Simulator) serveManagement(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/_sim/")
	w.Header().Set("Content-Type", "application/json")
	handle := manage[r.Method+" "+name]
	if handle == nil {
		w.WriteHeader(http.StatusNotFound)
		w.Write(mustJSON(map[string]any{"error": "unknown endpoint " + r.Method + " /_sim/" + name}))
		return
	}
	out, err := handle(s, r)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		w.Write(mustJSON(map[string]any{"error": err.Error()}))
		return
	}
	w.Write(mustJSON(out))
}

// read decodes a management body, YAML or JSON, and refuses unknown names.
func read(r io.Reader, into any) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalWithOptions(raw, into, yaml.Strict()); err != nil {
		return fmt.Errorf("invalid body: %w", err)
	}
	return nil
}

// of returns the tenant of a management request.
func (s *Simulator) of(customer string) (*Tenant, error) {
	t := s.Tenant(customer)
	if t == nil {
		return nil, fmt.Errorf("unknown customer %q", customer)
	}
	return t, nil
}

// manageCalls lists the newest calls, oldest first, with bodies if body=1.
func manageCalls(s *Simulator, r *http.Request) (any, error) {
	q := r.URL.Query()
	limit := 100
	if v := q.Get("limit"); v != "" {
		var err error
		if limit, err = strconv.Atoi(v); err != nil || limit < 0 {
			return nil, fmt.Errorf("limit %q is not a number", v)
		}
	}
	type shown struct {
		Call
		Body string `json:"body,omitempty"`
	}
	out := []shown{}
	for _, c := range slices.Backward(s.Calls()) {
		if len(out) == limit {
			break
		}
		if v := q.Get("route"); v != "" && v != c.Route {
			continue
		}
		if v := q.Get("customer"); v != "" && v != c.Customer {
			continue
		}
		row := shown{Call: c}
		if q.Get("body") == "1" {
			row.Body = string(c.Body)
		}
		out = append(out, row)
	}
	slices.Reverse(out)
	return map[string]any{"total": s.CallCount(), "calls": out}, nil
}

func manageFaults(s *Simulator, r *http.Request) (any, error) {
	var f Faults
	if err := read(r.Body, &f); err != nil {
		return nil, err
	}
	s.SetFaults(f)
	return done, nil
}

func manageRules(s *Simulator, r *http.Request) (any, error) {
	var rule Rule
	if err := read(r.Body, &rule); err != nil {
		return nil, err
	}
	if err := rule.check(); err != nil {
		return nil, err
	}
	s.AddRule(rule)
	return done, nil
}

// manageReset removes calls, rules, faults, workflows and people that are not in the tenants'
// configuration. ?only=calls clears only the call log, ?only=traffic only the counts of rate and
// calls in flight.
func manageReset(s *Simulator, r *http.Request) (any, error) {
	switch r.URL.Query().Get("only") {
	case "calls":
		s.ResetCalls()
		return done, nil
	case "traffic":
		for _, t := range s.Tenants() {
			t.ResetTraffic()
		}
		return done, nil
	}
	s.ResetCalls()
	s.ClearRules()
	s.SetFaults(Faults{})
	for _, t := range s.Tenants() {
		t.Reset()
	}
	return done, nil
}

func managePeople(s *Simulator, r *http.Request) (any, error) {
	var in struct {
		Customer string           `yaml:"customer"`
		People   []map[string]any `yaml:"people"`
	}
	if err := read(r.Body, &in); err != nil {
		return nil, err
	}
	t, err := s.of(in.Customer)
	if err != nil {
		return nil, err
	}
	ids := []int64{}
	for i, fields := range in.People {
		id, err := t.seed(fields)
		if err != nil {
			return nil, fmt.Errorf("person %d: %w", i+1, err)
		}
		ids = append(ids, id)
	}
	return map[string]any{"ids": ids}, nil
}

func manageMerge(s *Simulator, r *http.Request) (any, error) {
	var in struct {
		Customer           string
		Discarded, Primary int64
	}
	if err := read(r.Body, &in); err != nil {
		return nil, err
	}
	t, err := s.of(in.Customer)
	if err != nil {
		return nil, err
	}
	return done, t.merge(in.Discarded, in.Primary)
}

func managePurge(s *Simulator, r *http.Request) (any, error) {
	var in struct {
		Customer string
		Person   int64
	}
	if err := read(r.Body, &in); err != nil {
		return nil, err
	}
	t, err := s.of(in.Customer)
	if err != nil {
		return nil, err
	}
	t.Purge(in.Person)
	return done, nil
}

// manageTraffic returns the call counts of one customer, or of all.
func manageTraffic(s *Simulator, r *http.Request) (any, error) {
	tenants := s.Tenants()
	if customer := r.URL.Query().Get("customer"); customer != "" {
		t, err := s.of(customer)
		if err != nil {
			return nil, err
		}
		tenants = []*Tenant{t}
	}
	out := make([]Traffic, 0, len(tenants))
	for _, t := range tenants {
		out = append(out, t.Traffic())
	}
	slices.SortFunc(out, func(a, b Traffic) int { return strings.Compare(a.Customer, b.Customer) })
	return map[string]any{"traffic": out}, nil
}

// manageLimits sets limits and the second spender, and uses up calls of the day.
func manageLimits(s *Simulator, r *http.Request) (any, error) {
	var in struct {
		Customer string
		Limit    *int
		Spend    int
		Limits   *Limits
		Second   *SecondSpender `yaml:"second_spender"`
	}
	if err := read(r.Body, &in); err != nil {
		return nil, err
	}
	t, err := s.of(in.Customer)
	if err != nil {
		return nil, err
	}
	if in.Limit != nil {
		t.SetDailyLimit(*in.Limit)
	}
	if in.Limits != nil {
		if err := in.Limits.check(); err != nil {
			return nil, err
		}
		t.SetLimits(*in.Limits)
	}
	if in.Second != nil {
		if err := in.Second.check(); err != nil {
			return nil, err
		}
		t.SetSecondSpender(*in.Second)
	}
	t.SpendQuota(in.Spend)
	return done, nil
}

func manageTenants(s *Simulator, r *http.Request) (any, error) {
	tenants, err := LoadTenants(r.Body)
	if err != nil {
		return nil, err
	}
	customers := []string{}
	for _, cfg := range tenants {
		customers = append(customers, s.AddTenant(cfg).cfg.Customer)
	}
	return map[string]any{"customers": customers}, nil
}

func manageBlock(s *Simulator, r *http.Request, blocked bool) (any, error) {
	t, err := s.of(r.URL.Query().Get("customer"))
	if err != nil {
		return nil, err
	}
	t.blocked.Store(blocked)
	return done, nil
}

func manageRevoke(s *Simulator, r *http.Request) (any, error) {
	t, err := s.of(r.URL.Query().Get("customer"))
	if err != nil {
		return nil, err
	}
	t.RevokeTokens()
	return done, nil
}

func manageListPeople(s *Simulator, r *http.Request) (any, error) {
	t, err := s.of(r.URL.Query().Get("customer"))
	if err != nil {
		return nil, err
	}
	return t.People(), nil
}

func manageListWorkflows(s *Simulator, r *http.Request) (any, error) {
	t, err := s.of(r.URL.Query().Get("customer"))
	if err != nil {
		return nil, err
	}
	return t.Workflows(), nil
}
