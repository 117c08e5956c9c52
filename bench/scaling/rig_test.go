package scaling_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

const (
	username  = "export-user"
	password  = "correct horse battery staple"
	job       = 1701
	unlimited = 1_000_000_000
)

// rig is a Redis, a simulated iCIMS without latency and a worker, the latter two in this process.
type rig struct {
	b         *testing.B
	server    *redistest.Server
	watch     redis.UniversalClient // not the worker's
	ledger    *store.Ledger
	producer  *tasks.Client
	worker    *worker.Worker
	customers []string
	rows      int // submitted so far
}

// newRig starts a worker for n customers with a rate limit.
func newRig(b *testing.B, n, callsPerSecond int, change func(*worker.Settings)) *rig {
	b.Helper()
	sim := icimstest.New(icimstest.Config{Latency: icimstest.Latency{None: true}, Quirks: icimstest.Quirks{None: true}, KeepCalls: -1})
	web := icimstest.NewServer(sim)
	b.Cleanup(web.Close)
	r := &rig{b: b, server: redistest.Start(b, redistest.AppendOnly("everysec"))}
	r.watch = r.server.Client(b)
	keys, err := store.NewKeyset()
	if err != nil {
		b.Fatal(err)
	}
	client := r.server.Client(b)
	r.ledger = store.NewLedger(client, keys)
	r.producer = tasks.NewClient(client, r.ledger)
	connections := make([]store.Connection, n)
	for i := range connections {
		customer := strconv.Itoa(1000 + i)
		r.customers = append(r.customers, customer)
		tenant := icimstest.DemoTenant(customer, username, password)
		tenant.DailyLimit = unlimited
		sim.AddTenant(tenant)
		connections[i] = store.Connection{
			Customer: customer, Username: username, Password: password, PortalURLs: web.PortalURL(customer, 1), LinkedInField: "field51001",
			Limits:  store.Limits{CallsPerSecond: float64(callsPerSecond), Burst: callsPerSecond, InFlight: 8, CallsPerDay: unlimited},
			Profile: testrig.Verified(),
		}.WithDefaults()
	}
	settings := worker.DefaultSettings()
	if change != nil {
		change(&settings)
	}
	hosts, err := icims.ParseHostPolicy(web.URL)
	if err != nil {
		b.Fatal(err)
	}
	r.worker = worker.New(client, r.ledger, settings, hosts, zerolog.Nop())
	r.worker.SetConnections(connections)
	return r
}

func (r *rig) start() {
	r.b.Helper()
	if err := r.worker.Start(r.b.Context()); err != nil {
		r.b.Fatal(err)
	}
	r.b.Cleanup(r.worker.Stop)
}

// send submits a batch of new candidates.
func (r *rig) send(customer string, n int) store.BatchID {
	r.b.Helper()
	rows := make([]input.Candidate, n)
	for i := range rows {
		r.rows++
		id := fmt.Sprintf("c-%07d", r.rows)
		rows[i] = input.Candidate{
			ID: id, FirstName: "Made", LastName: "Up" + id, Email: id + "@example.com",
			Phones:         []input.Phone{{Number: "+1 425 555 0143", Type: "mobile"}},
			WorkExperience: []input.WorkExperience{{Employer: "Contoso", Title: "Data Engineer", Start: "2021-03"}},
		}
	}
	receipt, err := r.producer.Enqueue(r.b.Context(), input.Batch{Customer: customer, Target: input.ToJob(job), Candidates: input.Candidates(rows...)})
	if err != nil || receipt.Accepted != n {
		r.b.Fatalf("%d of %d accepted, %v", receipt.Accepted, n, err)
	}
	return receipt.Batch
}

// await waits until all candidates of the batches are created.
func (r *rig) await(batches ...store.BatchID) {
	r.b.Helper()
	observer := store.NewLedger(r.watch, r.ledger.Keys())
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for _, id := range batches {
		for {
			state, err := observer.Batches.Get(r.b.Context(), id)
			if err != nil {
				r.b.Fatal(err)
			}
			if state.Moving() == 0 {
				if state.Created != state.Accepted {
					r.b.Fatalf("not all were created: %+v", state)
				}
				break
			}
			<-tick.C
		}
	}
}
