package bench_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seekout/icims-export/icims/icimstest"
)

const (
	// simulatorEnv makes the test binary serve the simulator in its own process. Both sides share
	// the CPUs equally. Its value says whether the exact email search is case-sensitive.
	simulatorEnv  = "ICIMS_EXPORT_BENCH_SIMULATOR"
	caseSensitive = "case-sensitive"
	ignoresCase   = "ignores-case"

	customer = "1234"
	username = "export-user"
	password = "correct horse battery staple"
	job      = 1701
)

// serveSimulator serves an iCIMS without latency, quirks and call log until in ends. It prints its
// URL.
func serveSimulator(kind string, in io.Reader, out io.Writer) error {
	cfg := icimstest.Config{Latency: icimstest.Latency{None: true}, Quirks: icimstest.Quirks{None: true}, KeepCalls: -1}
	if kind == ignoresCase {
		cfg.Behavior.SearchEmailCase = icimstest.Insensitive
	}
	sim := icimstest.New(cfg)
	tenant := icimstest.DemoTenant(customer, username, password)
	tenant.DailyLimit = 1_000_000_000
	sim.AddTenant(tenant)
	server := icimstest.NewServer(sim)
	defer server.Close()
	if _, err := fmt.Fprintln(out, server.URL); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in)
	return err
}

// simulator is that process.
type simulator struct {
	unverified bool // its connection was never verified

	url    string
	pid    int
	client *http.Client
}

func startSimulator(b *testing.B, kind string) *simulator {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), simulatorEnv+"="+kind)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{}
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			b.Errorf("simulator: %v", err)
		}
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("the simulator did not start: %v", err)
	}
	return &simulator{url: strings.TrimSpace(url), pid: cmd.Process.Pid, client: &http.Client{Transport: transport}}
}

func (s *simulator) portal() string {
	return fmt.Sprintf("%s/customers/%s/search/portals/1?staleness=0", s.url, customer)
}

// reset removes people, workflows and calls.
func (s *simulator) reset(b *testing.B) {
	b.Helper()
	answer, err := s.client.Post(s.url+"/_sim/reset", "application/json", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		b.Fatalf("reset the simulator: status %d, %v", answer.StatusCode, err)
	}
}

// holds checks for n people with a workflow each, and returns the calls made.
func (s *simulator) holds(b *testing.B, n int) (calls int) {
	b.Helper()
	answer, err := s.client.Get(s.url + "/_sim/state")
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	var state icimstest.State
	if err := json.NewDecoder(answer.Body).Decode(&state); err != nil {
		b.Fatal(err)
	}
	if t := state.Tenants[0]; t.People != n || t.Workflows != n {
		b.Fatalf("the simulator holds %d people and %d workflows, want %d of each", t.People, t.Workflows, n)
	}
	return state.Calls
}
