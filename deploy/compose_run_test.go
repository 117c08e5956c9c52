package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seekout/icims-export/api/client"
	"github.com/seekout/icims-export/tasks/input"
)

// documented returns the command of README.md that contains a text, without docker compose run and
// its flags: the service and the arguments.
func documented(t *testing.T, text string) (name string, args []string) {
	t.Helper()
	for line := range strings.Lines(string(read(t, "README.md"))) {
		if words := strings.Fields(line); strings.HasPrefix(line, "docker compose run --rm ") && strings.Contains(line, text) {
			words = slices.DeleteFunc(words[4:], func(w string) bool { return w == "-T" })
			return words[0], words[1:]
		}
	}
	t.Fatalf("README.md has no command with %q", text)
	return "", nil
}

// asker requests the API with a key.
type asker struct {
	t         *testing.T
	root, key string
	http      *http.Client
}

func (a asker) do(method, path string, body, into any) {
	a.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			a.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.root+path, bytes.NewReader(text))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if a.key != "" {
		r.Header.Set("Authorization", "Bearer "+a.key)
	}
	answer, err := a.http.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		a.t.Fatalf("%s %s: %s %v\n%s", method, path, answer.Status, err, said)
	}
	switch into := into.(type) {
	case nil:
	case *string:
		*into = string(said)
	default:
		if err := json.Unmarshal(said, into); err != nil {
			a.t.Fatalf("%s %s: %v in %s", method, path, err, said)
		}
	}
}

// TestComposeRunsWithoutDocker follows docker-compose.yml and README.md without containers, from
// the first start to an export and a stop.
func TestComposeRunsWithoutDocker(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six processes")
	}
	t.Parallel()
	env := dotenv(t, "sim.env")
	s := newStack(t, compose(t, env))
	s.up(strings.Split(env["COMPOSE_PROFILES"], ","))

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	ask := asker{t: t, root: "http://" + s.first("api").at(published(t, s.first("api"))), http: &http.Client{Transport: transport}}
	var page string
	ask.do(http.MethodGet, "/login", nil, &page)
	if !strings.Contains(page, "<form") {
		t.Errorf("the console does not ask for a key: %s", page)
	}
	name, args := documented(t, "apikeys new")
	ask.key = strings.TrimSpace(s.run(name, args...))

	const customer, job = "1234", 1709
	simulator := s.first("simulator").at("8899")
	path := "/v1/customers/" + customer
	ask.do(http.MethodPut, path+"/connection", map[string]any{
		"username": "export-user", "password": "made-up",
		"portal_urls": fmt.Sprintf("http://%s/customers/%s/search/portals/1?staleness=0", simulator, customer),
	}, nil)
	var verification struct{ ID, State string }
	ask.do(http.MethodPost, path+"/verifications", map[string]any{"job": job}, &verification)
	for verification.State == "waiting" || verification.State == "running" {
		ask.do(http.MethodGet, path+"/verifications/"+verification.ID+"?wait=30s", nil, &verification)
	}
	var connection struct{ State, Reason string }
	ask.do(http.MethodGet, path+"/connection", nil, &connection)
	if connection.State != "connected" {
		t.Errorf("the connection is %s: %s", connection.State, connection.Reason)
	}

	producer, err := client.New(ask.root, ask.key, client.WithHTTPClient(ask.http))
	if err != nil {
		t.Fatal(err)
	}
	sent, err := producer.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(job), Candidates: input.Candidates(
		input.Candidate{ID: "c-1", FirstName: "Ana", LastName: "Duarte", Email: "ana.duarte@example.com"},
		input.Candidate{ID: "c-2", FirstName: "Ben", LastName: "Okoro", Email: "ben.okoro@example.com"},
	)})
	if err != nil {
		t.Fatal(err)
	}
	end, err := producer.Wait(t.Context(), sent.Batch, nil)
	if err != nil || end.Created != 2 {
		t.Errorf("the export ended with %+v, %v", end, err)
	}

	checkMonitoring(t, ask, customer)
	checkRedis(t, s)
	checkProcesses(t, s, ask)
	checkFilesStay(t, s)
	s.down()
}

// published returns the published port of an instance, as the instance knows it.
func published(t *testing.T, i *instance) string {
	t.Helper()
	ports := i.service.Ports
	if len(ports) != 1 {
		t.Fatalf("%s publishes %q", i.name, ports)
	}
	return ports[0][strings.LastIndex(ports[0], ":")+1:]
}

// checkProcesses requests readiness and metrics of each process, as a load balancer and Prometheus
// do.
func checkProcesses(t *testing.T, s *stack, ask asker) {
	t.Helper()
	ask.key = ""
	created := 0
	for _, i := range s.started {
		listen := i.service.Environment["ICIMS_EXPORT_METRICS_LISTEN"]
		if listen == "" || !i.service.runs() {
			continue
		}
		ask.root = "http://" + i.here(listen)
		var ready struct {
			Status string
			AtRisk []string `json:"at_risk"`
		}
		ask.do(http.MethodGet, "/readyz", nil, &ready)
		if ready.Status != "ready" || len(ready.AtRisk) > 0 {
			t.Errorf("%s says %+v", i.name, ready)
		}
		var shown string
		ask.do(http.MethodGet, "/metrics", nil, &shown)
		if !strings.Contains(shown, `icims_export_ready{check="ledger"} 1`) {
			t.Errorf("%s does not show that it is ready", i.name)
		}
		for _, m := range regexp.MustCompile(`(?m)^icims_export_exports_total\{outcome="created",reason="none"\} (\d+)$`).FindAllStringSubmatch(shown, -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			created += n
		}
	}
	const exported, verified = 2, 1 // including the verification's test candidate
	if created != exported+verified {
		t.Errorf("the workers count %d created people", created)
	}
}

// checkFilesStay runs the services that create files again, as each start does.
func checkFilesStay(t *testing.T, s *stack) {
	t.Helper()
	files := map[string][]string{"keyset": {"/keys/keyset.json"}, "redis-acl": {"/keys/redis-password", "/acl/users.acl"}}
	for name, paths := range files {
		i := s.first(name)
		before := map[string][]byte{}
		for _, path := range paths {
			before[path] = read(t, i.here(path))
		}
		s.run(name, i.service.Command...)
		for _, path := range paths {
			if !bytes.Equal(before[path], read(t, i.here(path))) {
				t.Errorf("%s is another one after a second start", path)
			}
		}
	}
}
