package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/internal/child"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

const (
	customer = "1234"
	job      = 1709
)

// BenchmarkUpload submits the same file with curl to icims-export serve, and with package tasks in
// this process, in turns.
func BenchmarkUpload(b *testing.B) {
	s := newStage(b)
	file := s.write(*candidates)
	for b.Loop() {
		s.upload(s.write(1000)) // warms up
		before := figures.ResidentMB(s.serve.PID())
		var overHTTP, inGo, ratio figures.Sample
		perSecond := func(took time.Duration) float64 { return float64(*candidates) / took.Seconds() }
		for range *rounds {
			overHTTP = append(overHTTP, perSecond(s.upload(file)))
			inGo = append(inGo, perSecond(s.enqueue(file)))
			ratio = append(ratio, overHTTP[len(overHTTP)-1]/inGo[len(inGo)-1])
		}
		results.Note("candidates/s, file by package tasks", inGo, "%.0f", "")
		results.Note("candidates/s, file by curl and serve", overHTTP, "%.0f", "")
		results.Judge("serve : package tasks", ratio, figures.AtLeast(0.5, "", "%.2f"))
		results.Note("  serve's memory before", figures.Exactly(before), "%.0f", " MB")
		grown := figures.Exactly(figures.PeakMB(s.serve.PID()) - before)
		results.Judge("serve's memory grows at most by", grown, figures.AtMost(64, " MB", "%.0f"))
		b.ReportMetric(ratio.Median(), "ratio")
		b.ReportMetric(grown.Median(), "MB")
	}
}

// stage is a Redis, and an API in its own process.
type stage struct {
	b      *testing.B
	redis  redis.UniversalClient
	ledger *store.Ledger
	serve  *child.Process
	root   string
	token  string
}

func newStage(b *testing.B) *stage {
	b.Helper()
	server := redistest.Start(b)
	keys, err := store.NewKeyset()
	if err != nil {
		b.Fatal(err)
	}
	text, err := keys.Export()
	if err != nil {
		b.Fatal(err)
	}
	keyset := filepath.Join(b.TempDir(), "keyset.json")
	if err := os.WriteFile(keyset, text, 0o600); err != nil {
		b.Fatal(err)
	}
	program, err := child.Build(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	address, err := child.FreeAddr()
	if err != nil {
		b.Fatal(err)
	}
	s := &stage{b: b, redis: server.Client(b), root: "http://" + address}
	s.ledger = store.NewLedger(s.redis, keys)
	cmd := exec.CommandContext(b.Context(), program, "serve", "--log-level=error")
	cmd.Env = []string{"ICIMS_EXPORT_REDIS_URL=" + server.URL(), "ICIMS_EXPORT_KEYSET=" + keyset, "ICIMS_EXPORT_API_LISTEN=" + address}
	cmd.Stderr = os.Stderr
	if s.serve, err = child.Start("serve", cmd); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.serve.Kill)
	s.wait()
	return s
}

// wait waits until the API responds.
func (s *stage) wait() {
	s.b.Helper()
	ctx, cancel := context.WithTimeout(s.b.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	defer http.DefaultClient.CloseIdleConnections()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.root+"/healthz", nil)
		if err != nil {
			s.b.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.b.Fatal("the API does not answer")
		}
	}
}

// write creates a file of candidates with eleven positions and two schools each.
func (s *stage) write(n int) string {
	s.b.Helper()
	file, err := os.Create(filepath.Join(s.b.TempDir(), "people.ndjson"))
	if err != nil {
		s.b.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	enc := json.NewEncoder(w)
	for i := range n {
		c := input.Candidate{
			ID: fmt.Sprintf("c-%06d", i), FirstName: "Ottoline", LastName: fmt.Sprintf("Quillfeather %d", i),
			Email:       fmt.Sprintf("ottoline.quillfeather.%06d@example.com", i),
			LinkedInURL: fmt.Sprintf("https://www.linkedin.com/in/ottoline-%06x", i),
			Phones:      []input.Phone{{Number: fmt.Sprintf("+1 425 555 %04d", i%10_000), Type: "mobile"}},
			Education:   []input.Education{{School: "University of Porto", Degree: "Master of Science"}, {School: "University of Coimbra", Degree: "Bachelor of Science"}},
		}
		for p := range 11 {
			c.WorkExperience = append(c.WorkExperience, input.WorkExperience{
				Employer: fmt.Sprintf("Larkspur & Sons %d Ltd", p), Title: "Principal software engineer", Start: fmt.Sprintf("%d-03", 2020-2*p), End: fmt.Sprintf("%d-02", 2022-2*p),
			})
		}
		if err := enc.Encode(c); err != nil {
			s.b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		s.b.Fatal(err)
	}
	return file.Name()
}

// empty removes everything from Redis except what the API needs.
func (s *stage) empty() {
	s.b.Helper()
	ctx := s.b.Context()
	if err := s.redis.FlushAll(ctx).Err(); err != nil {
		s.b.Fatal(err)
	}
	conn := store.Connection{Customer: customer, Username: "export-user", Password: "made-up", PortalURLs: "https://api.icims.com/customers/" + customer + "/search/portals/1"}
	if _, err := s.ledger.Connections.Add(ctx, conn, "a benchmark", ""); err != nil {
		s.b.Fatal(err)
	}
	var err error
	if _, s.token, err = s.ledger.Access.NewAPIKey(ctx, store.APIKey{Name: "a benchmark", Scopes: []string{"export"}, By: "a benchmark"}, time.Now()); err != nil {
		s.b.Fatal(err)
	}
}

func (s *stage) upload(file string) time.Duration {
	s.b.Helper()
	s.empty()
	began := time.Now()
	out, err := exec.CommandContext(s.b.Context(), "curl", "-sS", "--fail-with-body", "-X", "POST", "-T", file,
		"-H", "Authorization: Bearer "+s.token, "-H", "Content-Type: application/x-ndjson",
		fmt.Sprintf("%s/v1/customers/%s/exports?job=%d", s.root, customer, job)).CombinedOutput()
	took := time.Since(began)
	if err != nil {
		s.b.Fatalf("%v: %s", err, out)
	}
	s.accepted(out)
	return took
}

func (s *stage) accepted(answer []byte) {
	s.b.Helper()
	var sent struct {
		Accepted int `json:"accepted"`
		Refused  int `json:"refused_rows"`
	}
	if err := json.Unmarshal(answer, &sent); err != nil || sent.Accepted == 0 || sent.Refused != 0 {
		s.b.Fatalf("%v: %.300s", err, answer)
	}
}

func (s *stage) enqueue(name string) time.Duration {
	s.b.Helper()
	s.empty()
	file, err := os.Open(name)
	if err != nil {
		s.b.Fatal(err)
	}
	defer file.Close()
	began := time.Now()
	receipt, err := tasks.NewClient(s.redis, s.ledger).Enqueue(s.b.Context(), input.Batch{Customer: customer, Target: input.ToJob(job), Candidates: input.Read(file, name)})
	took := time.Since(began)
	if err != nil || len(receipt.Refused) > 0 {
		s.b.Fatalf("%d accepted, %d refused, %v", receipt.Accepted, len(receipt.Refused), err)
	}
	return took
}
