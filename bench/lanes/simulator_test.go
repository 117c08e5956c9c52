package lanes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/child"
)

// latency is the duration of each call: almost none, and the same for all.
const latency = 2 * time.Millisecond

// simulator is the simulated iCIMS in its own process.
type simulator struct {
	rig     *rig
	origin  string
	process *child.Process
	http    *http.Client
}

func startSimulator(r *rig, customers []account) *simulator {
	r.b.Helper()
	var tenants strings.Builder
	tenants.WriteString("tenants:\n")
	for _, a := range customers {
		emailCase := icimstest.Sensitive
		if a.ignoresCase {
			emailCase = icimstest.Insensitive
		}
		fmt.Fprintf(&tenants, "  - {customer: %q, username: %s, password: %s, daily_limit: %d, limits: {calls_per_second: %v, burst: %d, in_flight: %d}, "+
			"behaviour: {search_email_case: %s}, portals: [{id: 1, name: jobs}], jobs: [{id: %d, title: Data Engineer, portals: [1]}]}\n",
			a.customer, username, password, a.limits.CallsPerDay, a.limits.CallsPerSecond, a.limits.Burst, a.limits.InFlight, emailCase, job)
	}
	file := filepath.Join(r.dir, "tenants.yml")
	r.write(file, tenants.String())
	addr, err := child.FreeAddr()
	if err != nil {
		r.b.Fatal(err)
	}
	s := &simulator{rig: r, origin: "http://" + addr, http: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}
	s.process = r.launch("sim", r.command("sim", "--listen="+addr, "--tenants="+file, "--calm", "--latency="+latency.String()))
	r.b.Cleanup(func() {
		s.http.CloseIdleConnections()
		s.process.Kill()
	})
	r.eventually(startTime, "the simulator answers", func() bool { return s.try("GET", "health", nil) == nil })
	return s
}

// ask requests a management endpoint, which does not count as an iCIMS call.
func (s *simulator) ask(method, path string, into any) {
	s.rig.b.Helper()
	if err := s.try(method, path, into); err != nil {
		s.rig.b.Fatal(err)
	}
}

func (s *simulator) try(method, path string, into any) error {
	req, err := http.NewRequest(method, s.origin+"/_sim/"+path, http.NoBody)
	if err != nil {
		return err
	}
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("simulator: %s %s: %s", method, path, answer)
	case into == nil:
		return nil
	}
	return json.Unmarshal(answer, into)
}

// traffic returns the call counts of a customer.
func (s *simulator) traffic(customer string) icimstest.Traffic {
	s.rig.b.Helper()
	return s.traffics("traffic?customer=" + customer)[0]
}

// traffics returns the call counts of all customers.
func (s *simulator) traffics(path string) []icimstest.Traffic {
	s.rig.b.Helper()
	var out struct {
		Traffic []icimstest.Traffic `json:"traffic"`
	}
	s.ask("GET", path, &out)
	return out.Traffic
}

// called returns the number of calls for all customers.
func (s *simulator) called() (calls int) {
	s.rig.b.Helper()
	for _, t := range s.traffics("traffic") {
		calls += t.Calls
	}
	return calls
}

// starts returns when the customer's people were created: the first call of an individual export. A
// look-up is made for many.
func (s *simulator) starts(customer string) []time.Time {
	s.rig.b.Helper()
	return arrivals(s.calls("calls?limit=1000000&route=people.create&customer=" + customer))
}

// calls returns the logged calls, oldest first.
func (s *simulator) calls(path string) []icimstest.Call {
	s.rig.b.Helper()
	var out struct {
		Calls []icimstest.Call `json:"calls"`
	}
	s.ask("GET", path, &out)
	return out.Calls
}

func arrivals(calls []icimstest.Call) []time.Time {
	at := make([]time.Time, len(calls))
	for i, c := range calls {
		at[i] = c.At
	}
	return at
}

// made returns how many exports each customer got so far, by workflows.
func (s *simulator) made() map[string]int {
	s.rig.b.Helper()
	var state icimstest.State
	s.ask("GET", "state", &state)
	made := make(map[string]int, len(state.Tenants))
	for _, t := range state.Tenants {
		made[t.Customer] = t.Workflows
	}
	return made
}
