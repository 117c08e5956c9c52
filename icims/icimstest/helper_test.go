package icimstest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const customer = "1234"

// calm configures a simulator without delays and quirks, at a fixed time.
func calm() Config {
	return Config{Seed: 1, Now: func() time.Time { return noon }, Latency: Latency{None: true}, Quirks: Quirks{None: true}}
}

// refusing is calm, but refuses unknown field names and marks the primary entry.
func refusing() Config {
	c := calm()
	c.Behavior.UnknownField, c.Behavior.EntryPrimary = Refuse, Present
	return c
}

var noon = time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC)

// bench is a served tenant with two portals and three jobs.
type bench struct {
	t      *testing.T
	sim    *Simulator
	tenant *Tenant
	url    string
	client *http.Client
}

func open(t *testing.T, cfg Config, change ...func(*TenantConfig)) *bench {
	t.Helper()
	sim := New(cfg)
	tc := TenantConfig{Customer: customer, Username: "user", Password: "secret", LinkedInField: "field51001"}
	for _, f := range change {
		f(&tc)
	}
	tenant := sim.AddTenant(tc)
	tenant.AddPortal(1, "jobs")
	tenant.AddPortal(2, "internal")
	tenant.AddJob(Job{ID: 1709, Title: "Data Engineer", Portals: []int{1, 2}, Number: "2026-1709"})
	tenant.AddJob(Job{ID: 1710, Title: "Nurse", Portals: []int{1}})
	tenant.AddJob(Job{ID: 1711, Title: "Welder", Portals: []int{1}})
	srv := NewServer(sim)
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); srv.Close() })
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &bench{t: t, sim: sim, tenant: tenant, url: srv.URL, client: client}
}

// reply is a response, read completely.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(r.body, &out); err != nil {
		t.Fatalf("the body is no JSON object: %v\n%s", err, r.body)
	}
	return out
}

// problems returns the messages of a response as "code message".
func (r reply) problems(t *testing.T, array string) []string {
	t.Helper()
	out := []string{}
	list, _ := r.json(t)[array].([]any)
	for _, p := range list {
		m := p.(map[string]any)
		out = append(out, itoa(int64(m["errorCode"].(float64)))+" "+m["errorMessage"].(string))
	}
	return out
}

func (b *bench) request(method, path, body string) *http.Request {
	b.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, b.url+path, r)
	if err != nil {
		b.t.Fatal(err)
	}
	req.SetBasicAuth("user", "secret")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

func (b *bench) send(req *http.Request) reply {
	b.t.Helper()
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, bytes.TrimSpace(body)}
}

// do sends a request below /customers/1234.
func (b *bench) do(method, path, body string) reply {
	b.t.Helper()
	return b.send(b.request(method, "/customers/"+customer+path, body))
}

// must is do, and fails the test on another status.
func (b *bench) must(status int, method, path, body string) reply {
	b.t.Helper()
	r := b.do(method, path, body)
	if r.status != status {
		b.t.Fatalf("%s %s: status %d, want %d\n%s", method, path, r.status, status, r.body)
	}
	return r
}

const ana = `{"firstname":"Ana","lastname":"Duarte","email":"ana.duarte@example.com"`

// createAna creates a person with additional fields and returns its path.
func (b *bench) createAna(more string) string {
	b.t.Helper()
	r := b.must(http.StatusCreated, "POST", "/people", ana+more+"}")
	return strings.TrimPrefix(r.header.Get("Location"), b.url+"/customers/"+customer)
}
