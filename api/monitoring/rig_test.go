package monitoring

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }

const (
	customer = "1234"
	password = "correct horse battery staple"
)

// personalTexts are parts of generated people, and a password, that must not appear anywhere. They
// are long enough, or formatted so, that no ID or fraction of a second contains one by chance.
var personalTexts = []string{"Ana", "Duarte", "person-0", "example.com", "425 555", "4255550143", "Contoso", "export-user", password}

// newHandler returns the web UI of a Redis, for a user with the scope operate.
func newHandler(t *testing.T, client redis.UniversalClient, change ...func(*Options)) *Handler {
	t.Helper()
	o := Options{Redis: client, Path: "/monitoring", MayOperate: func(*http.Request) bool { return true }, Log: zerolog.Nop()}
	for _, c := range change {
		c(&o)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func onlyLook(o *Options) { o.MayOperate = nil }

// call makes a request to the web UI; header alternates names and values.
func call(t *testing.T, h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	return send(t, h, method, target, "", header...)
}

// send is call with a body.
func send(t *testing.T, h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://console.test"+target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// rig is a worker with its Redis and a simulated iCIMS.
type rig struct {
	t        *testing.T
	sim      *icimstest.Simulator
	client   redis.UniversalClient
	ledger   *store.Ledger
	producer *tasks.Client
}

func newRig(t *testing.T, c icimstest.Config) *rig {
	t.Helper()
	r := &rig{t: t, sim: icimstest.New(c), client: redistest.Start(t).Client(t)}
	tenant := icimstest.DemoTenant(customer, "export-user", password)
	tenant.DailyLimit = 1_000_000
	r.sim.AddTenant(tenant)
	server := icimstest.NewServer(r.sim)
	t.Cleanup(server.Close)
	hosts, err := icims.ParseHostPolicy(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	r.ledger = store.NewLedger(r.client, keys)
	r.producer = tasks.NewClient(r.client, r.ledger)
	settings := worker.DefaultSettings()
	settings.LaneConcurrency, settings.RetryMin, settings.RetryMax = 4, 3*time.Second, 5*time.Second
	w := worker.New(r.client, r.ledger, settings, hosts, zerolog.Nop())
	w.SetConnections([]store.Connection{{
		Customer: customer, Username: "export-user", Password: password, PortalURLs: server.PortalURL(customer, 1),
		Limits:  store.Limits{CallsPerSecond: 200, Burst: 10, InFlight: 4, CallsPerDay: 1_000_000},
		Profile: testrig.Verified(),
	}})
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return r
}

// send submits a batch.
func (r *rig) send(customer string, candidates ...input.Candidate) store.BatchID {
	r.t.Helper()
	receipt, err := r.producer.Enqueue(r.t.Context(), input.Batch{Customer: customer, Target: input.ToJob(1701), Candidates: input.Candidates(candidates...)})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(receipt.Refused) > 0 {
		r.t.Fatalf("refused: %+v", receipt.Refused[0])
	}
	return receipt.Batch
}

// people returns generated people, full of telltales.
func people(from, to int) []input.Candidate {
	all := make([]input.Candidate, 0, to-from)
	for i := from; i < to; i++ {
		all = append(all, input.Candidate{
			ID: fmt.Sprintf("cand-%06d", i), FirstName: "Ana", LastName: "Duarte", Email: fmt.Sprintf("person-%06d@example.com", i),
			Phones:         []input.Phone{{Number: fmt.Sprintf("+1 425 555 0143 x%d", i), Type: "mobile"}},
			WorkExperience: []input.WorkExperience{{Employer: "Contoso", Title: "Data Engineer", Start: "2021-03"}},
		})
	}
	return all
}

// enqueue adds a task without the ledger, as another program may.
func enqueue(t *testing.T, client redis.UniversalClient, kind, payload string, options ...asynq.Option) *asynq.TaskInfo {
	t.Helper()
	info, err := asynq.NewClientFromRedisClient(client).Enqueue(asynq.NewTask(kind, []byte(payload)), options...)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func inspect(client redis.UniversalClient) *asynq.Inspector {
	return asynq.NewInspectorFromRedisClient(client)
}

// contents returns everything in Redis, in a stable order.
func contents(t *testing.T, client redis.UniversalClient) []string {
	t.Helper()
	var lines []string
	for _, e := range redistest.Dump(t, client) {
		slices.Sort(e.Values)
		lines = append(lines, fmt.Sprintf("%s %q", e.Key, e.Values))
	}
	slices.Sort(lines)
	return lines
}

// leaks returns the telltales in a text.
func leaks(text string) []string {
	var found []string
	for _, telltale := range personalTexts {
		if strings.Contains(text, telltale) || len(telltale) > 4 && strings.Contains(strings.ToLower(text), strings.ToLower(telltale)) {
			found = append(found, telltale)
		}
	}
	return found
}
