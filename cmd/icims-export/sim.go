package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/seekout/icims-export/icims/icimstest"
)

type simCommand struct {
	Listen     string             `default:"127.0.0.1:8899" placeholder:"ADDRESS" help:"Address to listen on. It has no protection."`
	Customer   string             `default:"1234" placeholder:"ID" help:"Customer id of the tenant."`
	Username   string             `default:"export-user" placeholder:"NAME" help:"API user of the tenant."`
	Password   string             `default:"made-up" placeholder:"TEXT" help:"Password of the tenant. It is printed, so do not use a real one."`
	Tenants    string             `type:"existingfile" placeholder:"FILE" help:"YAML file with several tenants."`
	People     int                `placeholder:"N" help:"Number of generated people at start. Default: none."`
	Jobs       int                `default:"12" placeholder:"N" help:"Number of jobs, with ids from 1701."`
	Seed       uint64             `default:"1" help:"Seed of the generated people, quirks and faults."`
	DailyLimit int                `default:"10000" placeholder:"N" help:"Calls per day (UTC)."`
	Rate       float64            `name:"limit-rate" placeholder:"N" help:"Calls per second before 429 responses. Default: no limit."`
	Burst      int                `name:"limit-burst" placeholder:"N" help:"Burst for --limit-rate. Default: 1."`
	InFlight   int                `name:"limit-in-flight" placeholder:"N" help:"Concurrent calls before 429 responses."`
	RetryAfter bool               `help:"Send Retry-After with 429 responses."`
	Others     float64            `name:"second-spender" placeholder:"SHARE" help:"Share of the account's calls made by another integration, such as 0.1."`
	Calm       bool               `help:"No delays and no quirks."`
	Fault      map[string]float64 `placeholder:"KIND=RATE" help:"Share of calls that fail, such as error500_after=0.01. Can be repeated. An unknown kind lists all kinds."`
	SearchLag  time.Duration      `placeholder:"DURATION" help:"Time until searches find new records. Default: none."`
	Latency    time.Duration      `placeholder:"DURATION" help:"Duration of every call. Default: one in twenty takes up to 40ms."`
}

// Run serves the simulator until it is stopped.
func (c *simCommand) Run(ctx context.Context, p *process) error {
	sim, tenants, err := c.simulator()
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return usageError("cannot listen on %s: set --listen to a free address of this machine, such as 127.0.0.1:8898", c.Listen)
	}
	origin := originOf(listener.Addr())
	fmt.Fprint(p.stdout, connectionsFile(origin, tenants))
	p.sayf("%s", simHelp(origin, tenants, listener.Addr()))

	// HTTP/2 is accepted on the wire, so that it can be refused as iCIMS does.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: sim, Protocols: &protocols, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return failed("the simulator failed: %v", err)
	case <-ctx.Done():
	}
	_ = server.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return failed("the simulator ended with an error: %v", err)
	}
	p.sayf("%s", simSummary(sim))
	return nil
}

// simulator returns the simulator with its tenants.
func (c *simCommand) simulator() (*icimstest.Simulator, []icimstest.TenantConfig, error) {
	faults, err := c.faults()
	if err != nil {
		return nil, nil, err
	}
	cfg := icimstest.Config{Seed: c.Seed, Faults: faults, Latency: icimstest.Latency{None: c.Calm}, Quirks: icimstest.Quirks{None: c.Calm}}
	if c.Latency > 0 {
		cfg.Latency = icimstest.Latency{Rate: 1, Min: c.Latency, Max: c.Latency}
	}
	if c.RetryAfter {
		cfg.Behavior.RetryAfter = icimstest.Present
	}
	tenants, err := c.tenants()
	if err != nil {
		return nil, nil, err
	}
	sim := icimstest.New(cfg)
	for _, t := range tenants {
		sim.AddTenant(t)
	}
	return sim, tenants, nil
}

func (c *simCommand) tenants() ([]icimstest.TenantConfig, error) {
	if c.Tenants != "" {
		f, err := os.Open(c.Tenants)
		if err != nil {
			return nil, usageError("%s cannot be read: correct --tenants", c.Tenants)
		}
		defer f.Close()
		tenants, err := icimstest.LoadTenants(f)
		if err != nil {
			return nil, usageError("%s: %s", c.Tenants, strings.Join(strings.Fields(err.Error()), " "))
		}
		return tenants, nil
	}
	const mostJobs, mostPeople = 10_000, 100_000
	switch {
	case strings.Trim(c.Customer, "0123456789") != "" || c.Customer == "":
		return nil, usageError("--customer must be digits only")
	case c.Jobs < 0 || c.Jobs > mostJobs:
		return nil, usageError("--jobs must be a number from 0 to %d", mostJobs)
	case c.People < 0 || c.People > mostPeople:
		return nil, usageError("--people must be a number from 0 to %d", mostPeople)
	case c.DailyLimit < 1:
		return nil, usageError("--daily-limit must be above zero")
	case c.Rate < 0 || c.Burst < 0 || c.InFlight < 0:
		return nil, usageError("--limit-rate, --limit-burst and --limit-in-flight must not be below zero")
	case c.Burst > 0 && c.Rate == 0:
		return nil, usageError("--limit-burst needs --limit-rate")
	case c.Others < 0 || c.Others >= 1:
		return nil, usageError("--second-spender must be from 0 to below 1, such as 0.1")
	}
	t := icimstest.DemoTenant(c.Customer, c.Username, c.Password)
	t.DailyLimit = c.DailyLimit
	t.Limits = icimstest.Limits{CallsPerSecond: c.Rate, Burst: c.Burst, InFlight: c.InFlight}
	t.SecondSpender.Share = c.Others
	m := newCandidateGenerator(c.Seed)
	for i := len(t.Jobs); i < c.Jobs; i++ {
		t.Jobs = append(t.Jobs, icimstest.Job{ID: int64(1701 + i), Title: m.faker.JobDescriptor() + " " + m.faker.JobTitle(), Number: fmt.Sprintf("2026-%d", 1701+i), Portals: []int{1 + i%2}})
	}
	t.Jobs = t.Jobs[:c.Jobs]
	for range c.People {
		t.People = append(t.People, asPerson(m.candidate()))
	}
	return []icimstest.TenantConfig{t}, nil
}

// faults parses the rates, by their names in the simulator's own files.
func (c *simCommand) faults() (icimstest.Faults, error) {
	var f icimstest.Faults
	for kind, rate := range c.Fault {
		if rate < 0 || rate > 1 {
			return f, usageError("--fault %s: the rate must be from 0 to 1", kind)
		}
	}
	text, err := yaml.Marshal(c.Fault)
	if err != nil {
		return f, fmt.Errorf("faults: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil || f.SearchLag+f.SlowFor+f.LateBy != 0 || f.OverlongBytes != 0 {
		return f, usageError("--fault: unknown kind; known kinds: %s", strings.Join(faultKinds(), ", "))
	}
	f.SearchLag = c.SearchLag
	return f, nil
}

// faultKinds returns the names of all rates.
func faultKinds() []string {
	all := icimstest.Faults{
		Error500Before: 1, Error500After: 1, TimeoutBefore: 1, TimeoutAfter: 1, TimeoutLate: 1, ResetBefore: 1, ResetAfter: 1, ResetMidBody: 1,
		Error503: 1, Error429: 1, Error429Bare: 1, SlowBody: 1, HTMLError: 1, TruncatedJSON: 1, OverlongJSON: 1, RedirectElsewhere: 1,
		Unauthorized: 1, AccessDenied404: 1, Page403: 1, Page404: 1, Page404After: 1,
	}
	text, err := json.Marshal(all)
	names := map[string]any{}
	if err == nil {
		err = json.Unmarshal(text, &names)
	}
	if err != nil {
		panic(err) // a struct of numbers
	}
	return slices.Sorted(maps.Keys(names))
}

// originOf returns the URL of a listener for this machine.
func originOf(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// connectionsFile returns a connections file for the tenants.
func connectionsFile(origin string, tenants []icimstest.TenantConfig) string {
	var b strings.Builder
	b.WriteString("connections:\n")
	for _, t := range tenants {
		urls := make([]string, 0, len(t.Portals))
		for _, portal := range t.Portals {
			urls = append(urls, fmt.Sprintf("%s/customers/%s/search/portals/%d?staleness=0", origin, t.Customer, portal.ID))
		}
		fmt.Fprintf(&b, "  - customer: %q\n    username: %q\n    password_env: %s\n    portal_urls: %q\n", t.Customer, t.Username, passwordEnv(t, tenants), strings.Join(urls, ","))
		if t.LinkedInField != "" {
			fmt.Fprintf(&b, "    linkedin_field: %s\n", t.LinkedInField)
		}
		fmt.Fprintf(&b, "    limits: %s\n", limitsOf(t))
	}
	return b.String()
}

// limitsOf returns a connection's limits: the tenant's, or generous ones.
func limitsOf(t icimstest.TenantConfig) string {
	rate, burst, inFlight := 50.0, 50, 8
	if l := t.Limits; l.CallsPerSecond > 0 {
		rate, burst = l.CallsPerSecond, max(l.Burst, 1)
	}
	if t.Limits.InFlight > 0 {
		inFlight = t.Limits.InFlight
	}
	return fmt.Sprintf("{calls_per_second: %v, burst: %d, in_flight: %d, calls_per_day: %d}", rate, burst, inFlight, max(t.DailyLimit, 1))
}

// passwordEnv returns the environment variable of a tenant's password.
func passwordEnv(t icimstest.TenantConfig, all []icimstest.TenantConfig) string {
	if len(all) == 1 {
		return "ICIMS_PASSWORD"
	}
	return "ICIMS_PASSWORD_" + t.Customer
}

// simHelp explains how to use the simulator.
func simHelp(origin string, tenants []icimstest.TenantConfig, addr net.Addr) string {
	var b strings.Builder
	if tcp, ok := addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		b.WriteString("\nOther machines can reach this address, and the simulator has no protection.\n")
	}
	fmt.Fprintf(&b, "\nThe simulated iCIMS listens on %s. Save the lines above as connections.yml, then:\n\n", origin)
	fmt.Fprintf(&b, "  export ICIMS_EXPORT_CONNECTIONS=connections.yml ICIMS_EXPORT_ICIMS_HOSTS=%s", origin)
	for _, t := range tenants {
		fmt.Fprintf(&b, " %s=%s", passwordEnv(t, tenants), shellQuoted(t.Password))
	}
	b.WriteString("\n")
	for _, t := range tenants {
		target := "--prospects"
		if len(t.Jobs) > 0 {
			target = fmt.Sprintf("--job %d", t.Jobs[min(8, len(t.Jobs)-1)].ID)
		}
		fmt.Fprintf(&b, "  icims-export export candidates.ndjson --redis-url embedded --customer %s %s\n", t.Customer, target)
	}
	fmt.Fprintf(&b, "\nInspect it with: curl %s/_sim/state (calls, people, workflows, invariants, ...)", origin)
	return b.String()
}

// simSummary summarizes what the simulator has seen.
func simSummary(sim *icimstest.Simulator) string {
	seen := sim.Invariants()
	var b strings.Builder
	fmt.Fprintf(&b, "\nStopped after %d calls, with %d people and %d workflows.", sim.CallCount(), seen.People, seen.Workflows)
	for _, v := range seen.Violations() {
		b.WriteString("\nviolated: " + v)
	}
	return b.String()
}

// shellQuoted quotes text for a shell.
func shellQuoted(text string) string {
	const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:/@+"
	if text != "" && strings.Trim(text, harmless) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
