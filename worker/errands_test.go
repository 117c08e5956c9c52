package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker"
)

// asksCustomer is an errand that reads the customer, and tells its name.
func asksCustomer(ctx context.Context, r *worker.ErrandRun) (any, error) {
	client, err := r.Client()
	if err != nil {
		return nil, err
	}
	if _, _, err := client.Customer(ctx); err != nil {
		e, ok := errors.AsType[*icims.Error](err)
		if !ok {
			return nil, err
		}
		return map[string]any{"status": e.Status, "reason": e.Reason}, nil
	}
	return "seen", nil
}

func (r *rig) ask(customer string) store.Errand {
	r.t.Helper()
	e, _, err := r.ledger.AskErrand(r.t.Context(), customer, store.ErrandVerify, nil, "maria")
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// errand reads an errand once it is as it should be.
func (r *rig) errand(e store.Errand, what string, holds func(store.Errand) bool) store.Errand {
	r.t.Helper()
	r.eventually("the errand "+what, func() bool {
		now, err := r.ledger.Errand(r.t.Context(), e.Customer, e.Kind, e.ID)
		if err != nil {
			r.t.Fatal(err)
		}
		e = now
		return holds(e)
	})
	return e
}

func (r *rig) endedErrand(e store.Errand) store.Errand {
	r.t.Helper()
	return r.errand(e, "ends", func(e store.Errand) bool { return e.State.Ended() })
}

// serving is a rig whose worker does errands.
func serving(t *testing.T, o rigOptions, do func(context.Context, *worker.ErrandRun) (any, error)) *rig {
	t.Helper()
	stopped := o.stopped
	o.stopped, o.sim = true, calm()
	r := newRig(t, o)
	r.worker.ServeErrands(store.ErrandVerify, worker.ErrandWork{Do: do})
	if !stopped {
		r.start()
	}
	return r
}

func TestAnErrandIsDoneByAWorkerAndCounted(t *testing.T) {
	r := serving(t, rigOptions{}, asksCustomer)
	e := r.endedErrand(r.ask(customer))
	if e.State != store.ErrandDone || string(e.Result) != `"seen"` || e.Calls != 1 {
		t.Errorf("%+v", e)
	}
	// Permits are given back a moment after their calls.
	r.eventually("the call is counted, and its permit is back", func() bool {
		standing, err := r.ledger.Standings(t.Context(), customer)
		return err == nil && standing[0].Own == 1 && standing[0].InFlight == 0
	})
}

func TestAnErrandPassesWhatHoldsExportsBack(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*rig)
		result string
	}{
		"a pause": {func(r *rig) {
			if err := r.ledger.Pause(t.Context(), customer, store.Pause{By: "joe", Why: "test"}); err != nil {
				t.Fatal(err)
			}
		}, `"seen"`},
		"refused credentials, whose account works again": {func(r *rig) {
			r.closeByVerdict()
		}, `"seen"`},
		"refused credentials that are still refused": {func(r *rig) {
			r.closeByVerdict()
			r.tenant.SetPassword("another")
		}, `{"reason":"icims_credentials","status":401}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := serving(t, rigOptions{}, asksCustomer)
			c.before(r)
			if e := r.endedErrand(r.ask(customer)); string(e.Result) != c.result || e.Calls != 1 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// closeByVerdict lets an export meet a wrong password, and mends it.
func (r *rig) closeByVerdict() {
	r.t.Helper()
	r.tenant.SetPassword("another")
	r.send(tasks.Prospects, tasks.Options{}, ana())
	r.eventually("the lane closes", func() bool { return !r.standing().ClosedExpress.Open() })
	r.tenant.SetPassword(password)
}

func (r *rig) standing() store.Standing {
	r.t.Helper()
	s, err := r.ledger.Standings(r.t.Context(), customer)
	if err != nil {
		r.t.Fatal(err)
	}
	return s[0]
}

func TestSuccessOfAnErrandEndsTheVerdictOnTheAccount(t *testing.T) {
	r := serving(t, rigOptions{}, func(ctx context.Context, run *worker.ErrandRun) (any, error) {
		result, err := asksCustomer(ctx, run)
		run.Hurry()
		return result, err
	})
	r.closeByVerdict()
	r.endedErrand(r.ask(customer))
	r.eventually("calls are allowed", func() bool { return r.standing().Closed.Open() })
	r.eventually("the export ends", func() bool {
		n, err := r.ledger.Live(t.Context(), customer)
		return err == nil && n == 0
	})
}

func TestAnErrandWaitsForTheQuotaAsExportsDo(t *testing.T) {
	r := serving(t, rigOptions{tenant: func(c *icimstest.TenantConfig) { c.DailyLimit = 1 }}, asksCustomer)
	r.endedErrand(r.ask(customer))
	e := r.endedErrand(r.ask(customer))
	var got struct{ Reason string }
	if err := json.Unmarshal(e.Result, &got); err != nil || got.Reason != "icims_quota_exhausted" || e.Calls != 0 {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestAnErrandOfADeadWorkerIsTakenOver(t *testing.T) {
	f := newFleet(t, 1, nil)
	began, blocked := make(chan struct{}, 2), atomic.Bool{}
	blocked.Store(true)
	do := func(ctx context.Context, r *worker.ErrandRun) (any, error) {
		began <- struct{}{}
		if blocked.CompareAndSwap(true, false) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		return asksCustomer(ctx, r)
	}
	f.kinds = map[store.ErrandKind]worker.ErrandWork{store.ErrandVerify: {Do: do}}
	first, second := f.join(nil), f.join(nil)
	e := f.ask("1001")
	<-began
	// Whichever has it falls silent.
	holder := f.errandWorker(e)
	for _, m := range []*member{first, second} {
		if m.id == holder {
			m.cut.off.Store(true)
		}
	}
	<-began
	if e = f.endedErrand(e); e.State != store.ErrandDone || e.Tries != 2 {
		t.Errorf("%+v", e)
	}
	if took := e.Ended.Sub(e.Began); took > 20*time.Second {
		t.Errorf("taken over after %s", took)
	}
}

func TestAnErrandOfAWorkerThatStopsIsHandedBack(t *testing.T) {
	f := newFleet(t, 1, nil)
	began, blocked := make(chan struct{}, 2), atomic.Bool{}
	blocked.Store(true)
	do := func(ctx context.Context, r *worker.ErrandRun) (any, error) {
		began <- struct{}{}
		if blocked.CompareAndSwap(true, false) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		return asksCustomer(ctx, r)
	}
	f.kinds = map[store.ErrandKind]worker.ErrandWork{store.ErrandVerify: {Do: do}}
	first, second := f.join(nil), f.join(nil)
	e := f.ask("1001")
	<-began
	running := f.errandWorker(e)
	for _, m := range []*member{first, second} {
		if m.id == running {
			m.Stop()
		}
	}
	if e = f.endedErrand(e); e.State != store.ErrandDone || e.Tries != 1 {
		t.Errorf("%+v", e)
	}
}

// errandWorker is who runs an errand.
func (f *fleet) errandWorker(e store.Errand) string {
	f.t.Helper()
	id, err := f.redis.HGet(f.t.Context(), "ix:{"+e.Customer+"}:errand:"+e.ID, "wk").Result()
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

func TestAPanicEndsAnErrandAndNothingElse(t *testing.T) {
	r := serving(t, rigOptions{}, func(context.Context, *worker.ErrandRun) (any, error) { panic("secret words") })
	if e := r.endedErrand(r.ask(customer)); e.State != store.ErrandFailed || e.Failure != store.ErrandInternal {
		t.Errorf("%+v", e)
	}
	if b := r.run(tasks.Prospects, tasks.Options{}, ana()); b.Created != 1 {
		t.Errorf("%+v", b)
	}
}

func TestAnErrandWithoutAConnectionFails(t *testing.T) {
	r := serving(t, rigOptions{}, asksCustomer)
	if e := r.endedErrand(r.ask("999")); e.State != store.ErrandFailed || e.Failure != store.ErrandNoConnection {
		t.Errorf("%+v", e)
	}
}

func TestAnErrandUsesTheConnectionAsItIsInTheStoreNow(t *testing.T) {
	r := serving(t, rigOptions{}, asksCustomer)
	c := r.conn
	c.Password = "wrong"
	// The worker is never told of it.
	if _, err := r.ledger.AddConnection(t.Context(), c, "maria", ""); err != nil {
		t.Fatal(err)
	}
	if e := r.endedErrand(r.ask(customer)); string(e.Result) != `{"reason":"icims_credentials","status":401}` {
		t.Errorf("%+v", e)
	}
}
