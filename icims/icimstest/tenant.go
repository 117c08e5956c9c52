package icimstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Tenant is one customer's ATS. Its methods may be called while calls run.
type Tenant struct {
	sim       *Simulator
	cfg       TenantConfig
	behaviour Behavior
	creds     atomic.Pointer[credentials]
	blocked   atomic.Bool
	barred    atomic.Bool                     // no API rights at all
	rights    atomic.Pointer[map[string]bool] // denied routes
	quota     quota
	meter     meter

	mu        sync.RWMutex
	fields    map[string]*field
	lists     map[string]*list
	nodeSeq   int
	personSeq int64
	entrySeq  int64
	flowSeq   int64
	people    map[int64]*person
	order     []int64 // person ids, ascending
	emails    emailIndex
	jobs      map[int64]*job
	jobOrder  []int64
	portals   []*portal
	flows     map[int64]*workflow
	flowOrder []int64
	byPair    map[pair][]int64
	byPerson  map[int64][]int64
	byJob     map[int64][]int64
	writes    writeCounts

	cache searchCache
}

// AddTenant adds a customer with its portals, jobs and people. It replaces a tenant with the same
// customer ID. It panics on unknown routes, behaviours and person fields.
func (s *Simulator) AddTenant(cfg TenantConfig) *Tenant {
	if err := cfg.check(); err != nil {
		panic("icimstest: " + err.Error())
	}
	cfg = cfg.withDefaults()
	t := &Tenant{sim: s, cfg: cfg, behaviour: s.cfg.Behavior}
	if cfg.Behavior != nil {
		t.behaviour = cfg.Behavior.over(s.cfg.Behavior)
	}
	t.creds.Store(&credentials{cfg.Username, cfg.Password, cfg.HMACKey, cfg.ClientID, cfg.ClientSecret})
	t.SetWebServices(t.behaviour.WebServices == Granted)
	t.quota.day.Limit, t.quota.length, t.quota.begins, t.quota.spender = cfg.DailyLimit, cfg.DayLength, cfg.DayStart, cfg.SecondSpender
	t.quota.roll(s.cfg.Now())
	t.meter.limits = cfg.Limits
	t.Deny(cfg.DeniedRoutes...)
	t.mu.Lock()
	t.nodeSeq = 40_000
	t.fields = t.personFields()
	t.buildLists()
	t.empty()
	t.mu.Unlock()
	t.populate()
	s.mu.Lock()
	s.tenants[cfg.Customer] = t
	s.mu.Unlock()
	return t
}

// empty removes people and workflows.
func (t *Tenant) empty() {
	t.personSeq, t.entrySeq, t.flowSeq = 90_000, 5_000, 21_000
	t.people, t.order, t.emails = map[int64]*person{}, nil, newEmailIndex()
	t.flows, t.flowOrder = map[int64]*workflow{}, nil
	t.byPair, t.byPerson, t.byJob = map[pair][]int64{}, map[int64][]int64{}, map[int64][]int64{}
	t.writes = writeCounts{}
	t.cache.clear()
}

// populate adds the records of the configuration.
func (t *Tenant) populate() {
	for _, p := range t.cfg.Portals {
		t.AddPortal(p.ID, p.Name)
	}
	for _, j := range t.cfg.Jobs {
		t.AddJob(j)
	}
	for _, p := range t.cfg.People {
		t.AddPerson(p)
	}
}

// Reset resets the tenant to the people of its configuration, without workflows, quota use and call
// counts. Portals, jobs, rights and credentials stay.
func (t *Tenant) Reset() {
	t.mu.Lock()
	t.empty()
	t.mu.Unlock()
	t.quota.reset()
	t.meter.reset()
	for _, p := range t.cfg.People {
		t.AddPerson(p)
	}
}

// Customer returns the tenant's customer ID.
func (t *Tenant) Customer() string { return t.cfg.Customer }

// SetPassword changes the password at once.
func (t *Tenant) SetPassword(password string) {
	c := *t.creds.Load()
	c.password = password
	t.creds.Store(&c)
}

// SetWebServices grants or revokes the right to use the API at all.
func (t *Tenant) SetWebServices(granted bool) { t.barred.Store(!granted) }

// Block refuses every address, as if none were allow-listed, until Unblock.
func (t *Tenant) Block() { t.blocked.Store(true) }

// Unblock ends Block.
func (t *Tenant) Unblock() { t.blocked.Store(false) }

// Deny revokes the right to the named routes and replaces earlier denials. It panics on an unknown
// route.
func (t *Tenant) Deny(routes ...string) {
	set := make(map[string]bool, len(routes))
	for _, r := range routes {
		if !routeNames[r] {
			panic("icimstest: unknown route " + r)
		}
		set[r] = true
	}
	t.rights.Store(&set)
}

func (t *Tenant) denied(route string) bool { return (*t.rights.Load())[route] }

// Hide hides a person, job or portal from the account: reads return code 3 and searches do not find
// it. Kind is "person", "job" or "portal".
func (t *Tenant) Hide(kind string, id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch kind {
	case "person":
		if p := t.people[id]; p != nil {
			p.hidden = true
		}
	case "job":
		if j := t.jobs[id]; j != nil {
			j.hidden = true
		}
	case "portal":
		for _, p := range t.portals {
			if int64(p.ID) == id {
				p.hidden = true
			}
		}
	default:
		panic("icimstest: cannot hide records of kind " + kind)
	}
}

// AddPerson seeds a person with fields in the API's format and returns its ID. It skips the checks
// for required fields and duplicates. fields may contain "id". It panics on unknown fields.
func (t *Tenant) AddPerson(fields map[string]any) int64 {
	id, err := t.seed(fields)
	if err != nil {
		panic("icimstest: " + err.Error())
	}
	return id
}

func (t *Tenant) seed(fields map[string]any) (int64, error) {
	raw, err := json.Marshal(fields)
	if err != nil {
		return 0, err
	}
	body, err := decodeObject(raw)
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var id int64
	if v, given := body["id"]; given {
		if id, _ = asInt(v); id <= 0 || t.people[id] != nil {
			return 0, fmt.Errorf("person ID %v is already used", v)
		}
		delete(body, "id")
	}
	draft, errs, _ := t.draft(nil, body, true)
	if len(errs) > 0 {
		return 0, fmt.Errorf("person: %s", errs[0].message())
	}
	return t.insertPerson(id, draft, t.sim.cfg.Now(), true).id, nil
}

// Merge merges the discarded person into the primary one, as an administrator does. The discarded
// person is renamed, loses its email and moves to the Purge folder; its workflows move to the
// primary. It panics unless both exist and differ.
func (t *Tenant) Merge(discarded, primary int64) {
	if err := t.merge(discarded, primary); err != nil {
		panic("icimstest: " + err.Error())
	}
}

func (t *Tenant) merge(discarded, primary int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.people[discarded]
	if d == nil || t.people[primary] == nil || discarded == primary {
		return fmt.Errorf("person %d cannot be merged into %d", discarded, primary)
	}
	now := t.sim.cfg.Now()
	next := make(map[string]any, len(d.fields))
	maps.Copy(next, d.fields)
	next["firstname"] = fmt.Sprintf("Merged with %d - %s", primary, now.UTC().Format("1/2/2006"))
	delete(next, "lastname")
	delete(next, "email")
	next["folder"] = labeled("D32002", "Purge")
	t.storePerson(d, next, now, true)
	d.merged = primary
	for _, id := range slices.Clone(t.byPerson[discarded]) {
		f := t.flows[id]
		if len(t.byPair[pair{primary, f.job}]) > 0 {
			t.dropWorkflow(f)
			continue
		}
		t.unlink(f)
		f.person = primary
		t.link(f)
	}
	return nil
}

// Purge deletes a person with its workflows. Cached searches still return it.
func (t *Tenant) Purge(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.people[id] == nil {
		return
	}
	for _, f := range slices.Clone(t.byPerson[id]) {
		t.dropWorkflow(t.flows[f])
	}
	delete(t.people, id)
	if i, found := slices.BinarySearch(t.order, id); found {
		t.order = slices.Delete(t.order, i, i+1)
	}
}

// dateTime formats a time in iCIMS's DATETIME format: 12-hour, UTC.
func dateTime(at time.Time) string { return at.UTC().Format("2006-01-02 03:04 PM") }
