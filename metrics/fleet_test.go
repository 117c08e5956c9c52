package metrics

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// commandCount counts commands.
type commandCount struct{ n atomic.Int64 }

func (c *commandCount) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *commandCount) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

func (c *commandCount) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}

// fleetRig is a fleet with its own clock.
type fleetRig struct {
	*Fleet
	t        *testing.T
	client   redis.UniversalClient
	ledger   *store.Ledger
	producer *tasks.Client
	clock    time.Time
	leading  bool
}

func newFleetRig(t *testing.T, client redis.UniversalClient, byCustomer bool) *fleetRig {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	r := &fleetRig{t: t, client: client, ledger: store.NewLedger(client, keys), clock: time.Now(), leading: true}
	r.producer = tasks.NewClient(client, r.ledger)
	r.Fleet = NewFleet(admin.New(admin.Config{Redis: client, Ledger: r.ledger}), func() bool { return r.leading }, byCustomer)
	r.now = func() time.Time { return r.clock }
	return r
}

// collect returns the fleet's metrics as name{label values}.
func (r *fleetRig) collect() map[string]float64 {
	r.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(r.Fleet)
	families, err := registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()[len(Namespace)+1:]
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			found[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return found
}

func (r *fleetRig) send(customer string, n int) {
	r.t.Helper()
	people := make([]input.Candidate, n)
	for i := range people {
		people[i] = input.Candidate{ID: "c-" + strconv.Itoa(i), FirstName: "A", LastName: "B", Email: fmt.Sprintf("p%d@example.com", i)}
	}
	if _, err := r.producer.Enqueue(r.t.Context(), input.Batch{Customer: customer, Target: input.Prospects, Candidates: input.Candidates(people...)}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *fleetRig) is(found map[string]float64, want map[string]float64) {
	r.t.Helper()
	for name, v := range want {
		if got, ok := found[name]; !ok || got != v {
			r.t.Errorf("%s is %v (%v), want %v", name, got, ok, v)
		}
	}
}

func TestFleetShowsQueuesAndHolds(t *testing.T) {
	t.Parallel()
	r := newFleetRig(t, redistest.Start(t).Client(t), true)
	r.send("1", 30) // a large batch
	r.send("2", 3)  // a small one
	r.send("3", 2)
	if err := r.ledger.Lanes.Pause(t.Context(), "3", store.Pause{By: "ana@ops", Why: "go-live"}); err != nil {
		t.Fatal(err)
	}
	found := r.collect()
	r.is(found, map[string]float64{
		"lane_depth bulk waiting": 30, "lane_depth express waiting": 5, "lane_depth bulk active": 0, "lane_depth express later": 0,
		"customers waiting": 2, "customers paused": 1, "customers open": 0,
		"customers_held paused": 1, "customers_held icims_credentials": 0,
		"customer_lane_depth 1 bulk waiting": 30, "customer_lane_depth 2 express waiting": 3, "customer_lane_state 3 paused": 1, "customer_lane_state 3 open": 0,
		"budget_left_ratio": 1, "dead_letters": 0, "workers": 0, "fleet_read_failures_total": 0, "audit_violations live_count": 0,
	})
	if found["lane_oldest_age_seconds yes express"]+found["lane_oldest_age_seconds no express"] == 0 {
		// The labels are sorted by name.
		t.Errorf("nothing has waited: %v", found)
	}

	t.Run("nothing is read again at once", func(t *testing.T) {
		r.send("2", 2)
		r.is(r.collect(), map[string]float64{"lane_depth express waiting": 5})
		r.clock = r.clock.Add(fleetEvery)
		r.is(r.collect(), map[string]float64{"lane_depth express waiting": 7})
	})
	t.Run("a counter that is wrong is found within some readings, and forgotten once it is right", func(t *testing.T) {
		const counters = "ix:{1}:c"
		tamper := func(by int64) {
			if err := r.client.HIncrBy(t.Context(), counters, "live", by).Err(); err != nil {
				t.Fatal(err)
			}
			for range 6 {
				r.clock = r.clock.Add(fleetEvery)
				r.collect()
			}
		}
		tamper(1)
		r.is(r.collect(), map[string]float64{"audit_violations live_count": 1, "audit_violations due_count": 0})
		tamper(-1)
		r.is(r.collect(), map[string]float64{"audit_violations live_count": 0})
	})
	t.Run("another process shows nothing", func(t *testing.T) {
		r.leading = false
		if found := r.collect(); len(found) > 0 {
			t.Errorf("it shows %v", found)
		}
		r.leading = true
	})
	t.Run("customers are named only where that is set", func(t *testing.T) {
		other := newFleetRig(t, r.client, false)
		for name := range other.collect() {
			if slices.ContainsFunc([]string{"customer_", " 1 ", " 3 "}, func(part string) bool { return len(name) > len(part) && name[:len(part)] == part }) {
				t.Errorf("%s is shown", name)
			}
		}
	})
	t.Run("a fleet that cannot be read is not shown for ever", func(t *testing.T) {
		r.client.Close()
		r.clock = r.clock.Add(fleetEvery)
		if found := r.collect(); found["fleet_read_failures_total"] != 1 || found["customers paused"] != 1 {
			t.Errorf("after one failure: %v", found)
		}
		r.clock = r.clock.Add(fleetOld)
		if found := r.collect(); len(found) != 1 || found["fleet_read_failures_total"] != 2 {
			t.Errorf("long after: %v", found)
		}
	})
}

// TestIdleCustomersCostNextToNothing: a thousand customers without work cost at most ten commands
// per second.
func TestIdleCustomersCostNextToNothing(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	r := newFleetRig(t, client, true)
	ctx := t.Context()
	for c := range 1000 {
		customer := strconv.Itoa(10_000 + c)
		if _, err := client.SAdd(ctx, "ix:customers", customer).Result(); err != nil {
			t.Fatal(err)
		}
		// Batches of the past month, which the consistency check reads.
		for b := range 10 {
			if err := client.ZAdd(ctx, "ix:{"+customer+"}:batches", redis.Z{Score: float64(b), Member: fmt.Sprintf("abcdefgh2345%04d", b)}).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	count := &commandCount{}
	client.AddHook(count)
	const minutes = 10
	began := r.clock
	for ; r.clock.Sub(began) < minutes*time.Minute; r.clock = r.clock.Add(5 * time.Second) { // frequent scrapes
		r.collect()
	}
	perSecond := float64(count.n.Load()) / (minutes * 60)
	t.Logf("%.1f commands a second", perSecond)
	if perSecond > 10 {
		t.Errorf("%.1f commands a second", perSecond)
	}
	if len(r.scan.dead) != 1000 {
		t.Errorf("of %d customers the dead letters were counted", len(r.scan.dead))
	}
}

func TestManyBusyCustomersAreReadLessOften(t *testing.T) {
	t.Parallel()
	f := NewFleet(nil, nil, false)
	for busy, want := range map[int]time.Duration{0: fleetEvery, 500: fleetEvery, 2000: 34 * time.Second} {
		f.seen.busy = make([]string, busy)
		if got := f.pause(); got != want {
			t.Errorf("%d: read after %s, want %s", busy, got, want)
		}
	}
}

// TestFleetShowsLostWrites: losses of Redis writes are exported by cause.
func TestFleetShowsLostWrites(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	r := newFleetRig(t, client, false)
	beat := func() store.Loss {
		t.Helper()
		loss, _, err := r.ledger.Workers.NoticeLoss(t.Context(), "a worker", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return loss
	}
	beat()
	r.is(r.collect(), map[string]float64{"redis_loss_timestamp_seconds emptied": 0, "redis_loss_timestamp_seconds went_back": 0, "redis_loss_timestamp_seconds possible": 0})
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	loss := beat()
	r.clock = r.clock.Add(fleetEvery)
	r.is(r.collect(), map[string]float64{"redis_loss_timestamp_seconds emptied": float64(loss.At.UnixMilli()) / 1000, "redis_loss_timestamp_seconds went_back": 0})
}
