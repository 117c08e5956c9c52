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

func TestTroubleIsToldOnceItHasLastedForLong(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	at := start.Add
	var tr trouble
	if tr.begin(at(time.Hour)) {
		t.Error("told while the breaker is closed")
	}
	tr.changed(false, at(0))
	tr.changed(false, at(4*time.Minute)) // half open, and open again
	if tr.begin(at(longTrouble - time.Second)) {
		t.Error("told before its time")
	}
	if !tr.begin(at(longTrouble)) || tr.begin(at(longTrouble+time.Hour)) {
		t.Error("not told, or told by two at the same time")
	}
	tr.told(at(longTrouble), nil)
	if tr.begin(at(2*longTrouble-time.Second)) || !tr.begin(at(2*longTrouble)) {
		t.Error("as long as it lasts it is to be told again after a while, and not sooner")
	}
	tr.told(at(2*longTrouble), errors.New("no Redis"))
	if tr.begin(at(2*longTrouble)) || !tr.begin(at(2*longTrouble+tryToTell)) {
		t.Error("what could not be told is to be told soon")
	}
	tr.told(at(2*longTrouble+tryToTell), nil)
	tr.changed(true, at(2*time.Hour))
	tr.changed(false, at(3*time.Hour))
	if tr.begin(at(3*time.Hour + time.Minute)) {
		t.Error("a new trouble counts from its own beginning")
	}
	if !tr.begin(at(4 * time.Hour)) {
		t.Error("a new trouble is not told")
	}
}

// faultyRedis fails what is asked of it while it is to.
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

func TestTroubleIsToldAgainAfterRedisFailed(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	fault := &faultyRedis{}
	client.AddHook(fault)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(client, keys)
	stored, err := ledger.AddConnection(t.Context(), store.Connection{Customer: "1234", Username: "u", Password: "p", PortalURLs: "x"}, "maria", "")
	if err != nil {
		t.Fatal(err)
	}
	move := func(to store.ConnectionState) {
		t.Helper()
		if err := ledger.MoveConnection(t.Context(), "1234", store.ConnectionMove{To: to, Who: "maria"}); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want store.ConnectionState) {
		t.Helper()
		if c, err := ledger.Connection(t.Context(), "1234"); err != nil || c.State != want {
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
	w.learned["1234"] = &learned{breaker: breaker}
	now := time.Now()
	tell := func(at time.Time) {
		w.mu.Lock()
		w.tellTroubles(at)
		w.mu.Unlock()
		w.retiring.Wait()
	}
	breaker.trouble.changed(false, now)
	fault.failing = true
	tell(now.Add(longTrouble))
	fault.failing = false
	is(store.ConnectionConnected)
	tell(now.Add(longTrouble + tryToTell))
	is(store.ConnectionDegraded)
	// Another process has had a success meanwhile, and this one's breaker is open still.
	move(store.ConnectionConnected)
	tell(now.Add(3 * longTrouble))
	is(store.ConnectionDegraded)
}
