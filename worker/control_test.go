package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker/control"
)

// asksCustomer is a control task that reads the customer and returns its name.
func asksCustomer(ctx context.Context, r *control.Run) (any, error) {
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

func (r *rig) ask(customer string) store.ControlTask {
	r.t.Helper()
	e, _, err := tasks.RequestControl(r.t.Context(), r.redis, r.ledger, customer, store.ControlVerify, nil, "maria")
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// controlTask waits until a control task meets the condition, and returns it.
func (r *rig) controlTask(e store.ControlTask, what string, holds func(store.ControlTask) bool) store.ControlTask {
	r.t.Helper()
	r.eventually("the control task "+what, func() bool {
		now, err := r.ledger.Control.Get(r.t.Context(), e.Customer, e.Kind, e.ID)
		if err != nil {
			r.t.Fatal(err)
		}
		e = now
		return holds(e)
	})
	return e
}

func (r *rig) endedControl(e store.ControlTask) store.ControlTask {
	r.t.Helper()
	return r.controlTask(e, "ends", func(e store.ControlTask) bool { return e.State.Ended() })
}

// serving is a rig whose worker runs control tasks.
func serving(t *testing.T, o rigOptions, do func(context.Context, *control.Run) (any, error)) *rig {
	t.Helper()
	stopped := o.stopped
	o.stopped, o.sim = true, calm()
	r := newRig(t, o)
	r.worker.ServeControl(store.ControlVerify, control.Work{Do: do})
	if !stopped {
		r.start()
	}
	return r
}

func TestControlTaskRunsAndIsCounted(t *testing.T) {
	r := serving(t, rigOptions{}, asksCustomer)
	e := r.endedControl(r.ask(customer))
	if e.State != store.ControlDone || string(e.Result) != `"seen"` || e.Calls != 1 {
		t.Errorf("%+v", e)
	}
	// Permits are returned a moment after their calls.
	r.eventually("the call is counted and its permit returned", func() bool {
		standing, err := r.ledger.QuotaStatuses(t.Context(), customer)
		return err == nil && standing[0].Own == 1 && standing[0].InFlight == 0
	})
}

func TestControlTaskIgnoresClosures(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*rig)
		result string
	}{
		"a pause": {func(r *rig) {
			if err := r.ledger.Lanes.Pause(t.Context(), customer, store.Pause{By: "joe", Why: "test"}); err != nil {
				t.Fatal(err)
			}
		}, `"seen"`},
		"refused credentials that work again": {func(r *rig) {
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
			if e := r.endedControl(r.ask(customer)); string(e.Result) != c.result || e.Calls != 1 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// closeByVerdict runs an export with a wrong password, then corrects the password.
func (r *rig) closeByVerdict() {
	r.t.Helper()
	r.tenant.SetPassword("another")
	r.send(input.Prospects, input.Options{}, ana())
	r.eventually("the lane closes", func() bool { return !r.standing().ClosedExpress.Open() })
	r.tenant.SetPassword(password)
}

func (r *rig) standing() store.QuotaStatus {
	r.t.Helper()
	s, err := r.ledger.QuotaStatuses(r.t.Context(), customer)
	if err != nil {
		r.t.Fatal(err)
	}
	return s[0]
}

func TestControlTaskSuccessReopensCalls(t *testing.T) {
	r := serving(t, rigOptions{}, func(ctx context.Context, run *control.Run) (any, error) {
		result, err := asksCustomer(ctx, run)
		run.RunNow()
		return result, err
	})
	r.closeByVerdict()
	r.endedControl(r.ask(customer))
	r.eventually("calls are allowed", func() bool { return r.standing().Closed.Open() })
	r.eventually("the export ends", func() bool {
		n, err := r.ledger.Recovery.Live(t.Context(), customer)
		return err == nil && n == 0
	})
}

func TestControlTaskWaitsForQuota(t *testing.T) {
	r := serving(t, rigOptions{tenant: func(c *icimstest.TenantConfig) { c.DailyLimit = 1 }}, asksCustomer)
	r.endedControl(r.ask(customer))
	e := r.endedControl(r.ask(customer))
	var got struct{ Reason string }
	if err := json.Unmarshal(e.Result, &got); err != nil || got.Reason != "icims_quota_exhausted" || e.Calls != 0 {
		t.Errorf("%+v, %v", e, err)
	}
}

// blockedFirst is a control task whose first run blocks until it is released.
func blockedFirst() (do func(context.Context, *control.Run) (any, error), began chan *control.Run, release chan struct{}) {
	began, release = make(chan *control.Run, 8), make(chan struct{})
	blocked := atomic.Bool{}
	blocked.Store(true)
	return func(ctx context.Context, r *control.Run) (any, error) {
		began <- r
		if blocked.CompareAndSwap(true, false) {
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-release:
				return "late", r.Report(context.WithoutCancel(ctx), "late")
			}
		}
		return asksCustomer(ctx, r)
	}, began, release
}

// expireLease expires asynq's lease of a control task.
func (f *fleet) expireLease(t store.ControlTask) {
	f.t.Helper()
	id := t.Customer + ":" + string(t.Kind) + ":" + t.ID
	changed, err := f.redis.ZAddArgs(f.t.Context(), "asynq:{icims:control}:lease", redis.ZAddArgs{XX: true, Ch: true, Members: []redis.Z{{Score: 1, Member: id}}}).Result()
	if err != nil || changed != 1 {
		f.t.Fatalf("%d leases, %v", changed, err)
	}
}

func TestControlTaskOfDeadWorkerRunsAgain(t *testing.T) {
	f := newFleet(t, 1, nil)
	do, began, release := blockedFirst()
	f.kinds = map[store.ControlKind]control.Work{store.ControlVerify: {Do: do}}
	first := f.join(nil)
	e := f.ask("1001")
	<-began
	first.cut.off.Store(true) // it loses Redis
	f.expireLease(e)
	f.join(nil) // its recoverer finds the task
	<-began
	if e = f.endedControl(e); e.State != store.ControlDone || e.Tries != 2 || string(e.Result) != `"seen"` {
		t.Errorf("%+v", e)
	}
	// The first run is still in progress, and can record nothing.
	first.cut.off.Store(false)
	close(release)
	f.eventually("the first run learns that it has lost the task", func() bool {
		return strings.Contains(first.logs.String(), "control task restarted by another worker")
	})
	if again := f.endedControl(e); again.Revision != e.Revision || string(again.Result) != `"seen"` {
		t.Errorf("changed by the first run: %+v", again)
	}
}

func TestControlTaskFailsAfterDeadWorkers(t *testing.T) {
	f := newFleet(t, 1, nil)
	release := make(chan struct{})
	began := make(chan struct{}, 8)
	do := func(ctx context.Context, _ *control.Run) (any, error) {
		began <- struct{}{}
		<-release
		return nil, context.Cause(ctx)
	}
	f.kinds = map[store.ControlKind]control.Work{store.ControlVerify: {Do: do}}
	e := f.ask("1001")
	for range 3 {
		m := f.join(nil)
		<-began
		m.cut.off.Store(true)
		f.expireLease(e)
	}
	f.join(nil)
	if e = f.endedControl(e); e.State != store.ControlFailed || e.Failure != store.ControlGaveUp || len(began) != 0 {
		t.Errorf("%+v, started %d more times", e, len(began))
	}
	close(release)
}

func TestStoppingWorkerReturnsControlTasks(t *testing.T) {
	f := newFleet(t, 1, nil)
	do, began, _ := blockedFirst()
	f.kinds = map[store.ControlKind]control.Work{store.ControlVerify: {Do: do}}
	first := f.join(nil)
	e := f.ask("1001")
	<-began
	f.join(nil)
	first.Stop()
	if e = f.endedControl(e); e.State != store.ControlDone || e.Tries != 1 {
		t.Errorf("%+v", e)
	}
}

// info returns asynq's information about a control task.
func (r *rig) info(t store.ControlTask) *asynq.TaskInfo {
	r.t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(r.redis).GetTaskInfo("icims:control", t.Customer+":"+string(t.Kind)+":"+t.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

func TestAsynqShowsResultOfControlTask(t *testing.T) {
	r := serving(t, rigOptions{}, asksCustomer)
	e := r.endedControl(r.ask(customer))
	r.eventually("asynq has completed it", func() bool { return r.info(e).State == asynq.TaskStateCompleted })
	if info := r.info(e); string(info.Result) != "done, calls to iCIMS: 1" || string(info.Payload) != `{"customer":"1234","kind":"verify"}` || info.Type != "icims:verify" {
		t.Errorf("%s %s %s", info.Type, info.Payload, info.Result)
	}
	// Tasks that asynq still keeps do not block later ones.
	if again := r.endedControl(r.ask(customer)); again.ID == e.ID || again.State != store.ControlDone {
		t.Errorf("%+v", again)
	}
}

func TestPanicFailsOnlyItsControlTask(t *testing.T) {
	r := serving(t, rigOptions{}, func(context.Context, *control.Run) (any, error) { panic("secret words") })
	e := r.endedControl(r.ask(customer))
	if e.State != store.ControlFailed || e.Failure != store.ControlInternal {
		t.Errorf("%+v", e)
	}
	r.eventually("asynq has archived it", func() bool { return r.info(e).State == asynq.TaskStateArchived })
	if last := r.info(e).LastErr; !strings.HasPrefix(last, "unexpected fault of this service") || strings.Contains(last, "secret") {
		t.Errorf("last error %q", last)
	}
	if b := r.run(input.Prospects, input.Options{}, ana()); b.Created != 1 {
		t.Errorf("%+v", b)
	}
	// Failed tasks do not run again and do not block later ones.
	r.must(asynq.NewInspectorFromRedisClient(r.redis).RunTask("icims:control", r.info(e).ID))
	r.eventually("the task has ended again", func() bool { return r.info(e).State == asynq.TaskStateCompleted })
	if again := r.endedControl(r.ask(customer)); again.ID == e.ID {
		t.Errorf("%+v", again)
	}
}

func TestRequestRunsArchivedControlTask(t *testing.T) {
	for name, putAside := range map[string]func(*asynq.Inspector, string) error{
		"archived": func(i *asynq.Inspector, id string) error { return i.ArchiveTask("icims:control", id) },
		"deleted":  func(i *asynq.Inspector, id string) error { return i.DeleteTask("icims:control", id) },
	} {
		t.Run(name, func(t *testing.T) {
			r := serving(t, rigOptions{stopped: true}, asksCustomer)
			e := r.ask(customer)
			r.must(putAside(asynq.NewInspectorFromRedisClient(r.redis), r.info(e).ID))
			if again := r.ask(customer); again.ID != e.ID {
				t.Errorf("not joined: %+v", again)
			}
			r.start()
			if e = r.endedControl(e); e.State != store.ControlDone {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestControlTaskExpiresAfterAnHour(t *testing.T) {
	r := serving(t, rigOptions{stopped: true}, asksCustomer)
	e := r.ask(customer)
	r.must(r.redis.HIncrBy(t.Context(), "ix:{1234}:errand:"+e.ID, "asked", -time.Hour.Milliseconds()).Err())
	r.start()
	if e = r.endedControl(e); e.State != store.ControlFailed || e.Failure != store.ControlExpired || e.Calls != 0 {
		t.Errorf("%+v", e)
	}
}

func TestControlTaskWaitsForWorkerWithConnection(t *testing.T) {
	f := newFleet(t, 2, nil)
	f.kinds = map[store.ControlKind]control.Work{store.ControlVerify: {Do: asksCustomer}}
	f.join(nil, f.conns[1])
	e := f.ask("1001")
	f.controlTask(e, "is handed on", func(e store.ControlTask) bool { return e.Revision >= 3 })
	f.join(nil)
	if e = f.endedControl(e); e.State != store.ControlDone {
		t.Errorf("%+v", e)
	}
}

// orphan makes a control task look as if it had waited for a connection for long.
func (r *rig) orphan(t store.ControlTask) {
	r.t.Helper()
	r.controlTask(t, "is handed on", func(t store.ControlTask) bool { return t.State == store.ControlWaiting && !t.Began.IsZero() })
	r.must(r.redis.HIncrBy(r.t.Context(), "ix:{"+t.Customer+"}:errand:"+t.ID, "began", -time.Minute.Milliseconds()).Err())
}

func TestControlTasksOfEarlierVersionAreConverted(t *testing.T) {
	r := serving(t, rigOptions{stopped: true}, asksCustomer)
	ctx := t.Context()
	waiting, _, err := r.ledger.Control.Record(ctx, customer, store.ControlVerify, nil, "maria")
	r.must(err)
	// A task that a worker of that version ran, as its script left it.
	running, _, err := r.ledger.Control.Record(ctx, "1235", store.ControlVerify, nil, "joe")
	r.must(err)
	r.must(r.redis.HSet(ctx, "ix:{1235}:errand:"+running.ID, "st", "running", "tk", "1", "le", "1", "wk", "w1", "rq", "r", "began", time.Now().UnixMilli(), "tries", "1").Err())
	now := float64(time.Now().UnixMicro())
	for _, member := range []string{customer + ":verify", "1235:verify", "1236:jobs"} { // the last one has no record left
		r.must(r.redis.ZAdd(ctx, "ix:errands", redis.Z{Score: now, Member: member}).Err())
	}
	r.start()
	r.orphan(running)
	if e := r.endedControl(waiting); e.State != store.ControlDone {
		t.Errorf("the waiting task: %+v", e)
	}
	if e := r.endedControl(running); e.Failure != store.ControlNoConnection {
		t.Errorf("the running task: %+v", e)
	}
	if n := r.redis.Exists(ctx, "ix:errands").Val(); n != 0 {
		t.Error("its queue still exists")
	}
}

func TestControlTaskWithoutConnectionFails(t *testing.T) {
	r := serving(t, rigOptions{}, asksCustomer)
	e := r.ask("999")
	r.orphan(e)
	if e = r.endedControl(e); e.State != store.ControlFailed || e.Failure != store.ControlNoConnection {
		t.Errorf("%+v", e)
	}
}

func TestControlTaskUsesStoredConnection(t *testing.T) {
	r := serving(t, rigOptions{}, asksCustomer)
	c := r.conn
	c.Password = "wrong"
	// The worker is never notified of it.
	if _, err := r.ledger.Connections.Add(t.Context(), c, "maria", ""); err != nil {
		t.Fatal(err)
	}
	if e := r.endedControl(r.ask(customer)); string(e.Result) != `{"reason":"icims_credentials","status":401}` {
		t.Errorf("%+v", e)
	}
}
