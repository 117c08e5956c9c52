package icimstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Simulator simulates iCIMS in memory. It is an http.Handler and safe for concurrent use.
type Simulator struct {
	cfg    Config
	faults atomic.Pointer[Faults]
	rules  rules
	calls  *callLog
	tokens tokens
	serial atomic.Uint64 // seeds each call's randomness

	mu      sync.RWMutex
	tenants map[string]*Tenant
}

// New returns a Simulator without tenants. It panics on an unknown behaviour.
func New(cfg Config) *Simulator {
	if err := cfg.Behavior.check(); err != nil {
		panic("icimstest: " + err.Error())
	}
	cfg = cfg.withDefaults()
	s := &Simulator{cfg: cfg, calls: newCallLog(cfg.KeepCalls), tenants: map[string]*Tenant{}}
	s.tokens.issued = map[string]token{}
	s.faults.Store(&cfg.Faults)
	return s
}

// SetFaults replaces the fault rates at once.
func (s *Simulator) SetFaults(f Faults) {
	f = f.withDefaults()
	s.faults.Store(&f)
}

// Tenant returns the tenant of a customer ID, or nil.
func (s *Simulator) Tenant(customer string) *Tenant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tenants[customer]
}

// Tenants returns all tenants in no particular order.
func (s *Simulator) Tenants() []*Tenant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*Tenant, 0, len(s.tenants))
	for _, t := range s.tenants {
		out = append(out, t)
	}
	return out
}

func (s *Simulator) tenantByClient(id, secret string) *Tenant {
	if id == "" {
		return nil
	}
	for _, t := range s.Tenants() {
		if c := t.creds.Load(); c.clientID == id && c.clientSecret == secret {
			return t
		}
	}
	return nil
}

// call is one request in progress.
type call struct {
	sim    *Simulator
	tenant *Tenant
	route  *route
	r      *http.Request
	path   []string
	base   string // scheme and host the caller used
	body   []byte
	rng    *rand.Rand
	now    time.Time
	log    *Call
	effect bool
	leave  func() // ends the call's time in flight; nil while it is not in flight
}

// ServeHTTP serves calls, and management requests under /_sim/.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_sim/") {
		s.serveManagement(w, r)
		return
	}
	c := &call{sim: s, r: r, now: s.cfg.Now(), base: baseURL(r), path: splitPath(r.URL.EscapedPath())}
	c.rng = rand.New(rand.NewPCG(s.cfg.Seed, s.serial.Add(1)))
	c.log = &Call{At: c.now, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery}
	if len(c.path) > 1 && c.path[0] == "customers" {
		c.log.Customer = c.path[1]
		c.tenant = s.Tenant(c.path[1])
	}
	var pathKnown bool
	if c.route, pathKnown = match(r.Method, c.path); c.route != nil {
		c.log.Route, c.log.Section = c.route.Name, c.route.Section
	}
	refused := c.readBody(w)
	c.log.Body = c.body
	s.calls.begin(c.log)

	res := c.serve(w, refused, pathKnown)
	c.gone() // before the caller can read the response and make the next call
	s.calls.update(func() {
		c.log.Took = s.cfg.Now().Sub(c.now)
		if res != nil {
			c.log.Status = res.status
		}
	})
	if res != nil {
		res.write(w)
	}
}

// serve runs one call. nil means that the response was already sent or withheld.
func (c *call) serve(w http.ResponseWriter, refused *answer, pathKnown bool) *response {
	if refused == nil {
		refused = c.admit(pathKnown)
	}
	if refused != nil {
		res := c.render(*refused)
		return &res
	}
	faults := c.sim.faults.Load()
	fault := faults.draw(c.rng)
	rule, matched := c.sim.rules.pick(c)
	if matched {
		fault = rule.Fault
	}
	c.sim.calls.update(func() { c.log.Fault = string(fault) })
	if err := c.delay(rule.Delay); err != nil {
		return nil
	}
	return c.inject(w, fault, rule, faults)
}

// handle executes the call, which may take effect. The log records the effect before the caller
// gets the response.
func (c *call) handle() answer {
	a := c.route.handle(c)
	c.sim.calls.update(func() { c.log.Effect, c.log.Created = c.effect, a.created })
	return a
}

// delay makes some responses slow. It holds no lock.
func (c *call) delay(extra time.Duration) error {
	l := c.sim.cfg.Latency
	if !l.None && c.rng.Float64() < l.Rate {
		extra += l.Min
		if l.Max > l.Min {
			extra += time.Duration(c.rng.Int64N(int64(l.Max - l.Min)))
		}
	}
	if extra <= 0 {
		return nil
	}
	return c.sim.cfg.Sleep(c.r.Context(), extra)
}

// readBody reads the body and refuses an invalid one.
func (c *call) readBody(w http.ResponseWriter) *answer {
	r := c.r
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 {
		a := refuse(http.StatusHTTPVersionNotSupported, problem{code: codeOther, detail: "Only HTTP/1.1 is supported."})
		return &a
	}
	if !writes(r.Method) {
		return nil
	}
	if r.ContentLength < 0 {
		a := refuse(http.StatusLengthRequired, problem{code: codeOther, detail: "A valid Content-Length is required."})
		return &a
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, c.sim.cfg.MaxBody))
	if err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		a := refuse(status, problem{code: codeOther, detail: "The request body could not be read."})
		return &a
	}
	c.body = body
	return nil
}

// admit decides whether the caller may make this call. Calls refused for their credentials or
// address do not count against the quota.
func (c *call) admit(pathKnown bool) *answer {
	done := func(a answer) *answer { return &a }
	if c.route != nil && c.route.Name == "oauth.token" {
		return nil
	}
	if c.path[0] != "customers" || len(c.path) < 2 {
		return done(notFound("Resource"))
	}
	if c.tenant == nil {
		return done(unauthorized())
	}
	if c.tenant.blocked.Load() {
		return done(refuse(c.tenant.behaviour.BlockedIPStatus, problem{code: codeOther, detail: "The IP address is not allowed to access the API."}))
	}
	if !c.authentic() {
		return done(unauthorized())
	}
	if c.tenant.barred.Load() {
		return done(c.tenant.notAuthorized())
	}
	if over := c.arrive(); over != nil {
		return over
	}
	if !c.tenant.quota.spend(c.now, c.rng) {
		a := refuse(c.tenant.behaviour.QuotaStatus, problem{code: codeOther, detail: "The daily request limit has been exceeded."})
		_, _, reset := c.tenant.quota.state(c.now)
		c.retryAfter(&a, reset)
		return done(a)
	}
	if c.route == nil {
		if pathKnown {
			return done(refuse(http.StatusMethodNotAllowed, problem{code: codeOther, detail: "The method is not supported for this resource."}))
		}
		return done(notFound("Resource"))
	}
	if c.tenant.denied(c.route.Name) {
		return done(refuse(c.tenant.behaviour.MissingRightStatus, problem{code: codeAccessDenied, detail: "You do not have access to the requested resource."}))
	}
	if writes(c.route.Method) && !strings.HasPrefix(c.route.Name, "files.") {
		if media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || media != "application/json" {
			return done(refuse(http.StatusUnsupportedMediaType, problem{code: codeOther, detail: "The content type must be application/json."}))
		}
	}
	return nil
}

// baseURL returns the scheme and host the caller used.
func baseURL(r *http.Request) string {
	scheme := r.Header.Get("X-Forwarded-Proto")
	if scheme == "" {
		scheme = "http"
		if r.TLS != nil {
			scheme = "https"
		}
	}
	return scheme + "://" + r.Host
}

// guid returns an x-transaction ID.
func (c *call) guid() string {
	a, b := c.rng.Uint64(), c.rng.Uint64()
	return fmt.Sprintf("{%08X-%04X-%04X-%04X-%012X}", uint32(a>>32), uint16(a>>16), uint16(a), uint16(b>>48), b&0xffffffffffff)
}

// waitGone waits until the caller disconnects.
func (c *call) waitGone() {
	c.gone()
	<-c.r.Context().Done()
}

// serverContext outlives single requests but not the server.
func (c *call) serverContext() context.Context {
	if ctx, ok := c.r.Context().Value(serverKey{}).(context.Context); ok {
		return ctx
	}
	return context.WithoutCancel(c.r.Context())
}
