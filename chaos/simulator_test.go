package chaos_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/child"
)

const (
	password   = "made-up"
	dailyLimit = 9_000_000
	firstJob   = 1701
)

// simulator is the simulated iCIMS in its own process.
type simulator struct {
	t      *testing.T
	origin string
	http   *http.Client
}

// tenant allows what iCIMS may allow: duplicate profiles and workflows, and case-sensitive
// addresses.
const tenant = `  - customer: "%s"
    username: export-user
    password: made-up
    daily_limit: 9000000
    behaviour: {duplicate_email: allow, duplicate_workflow: allow, search_email_case: sensitive}
    sources: [SeekOut]
    portals: [{id: 1, name: jobs}]
    jobs: [{id: 1701, title: Data Engineer, portals: [1]}, {id: 1702, title: Registered Nurse, portals: [1]}, {id: 1703, title: Account Executive, portals: [1]}]
`

func startSimulator(r *rig, seed uint64) *simulator {
	r.t.Helper()
	log, err := child.LogFile(r.dir, "sim")
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	file := filepath.Join(r.dir, "tenants.yml")
	tenants := "tenants:\n"
	for _, c := range r.customers {
		tenants += fmt.Sprintf(tenant, c)
	}
	r.write(file, []byte(tenants))
	addr := freeAddr(r.t)
	cmd := r.command("sim", "--listen="+addr, "--tenants="+file, "--seed="+strconv.FormatUint(seed, 10))
	cmd.Stdout, cmd.Stderr = log, log
	c, err := child.Start("sim", cmd)
	if err != nil {
		r.t.Fatal(err)
	}
	s := &simulator{t: r.t, origin: "http://" + addr, http: &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}}
	r.t.Cleanup(func() {
		s.http.CloseIdleConnections()
		c.Kill()
	})
	eventually(r.t, 20*time.Second, "the simulator answers", func() error {
		return s.try("GET", "health", nil, nil)
	})
	return s
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := child.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// eventually polls until try succeeds.
func eventually(t *testing.T, limit time.Duration, what string, try func() error) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		case <-tick.C:
		}
	}
}

// ask requests a management endpoint, which does not count as an iCIMS call.
func (s *simulator) ask(method, path string, body, into any) {
	s.t.Helper()
	if err := s.try(method, path, body, into); err != nil {
		s.t.Fatal(err)
	}
}

func (s *simulator) try(method, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.send(method, path, data, into)
}

func (s *simulator) send(method, path string, data []byte, into any) error {
	req, err := http.NewRequest(method, s.origin+"/_sim/"+path, bytes.NewReader(data))
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
		return fmt.Errorf("simulator: %s %s: %s", method, path, strings.TrimSpace(string(answer)))
	case into == nil:
		return nil
	}
	return json.Unmarshal(answer, into)
}

func (s *simulator) setFaults(f icimstest.Faults) {
	s.t.Helper()
	data, err := yaml.Marshal(f) // durations with units, as the endpoint expects
	if err == nil {
		err = s.send("POST", "faults", data, nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *simulator) invariants() icimstest.Invariants {
	s.t.Helper()
	var i icimstest.Invariants
	s.ask("GET", "invariants", nil, &i)
	return i
}

// person is a profile in the simulator's list.
type person struct {
	ID     int64 `json:"id"`
	Fields struct {
		LastName string `json:"lastname"`
		Email    string `json:"email"`
	} `json:"fields"`
}

func (s *simulator) people(customer string) []person {
	s.t.Helper()
	var list []person
	s.ask("GET", "people?customer="+customer, nil, &list)
	return list
}

func (s *simulator) workflows(customer string) []icimstest.WorkflowView {
	s.t.Helper()
	var list []icimstest.WorkflowView
	s.ask("GET", "workflows?customer="+customer, nil, &list)
	return list
}

// seedPeople adds existing people to the first customer's iCIMS.
func (s *simulator) seedPeople(people []map[string]any) {
	s.t.Helper()
	s.ask("POST", "people", map[string]any{"customer": customer, "people": people}, nil)
}

// calls returns all calls and stores them with the logs.
func (s *simulator) calls(dir string) []icimstest.Call {
	s.t.Helper()
	var got struct {
		Calls []icimstest.Call `json:"calls"`
	}
	s.ask("GET", "calls?limit=1000000", nil, &got)
	if data, err := json.Marshal(got.Calls); err == nil {
		_ = os.WriteFile(filepath.Join(dir, "calls.json"), data, 0o600)
	}
	return got.Calls
}
