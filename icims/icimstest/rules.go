package icimstest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Rule injects a fault into matching calls. Empty conditions match every call.
type Rule struct {
	Customer string `json:"customer,omitempty" yaml:"customer"`
	Route    string `json:"route,omitempty" yaml:"route"` // a name from Routes
	Method   string `json:"method,omitempty" yaml:"method"`
	// Email matches calls about a person with this address: the body contains it, or the person of
	// the path or of the workflow has it.
	Email string `json:"email,omitempty" yaml:"email"`
	// Match is a further condition. It must not call the Simulator.
	Match func(Call) bool `json:"-" yaml:"-"`
	// Nth is the first matching call to get the fault, from 1; 0 means 1.
	Nth int `json:"nth,omitempty" yaml:"nth"`
	// Times is how many matching calls get the fault from there on: 0 means one, -1 all.
	Times int `json:"times,omitempty" yaml:"times"`
	// Rate is the share of matching calls that get the fault, 0 to 1; 0 means all.
	Rate float64 `json:"rate,omitempty" yaml:"rate"`

	Fault Fault `json:"fault" yaml:"fault"`
	// Status is the response status of the fault "status" and of pages of a proxy (html_error,
	// redirect_elsewhere, page_...).
	Status int `json:"status,omitempty" yaml:"status"`
	// Code is iCIMS's error code in the response of the fault "status"; 0 means an unspecific code.
	Code int `json:"code,omitempty" yaml:"code"`
	// Field is the field that the response of the fault "status" names, if any. The fault then
	// applies only to calls whose body has the field.
	Field string `json:"field,omitempty" yaml:"field"`
	// Delay is added before the response, for every fault.
	Delay time.Duration `json:"delay,omitempty" yaml:"delay"`
}

// rules holds the active rules and their counts.
type rules struct {
	any  atomic.Bool
	mu   sync.Mutex
	list []*ruleState
}

type ruleState struct {
	Rule
	seen, injected int
}

// AddRule activates a rule. Earlier rules take precedence; at most one applies to a call. It panics
// on an unknown fault or route.
func (s *Simulator) AddRule(r Rule) {
	if err := r.check(); err != nil {
		panic("icimstest: " + err.Error())
	}
	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	s.rules.list = append(s.rules.list, &ruleState{Rule: r})
	s.rules.any.Store(true)
}

func (r Rule) check() error {
	if !r.Fault.known() {
		return fmt.Errorf("unknown fault %q", r.Fault)
	}
	if r.Route != "" && !routeNames[r.Route] {
		return fmt.Errorf("unknown route %q", r.Route)
	}
	return nil
}

// ClearRules removes all rules.
func (s *Simulator) ClearRules() {
	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	s.rules.list = nil
	s.rules.any.Store(false)
}

func (rs *rules) pick(c *call) (Rule, bool) {
	if !rs.any.Load() {
		return Rule{}, false
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.list {
		if !r.matches(c) {
			continue
		}
		r.seen++
		if r.seen < max(r.Nth, 1) {
			continue
		}
		if r.Times >= 0 && r.injected >= max(r.Times, 1) || r.Rate > 0 && c.rng.Float64() >= r.Rate {
			continue
		}
		r.injected++
		return r.Rule, true
	}
	return Rule{}, false
}

func (r *ruleState) matches(c *call) bool {
	switch {
	case r.Customer != "" && r.Customer != c.log.Customer,
		r.Route != "" && r.Route != c.log.Route,
		r.Method != "" && r.Method != c.log.Method,
		r.Email != "" && !c.about(r.Email),
		r.Field != "" && !bytes.Contains(c.snapshot().Body, []byte(`"`+r.Field+`":`)),
		r.Match != nil && !r.Match(c.snapshot()):
		return false
	}
	return true
}

// about reports whether the call is about a person with this address.
func (c *call) about(email string) bool {
	if bytes.Contains(bytes.ToLower(c.body), []byte(strings.ToLower(email))) {
		return true
	}
	if c.tenant == nil || c.route == nil {
		return false
	}
	ids := []string{c.arg("person")}
	if c.route.Name == "workflows.create" {
		if body, err := decodeObject(c.body); err == nil {
			if id, ok := asInt(body["associatedprofile"]); ok {
				ids = append(ids, itoa(id))
			}
		}
	}
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	for _, id := range ids {
		if p := c.tenant.people[atoi(id)]; p != nil && strings.EqualFold(p.text("email"), email) {
			return true
		}
	}
	return false
}

// snapshot copies the log entry of a call in flight.
func (c *call) snapshot() Call {
	var out Call
	c.sim.calls.update(func() { out = *c.log })
	out.Body = c.body
	return out
}
