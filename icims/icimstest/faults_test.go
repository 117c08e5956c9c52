package icimstest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// outcome is the result of a create as its caller sees it.
type outcome struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// create sends POST /people. The caller disconnects when the simulator withholds the response.
func (b *bench) create(ctx context.Context) outcome {
	req := b.request("POST", "/customers/1234/people", ana+"}").WithContext(ctx)
	res, err := b.client.Do(req)
	if err != nil {
		return outcome{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return outcome{res.StatusCode, res.Header, body, err}
}

func TestFaults(t *testing.T) {
	status := func(want int) func(*testing.T, outcome) {
		return func(t *testing.T, o outcome) {
			t.Helper()
			if o.err != nil || o.status != want {
				t.Errorf("status %d, error %v; want %d", o.status, o.err, want)
			}
		}
	}
	ofAProxy := func(want int) func(*testing.T, outcome) {
		return func(t *testing.T, o outcome) {
			t.Helper()
			status(want)(t, o)
			if o.header.Get("X-Transaction")+o.header.Get("X-Ratelimit-Limit")+o.header.Get("X-Error") != "" {
				t.Errorf("marks of iCIMS: %v", o.header)
			}
		}
	}
	broken := func(t *testing.T, o outcome) {
		t.Helper()
		if o.err == nil {
			t.Errorf("status %d and no error", o.status)
		}
	}
	reset := func(t *testing.T, o outcome) {
		t.Helper()
		if !errors.Is(o.err, syscall.ECONNRESET) && !errors.Is(o.err, io.EOF) {
			t.Errorf("error %v, status %d", o.err, o.status)
		}
	}
	cases := []struct {
		fault  Fault
		people int // afterwards
		check  func(*testing.T, outcome)
	}{
		{Error500Before, 0, status(500)},
		{Error500After, 1, status(500)},
		{ResetBefore, 0, reset},
		{ResetAfter, 1, reset},
		{ResetMidBody, 1, broken},
		{Error503, 0, status(503)},
		{Error429, 0, func(t *testing.T, o outcome) {
			status(429)(t, o)
			if o.header.Get("X-Ratelimit-Reset") == "" {
				t.Error("no rate headers")
			}
		}},
		{Error429Bare, 0, func(t *testing.T, o outcome) {
			status(429)(t, o)
			if o.header.Get("X-Ratelimit-Reset") != "" {
				t.Error("rate headers")
			}
		}},
		{SlowBody, 1, status(201)},
		{HTMLError, 0, func(t *testing.T, o outcome) {
			ofAProxy(502)(t, o)
			if !strings.HasPrefix(o.header.Get("Content-Type"), "text/html") {
				t.Error(o.header)
			}
		}},
		{TruncatedJSON, 1, func(t *testing.T, o outcome) {
			status(201)(t, o)
			if json.Valid(o.body) || len(o.body) == 0 {
				t.Errorf("body %q", o.body)
			}
		}},
		{OverlongJSON, 1, func(t *testing.T, o outcome) {
			status(201)(t, o)
			if len(o.body) < 1<<20 || !json.Valid(o.body) {
				t.Errorf("%d bytes", len(o.body))
			}
		}},
		{RedirectElsewhere, 0, func(t *testing.T, o outcome) {
			ofAProxy(302)(t, o)
			if !strings.HasPrefix(o.header.Get("Location"), elsewhere) {
				t.Error(o.header.Get("Location"))
			}
		}},
		{Page403, 0, ofAProxy(403)},
		{Page404, 0, ofAProxy(404)},
		{Page404After, 1, ofAProxy(404)},
		{Unauthorized, 0, status(401)},
		{AccessDenied404, 0, func(t *testing.T, o outcome) {
			status(404)(t, o)
			if !strings.HasPrefix(o.header.Get("X-Error"), "3:") {
				t.Error(o.header)
			}
		}},
	}
	for _, tc := range cases {
		t.Run(string(tc.fault), func(t *testing.T) {
			cfg := calm()
			cfg.Faults = Faults{SlowFor: time.Millisecond, OverlongBytes: 1 << 20}
			b := open(t, cfg)
			b.sim.AddRule(Rule{Fault: tc.fault})
			tc.check(t, b.create(t.Context()))
			if n := len(b.tenant.People()); n != tc.people {
				t.Errorf("%d people, want %d", n, tc.people)
			}
			if c := b.sim.Calls()[0]; c.Fault != string(tc.fault) || c.Effect != (tc.people == 1) {
				t.Errorf("%+v", c)
			}
			if o := b.create(t.Context()); o.status != 201 {
				t.Errorf("the rule injects twice: %+v", o)
			}
		})
	}
	t.Run("half of a body arrives", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		b.sim.AddRule(Rule{Fault: ResetMidBody})
		res, err := b.client.Do(b.request("GET", "/customers/1234/people/90001", ""))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(got) == 0 {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestTimeouts runs on the in-process transport with a fake clock.
func TestTimeouts(t *testing.T) {
	cases := []struct {
		fault Fault
		gone  int // people when the caller disconnected
		later int // people after LateBy
	}{{TimeoutBefore, 0, 0}, {TimeoutAfter, 1, 1}, {TimeoutLate, 0, 1}}
	for _, tc := range cases {
		t.Run(string(tc.fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := New(Config{Latency: Latency{None: true}, Faults: Faults{LateBy: 10 * time.Second}})
				tenant := sim.AddTenant(TenantConfig{Customer: customer, Username: "user", Password: "secret"})
				sim.AddRule(Rule{Route: "people.create", Fault: tc.fault})
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				_, err := post(ctx, sim, "/people", ana+"}")
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second {
					t.Errorf("%v after %v", err, time.Since(start))
				}
				synctest.Wait()
				if n := len(tenant.People()); n != tc.gone {
					t.Errorf("%d people when the caller gave up, want %d", n, tc.gone)
				}
				time.Sleep(11 * time.Second)
				synctest.Wait()
				if n := len(tenant.People()); n != tc.later {
					t.Errorf("%d people later, want %d", n, tc.later)
				}
				if c := sim.Calls()[0]; c.Status != 0 || c.Fault != string(tc.fault) {
					t.Errorf("an unanswered call is logged as %+v", c)
				}
			})
		})
	}
}

// post calls a simulator through its in-process transport.
func post(ctx context.Context, sim *Simulator, path, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", "https://api.icims.com/customers/1234"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("user", "secret")
	req.Header.Set("Content-Type", "application/json")
	return sim.Transport().RoundTrip(req)
}

func TestTransport(t *testing.T) {
	sim := New(calm())
	sim.AddTenant(TenantConfig{Customer: customer, Username: "user", Password: "secret"})
	t.Run("it answers as over HTTP, on the caller's host", func(t *testing.T) {
		res, err := post(t.Context(), sim, "/people", ana+"}")
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 201 || res.Header.Get("Location") != "https://api.icims.com/customers/1234/people/90001" {
			t.Errorf("%d %v", res.StatusCode, res.Header)
		}
	})
	t.Run("a reset is an error", func(t *testing.T) {
		sim.AddRule(Rule{Fault: ResetAfter})
		if _, err := post(t.Context(), sim, "/people", ana+"}"); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	})
	t.Run("a cut body ends too early", func(t *testing.T) {
		sim.AddRule(Rule{Fault: ResetMidBody})
		res, err := post(t.Context(), sim, "/search/people", `{"filters":[`+byEmail("a@example.com")+`]}`)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 {
			t.Errorf("%q, %v", body, err)
		}
	})
}

func TestFaultRates(t *testing.T) {
	run := func(seed uint64) []string {
		cfg := calm()
		cfg.Seed = seed
		cfg.Faults = Faults{Error503: 0.2, Error500After: 0.1}
		sim := New(cfg)
		sim.AddTenant(TenantConfig{Customer: customer, Username: "user", Password: "secret"})
		for range 2000 {
			if _, err := post(t.Context(), sim, "/people", ana+"}"); err != nil {
				t.Fatal(err)
			}
		}
		var out []string
		for _, c := range sim.Calls() {
			out = append(out, c.Fault)
		}
		return out
	}
	first := run(7)
	count := map[string]int{}
	for _, f := range first {
		count[f]++
	}
	t.Run("faults occur at their rates", func(t *testing.T) {
		if n := count["error503"]; n < 340 || n > 460 {
			t.Errorf("%d of 2000, expected about 400", n)
		}
		if n := count["error500_after"]; n < 150 || n > 250 {
			t.Errorf("%d of 2000, expected about 200", n)
		}
	})
	t.Run("one seed gives one run", func(t *testing.T) {
		if strings.Join(first, ",") != strings.Join(run(7), ",") {
			t.Error("two runs of one seed differ")
		}
		if strings.Join(first, ",") == strings.Join(run(8), ",") {
			t.Error("two seeds give the same run")
		}
	})
}
