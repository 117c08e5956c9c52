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
	behaviour Behaviour
	creds     atomic.Pointer[credentials]
	blocked   atomic.Bool
	barred    atomic.Bool                     // from all web services
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

// AddTenant puts a customer with its portals, jobs and people in place. A
// second tenant of the same customer id replaces the first. It panics on
// routes, behaviours and person fields that do not exist.
func (s *Simulator) AddTenant(cfg TenantConfig) *Tenant {
	if err := cfg.check(); err != nil {
		panic("icimstest: " + err.Error())
	}
	cfg = cfg.withDefaults()
	t := &Tenant{sim: s, cfg: cfg, behaviour: s.cfg.Behaviour}
	if cfg.Behaviour != nil {
		t.behaviour = cfg.Behaviour.over(s.cfg.Behaviour)
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

// empty drops people and workflows.
func (t *Tenant) empty() {
	t.personSeq, t.entrySeq, t.flowSeq = 90_000, 5_000, 21_000
	t.people, t.order, t.emails = map[int64]*person{}, nil, newEmailIndex()
	t.flows, t.flowOrder = map[int64]*workflow{}, nil
	t.byPair, t.byPerson, t.byJob = map[pair][]int64{}, map[int64][]int64{}, map[int64][]int64{}
	t.writes = writeCounts{}
	t.cache.clear()
}

// populate adds what the configuration lists.
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

// Reset returns the tenant to the people of its configuration: no workflows,
// quota unused, no calls counted. Portals, jobs, rights and credentials stay.
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

// Customer is the tenant's customer id.
func (t *Tenant) Customer() string { return t.cfg.Customer }

// SetPassword changes the password at once.
func (t *Tenant) SetPassword(password string) {
	c := *t.creds.Load()
	c.password = password
	t.creds.Store(&c)
}

// SetWebServices gives or takes the right to use the API at all.
func (t *Tenant) SetWebServices(granted bool) { t.barred.Store(!granted) }

// Block refuses every address, as if none were allow-listed; Unblock ends it.
func (t *Tenant) Block() { t.blocked.Store(true) }

// Unblock ends Block.
func (t *Tenant) Unblock() { t.blocked.Store(false) }

// Deny takes the right to the named routes away; it replaces earlier denials.
// It panics on a route that does not exist.
func (t *Tenant) Deny(routes ...string) {
	set := make(map[string]bool, len(routes))
	for _, r := range routes {
		if !routeNames[r] {
			panic("icimstest: there is no route " + r)
		}
		set[r] = true
	}
	t.rights.Store(&set)
}

func (t *Tenant) denied(route string) bool { return (*t.rights.Load())[route] }

// Hide lets the account no longer see a person, job or portal: it is answered
// with code 3 and not found by searches. Kind is "person", "job" or "portal".
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
		panic("icimstest: nothing to hide of kind " + kind)
	}
}

// AddPerson seeds a person with fields as an API caller would send them, but
// past required fields and duplicates, and returns its id. "id" may be given.
// It panics on fields that the tenant does not have.
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
			return 0, fmt.Errorf("person id %v is not free", v)
		}
		delete(body, "id")
	}
	draft, errs, _ := t.draft(nil, body, true)
	if len(errs) > 0 {
		return 0, fmt.Errorf("person: %s", errs[0].message())
	}
	return t.insertPerson(id, draft, t.sim.cfg.Now(), true).id, nil
}

// Merge folds the discarded person into the primary one, as an administrator
// does: renamed, without e-mail, in the Purge folder. Its workflows move. It
// panics unless these are two people of the tenant.
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
	next["folder"] = labelled("D32002", "Purge")
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

// Purge deletes a person with its workflows. Cached searches go on naming it.
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

// dateTime is the DATETIME form of iCIMS: 12-hour, UTC.
func dateTime(at time.Time) string { return at.UTC().Format("2006-01-02 03:04 PM") }
