package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestLongOutageIsReported(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	at := start.Add
	var tr outage
	if tr.beginReport(at(time.Hour)) {
		t.Error("reported while the breaker is closed")
	}
	tr.breakerChanged(false, at(0))
	tr.breakerChanged(false, at(4*time.Minute)) // half open, and open again
	if tr.beginReport(at(longOutage - time.Second)) {
		t.Error("reported too early")
	}
	if !tr.beginReport(at(longOutage)) || tr.beginReport(at(longOutage+time.Hour)) {
		t.Error("not reported, or reported twice")
	}
	tr.endReport(at(longOutage), nil)
	if tr.beginReport(at(2*longOutage-time.Second)) || !tr.beginReport(at(2*longOutage)) {
		t.Error("not reported again at the interval")
	}
	tr.endReport(at(2*longOutage), errors.New("no Redis"))
	if tr.beginReport(at(2*longOutage)) || !tr.beginReport(at(2*longOutage+reportRetry)) {
		t.Error("a failed report is not repeated soon")
	}
	tr.endReport(at(2*longOutage+reportRetry), nil)
	tr.breakerChanged(true, at(2*time.Hour))
	tr.breakerChanged(false, at(3*time.Hour))
	if tr.beginReport(at(3*time.Hour + time.Minute)) {
		t.Error("a new outage does not count from its own start")
	}
	if !tr.beginReport(at(4 * time.Hour)) {
		t.Error("a new outage is not reported")
	}
}

// faultyRedis fails commands while it is switched on.
type faultyRedis struct{ failing bool }

func (f *faultyRedis) DialHook(next redis.DialHook) redis.DialHook { return next }

func (f *faultyRedis) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if f.failing {
			err := errors.New("the Redis of the test fails")
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (f *faultyRedis) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if f.failing {
			return errors.New("the Redis of the test fails")
		}
		return next(ctx, cmds)
	}
}

func TestOutageReportIsRetried(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	fault := &faultyRedis{}
	client.AddHook(fault)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(client, keys)
	stored, err := ledger.Connections.Add(t.Context(), store.Connection{Customer: "1234", Username: "u", Password: "p", PortalURLs: "x"}, "maria", "")
	if err != nil {
		t.Fatal(err)
	}
	move := func(to store.ConnectionState) {
		t.Helper()
		if err := ledger.Connections.Move(t.Context(), "1234", store.ConnectionMove{To: to, Who: "maria"}); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want store.ConnectionState) {
		t.Helper()
		if c, err := ledger.Connections.Get(t.Context(), "1234"); err != nil || c.State != want {
			t.Errorf("it is %s, %v; want %s", c.State, err, want)
		}
	}
	move(store.ConnectionVerifying)
	move(store.ConnectionConnected)
	use := stored.WithDefaults()
	use.Stored = true
	w := New(client, ledger, DefaultSettings(), icims.HostPolicy{}, zerolog.Nop())
	w.connections["1234"] = use
	breaker := newBreaker("1234", zerolog.Nop(), func(string) {})
	w.tenants["1234"] = &tenantCache{breaker: breaker}
	now := time.Now()
	tell := func(at time.Time) {
		w.mu.Lock()
		w.reportOutages(at)
		w.mu.Unlock()
		w.background.Wait()
	}
	breaker.outage.breakerChanged(false, now)
	fault.failing = true
	tell(now.Add(longOutage))
	fault.failing = false
	is(store.ConnectionConnected)
	tell(now.Add(longOutage + reportRetry))
	is(store.ConnectionDegraded)
	// Another process has had a success meanwhile, but this process's breaker is still open.
	move(store.ConnectionConnected)
	tell(now.Add(3 * longOutage))
	is(store.ConnectionDegraded)
}
