package worker_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// slowly limits a customer so that a batch takes long.
func slowly(c *store.Connection) { c.Limits.CallsPerSecond, c.Limits.Burst = 4, 1 }

func TestCustomersAreDistributed(t *testing.T) {
	t.Parallel()

	t.Run("two of three workers serve each customer, and another one replaces a dead one", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 6, slowly)
		for range 3 {
			f.join(nil)
		}
		for _, c := range f.conns {
			f.sendTo(c.Customer, 200)
		}
		everybody := func(workers int) func() bool {
			return func() bool {
				for _, c := range f.conns {
					if f.serving(c.Customer) != workers {
						return false
					}
				}
				return true
			}
		}
		f.expect("each customer has two lanes", everybody(2))
		dead := f.members[0]
		f.disconnect(dead)
		f.members = f.members[1:]
		f.expect("the remaining two serve all", everybody(2))
		f.join(nil)
		f.expect("a new worker takes over its share", func() bool {
			return f.members[2].logs.Count("lane opened") > 0 && everybody(2)()
		})
	})

	t.Run("a worker that reaches iCIMS takes over customers of workers that do not", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 12, nil)
		shortWaits := func(s *worker.Settings) { s.RetryMin, s.RetryMax = 50*time.Millisecond, time.Second }
		for range 2 {
			f.join(shortWaits, f.cutOff()...)
		}
		var batches []store.BatchID
		for _, c := range f.conns {
			batches = append(batches, f.sendTo(c.Customer, 40))
		}
		f.expect("a breaker opens for each customer", func() bool {
			gaveUp := map[string]bool{}
			for _, p := range f.workers() {
				for _, customer := range p.Unreachable {
					gaveUp[customer] = true
				}
			}
			return len(gaveUp) == len(f.conns)
		})
		f.join(shortWaits)
		f.expect("all exports are done", func() bool {
			for _, id := range batches {
				if b, err := f.ledger.Batches.Get(t.Context(), id); err != nil || b.Created != 40 {
					return false
				}
			}
			return true
		})
		list, err := admin.New(admin.Config{Redis: f.redis, Ledger: f.ledger}).Lanes.List(t.Context(), admin.LaneQuery{All: true})
		f.must(err)
		for _, l := range list.Lanes {
			texts := strings.Join(l.BreakerTexts(), "\n")
			if l.State == admin.LaneFailing || !strings.Contains(texts, "this worker cannot reach iCIMS, but others can") || strings.Contains(texts, f.members[2].id) {
				t.Errorf("customer %s is %s: %s", l.Customer, l.State, texts)
			}
		}
	})

	t.Run("a stopping worker is replaced immediately", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 4, slowly)
		for range 3 {
			f.join(nil)
		}
		for _, c := range f.conns {
			f.sendTo(c.Customer, 200)
		}
		f.members[0].Stop()
		f.members = f.members[1:]
		f.expect("the remaining two serve all", func() bool {
			for _, c := range f.conns {
				if f.serving(c.Customer) != 2 {
					return false
				}
			}
			return true
		})
		if n := len(f.workers()); n != 2 {
			t.Errorf("%d workers are in the registry", n)
		}
	})

	t.Run("only workers with the connection serve a customer", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 5, nil)
		for range 3 {
			f.join(nil, f.conns[:1]...)
		}
		with := f.join(nil)
		for _, c := range f.conns {
			id := f.sendTo(c.Customer, 1)
			f.expect("customer "+c.Customer+" is served", func() bool {
				b, err := f.ledger.Batches.Get(t.Context(), id)
				return err == nil && b.Created == 1
			})
			if c.Customer != f.conns[0].Customer && with.opened(c.Customer) == 0 {
				t.Errorf("customer %s was not served by the only able worker", c.Customer)
			}
		}
	})

	t.Run("a full worker serves all customers in turn", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 4, slowly)
		only := f.join(func(s *worker.Settings) { s.MaxLanes = 2 })
		for _, c := range f.conns {
			f.sendTo(c.Customer, 500) // none is done before the others start
		}
		f.expect("each customer has had a lane", func() bool {
			for _, c := range f.conns {
				if only.opened(c.Customer) == 0 {
					return false
				}
			}
			return true
		})
		f.expect("the first customer has a lane again", func() bool { return only.opened(f.conns[0].Customer) > 1 })
		if n := only.mostLanes(); n > 2 {
			t.Errorf("%d lanes were open at once", n)
		}
	})
}

// mostLanes is the maximum number of lanes open at the same time.
func (m *member) mostLanes() int {
	now, most := 0, 0
	for line := range strings.Lines(m.logs.String()) {
		if strings.Contains(line, `"lane opened"`) {
			now++
		}
		if strings.Contains(line, `"lane closed"`) {
			now--
		}
		most = max(most, now)
	}
	return most
}

func (r *rig) wants() time.Time {
	r.t.Helper()
	listed, err := r.ledger.Lanes.AnnouncedOf(r.t.Context(), customer)
	if err != nil {
		r.t.Fatal(err)
	}
	return listed[customer].Wants
}

func TestLanesCloseAndWake(t *testing.T) {
	t.Parallel()

	t.Run("a retry due much later runs without keeping a lane open", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) {
			s.LaneIdle = 10 * time.Millisecond
			s.RetryMin, s.RetryMax = 40*time.Minute, 40*time.Minute
		}})
		r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		r.eventually("the lane closes", func() bool { return r.logs.Count("lane closed") == 1 })
		if rest := time.Until(r.wants()); rest < 5*time.Minute || rest > 10*time.Minute {
			t.Errorf("the next lane is due in %s", rest)
		}
		// The retry and the lane are due.
		task := r.task(r.inspector().ListRetryTasks)
		r.must(r.redis.ZAdd(t.Context(), "asynq:{"+express+"}:retry", redis.Z{Score: float64(time.Now().Unix()), Member: task}).Err())
		r.must(r.redis.ZAdd(t.Context(), "ix:lanes", redis.Z{Score: float64(time.Now().UnixMicro()), Member: customer}).Err())
		r.once(id)
	})

	t.Run("an announced customer without due work opens no lane", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) {
			s.LaneIdle = 10 * time.Millisecond
			s.RetryMin, s.RetryMax = 40*time.Minute, 40*time.Minute
		}})
		r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503})
		r.send(input.ToJob(job), input.Options{}, ana())
		r.eventually("the lane closes", func() bool { return r.logs.Count("lane closed") == 1 })
		r.must(r.redis.ZAdd(t.Context(), "ix:lanes", redis.Z{Score: 1, Member: customer}).Err())
		r.eventually("the customer has no lane again", func() bool { return time.Until(r.wants()) > 5*time.Minute })
		if n := r.logs.Count("lane opened"); n != 1 {
			t.Errorf("the lane was opened %d times", n)
		}
	})

	t.Run("the lane closes on 429 and reopens when calls reopen", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		r.sim.AddRule(icimstest.Rule{Route: "people.create", Fault: icimstest.Error429Bare})
		id := r.send(input.ToJob(job), input.Options{}, people(30)...)
		r.eventually("the lane closes", func() bool { return r.logs.Count("lane closed") == 1 })
		r.eventually("the customer has no lane until then", func() bool { return time.Until(r.wants()) > 20*time.Second })
		if rest := time.Until(r.wants()); rest > time.Minute {
			t.Errorf("the next lane is due in %s", rest)
		}
		// The work is due.
		ctx := t.Context()
		r.must(r.redis.HSet(ctx, "ix:{"+customer+"}:limits", "rate_limited_until", 1).Err())
		r.must(r.redis.ZAdd(ctx, "ix:lanes", redis.Z{Score: float64(time.Now().UnixMicro()), Member: customer}).Err())
		r.makeDue()
		if b := r.finished(id); b.Created != 30 {
			t.Errorf("batch %+v", b)
		}
		r.clean()
	})

	t.Run("a customer without work is removed from the list", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) { s.LaneIdle = 10 * time.Millisecond }})
		r.run(input.Prospects, input.Options{}, ana())
		r.eventually("the lane closes", func() bool { return r.logs.Count("lane closed") == 1 })
		if at := r.wants(); !at.IsZero() {
			t.Errorf("the next lane is due at %s", at)
		}
	})

	t.Run("exports announced while their lane closes run", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) { s.LaneIdle = time.Nanosecond }})
		all := people(60)
		var last store.BatchID
		for i, c := range all {
			last = r.send(input.Prospects, input.Options{}, c)
			if i%3 == 0 { // a lane that has just become idle
				r.finished(last)
			}
		}
		r.finished(last)
		r.eventually("all exports are done", func() bool {
			live, err := r.ledger.Recovery.Live(t.Context(), customer)
			return live == 0 && err == nil
		})
		r.eventually("the last lane closes", func() bool { return r.logs.Count("lane closed") == r.logs.Count("lane opened") })
		if at := r.wants(); !at.IsZero() {
			t.Errorf("the next lane is due at %s", at)
		}
		r.clean()
	})
}

// makeDue makes all scheduled tasks due.
func (r *rig) makeDue() {
	r.t.Helper()
	queues, err := r.inspector().Queues()
	r.must(err)
	for _, queue := range queues {
		_, err := r.inspector().RunAllRetryTasks(queue)
		r.must(err)
		_, err = r.inspector().RunAllScheduledTasks(queue)
		r.must(err)
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// A lane may be open when its customer is paused. The claim refuses exports that reach the lane
// afterwards, so it does not matter when the worker learns of the pause.
func TestNothingIsWrittenAfterAPause(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]func(*rig, store.Pause){
		"queues paused": (*rig).pause,
		// Tasks that a lane took just before the pause are claimed after it.
		"queues not paused": func(r *rig, p store.Pause) { r.must(r.ledger.Lanes.Pause(r.t.Context(), customer, p)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nothingIsWrittenAfter(t, pause)
		})
	}
}

func nothingIsWrittenAfter(t *testing.T, pause func(*rig, store.Pause)) {
	t.Helper()
	r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) { s.LaneIdle = time.Hour }})
	r.run(input.ToJob(job), input.Options{}, people(1)...) // the lane is open now
	r.eventually("its permits are returned", func() bool {
		n, err := r.redis.ZCard(t.Context(), "ix:{"+customer+"}:flying").Result()
		r.must(err)
		return n == 0
	})
	pause(r, store.Pause{By: "maria", Why: "their go-live", At: time.Now()})
	calls := r.sim.CallCount()

	const n = 18
	var batches []store.BatchID
	for _, c := range people(n + 1)[1:] {
		batches = append(batches, r.send(input.ToJob(job), input.Options{}, c)) // one at a time, through the express queue
	}
	large := r.send(input.ToJob(job), input.Options{}, people(n + 1 + 40)[n+1:]...)
	r.eventually("the lane closes", func() bool { return r.logs.Count("lane closed") == 1 })
	if made := r.sim.CallCount() - calls; made != 0 {
		t.Errorf("%d calls after the pause", made)
	}

	r.resume()
	for _, id := range append(batches, large) {
		b := r.finished(id)
		if b.Created != b.Accepted {
			t.Errorf("batch %+v", b)
		}
		for _, o := range r.outcomes(id) {
			if o.Attempts != 0 {
				t.Errorf("an attempt was counted: %+v", o)
			}
		}
	}
	r.clean()
}

// pause pauses the customer as an operator does.
func (r *rig) pause(p store.Pause) {
	r.t.Helper()
	_, err := admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger}).Lanes.Pause(r.t.Context(), customer, p)
	r.must(err)
}

// resume ends a pause as an operator does.
func (r *rig) resume() {
	r.t.Helper()
	resumed, err := admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger}).Lanes.Resume(r.t.Context(), customer, "maria", "enough")
	r.must(err)
	if resumed.Before == nil {
		r.t.Error("the customer was not paused")
	}
}

func TestPausedCustomers(t *testing.T) {
	t.Parallel()

	t.Run("a pause keeps the queue, and a resume continues it", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		r.pause(store.Pause{By: "maria", Why: "their go-live"})
		id := r.send(input.ToJob(job), input.Options{}, people(30)...)
		r.eventually("the worker has seen it", func() bool { return time.Until(r.wants()) > 5*time.Minute })
		if left, _ := r.size(); left != 30 || r.sim.CallCount() != 0 || r.logs.Count("lane opened") != 0 {
			t.Errorf("%d tasks, %d calls, %d lanes", left, r.sim.CallCount(), r.logs.Count("lane opened"))
		}
		r.resume()
		if b := r.finished(id); b.Created != 30 {
			t.Errorf("batch %+v", b)
		}
		for _, o := range r.outcomes(id) {
			if o.Attempts != 0 {
				t.Fatalf("an attempt was counted: %+v", o)
			}
		}
		r.clean()
	})

	t.Run("a pause stops a batch without canceling calls", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), conn: limited(20)})
		id := r.send(input.ToJob(job), input.Options{}, people(80)...)
		r.eventually("the batch is in progress", func() bool { return r.calls("people.create") > 3 })
		r.pause(store.Pause{By: "maria", Why: "too loud"})
		r.eventually("the lane closes", func() bool { return r.logs.Count("lane closed") == 1 })
		calls := r.sim.CallCount()
		r.eventually("the customer has no lane", func() bool { return time.Until(r.wants()) > 5*time.Minute })
		if now := r.sim.CallCount(); now != calls {
			t.Errorf("%d calls while it was paused", now-calls)
		}
		for _, o := range r.outcomes(id) {
			if o.State == store.Unknown || o.Attempts != 0 {
				t.Errorf("a call was canceled: %+v", o)
			}
		}
		r.resume()
		if b := r.finished(id); b.Created != 80 {
			t.Errorf("batch %+v", b)
		}
		r.clean()
	})

	t.Run("a pause with an end ends by itself", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		r.pause(store.Pause{By: "maria", Why: "a moment", Until: time.Now().Add(3 * time.Second)})
		r.once(r.send(input.ToJob(job), input.Options{}, ana()))
	})

	t.Run("exports deferred until the end of a pause run on an early resume", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) { s.LaneIdle = time.Hour }})
		r.run(input.ToJob(job), input.Options{}, ana()) // the lane is open now
		r.pause(store.Pause{By: "maria", Why: "a while", Until: time.Now().Add(time.Hour)})
		id := r.send(input.ToJob(job), input.Options{}, people(120)...)
		r.eventually("the lane closes", func() bool { return strings.Contains(r.logs.String(), "lane closed") })
		r.resume()
		if b := r.finished(id); b.Moving() != 0 {
			t.Errorf("batch %+v", b)
		}
	})
	t.Run("a queue paused in asynq's web UI keeps no lane open", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		r.must(r.inspector().PauseQueue(express))
		r.start()
		r.eventually("the customer has no lane", func() bool { return r.wants().After(time.Now()) })
		if n := r.logs.Count("lane opened"); n != 0 {
			t.Errorf("%d lanes", n)
		}
		r.must(r.inspector().UnpauseQueue(express))
		r.once(id)
	})
}

// The cost of an idle process for Redis, measured per heartbeat rather than per second, so that a
// busy machine does not affect it. The first rounds visit every customer once, so the process may
// take several windows to become idle.
func TestIdleCustomersCostLittle(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1, nil)
	for i := range 1000 {
		spec := store.BatchSpec{Customer: strconv.Itoa(1001 + i), IdempotencyKey: "one"}
		if _, _, err := f.ledger.Batches.Open(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	m := f.join(nil)
	f.eventually("the process sends heartbeats", func() bool { return m.cut.beats.Load() >= 2 })
	const (
		beats          = 12 // two rounds of the loops that run every ten seconds
		perSecond      = 10
		secondsPerBeat = 2
		windows        = 3
	)
	var each float64
	for range windows {
		before, from := m.cut.sent.Load(), m.cut.beats.Load()
		f.eventually("some heartbeats have passed", func() bool { return m.cut.beats.Load() >= from+beats })
		each = float64(m.cut.sent.Load()-before) / float64(m.cut.beats.Load()-from)
		t.Logf("%.1f commands a second", each/secondsPerBeat)
		if each <= perSecond*secondsPerBeat {
			return
		}
	}
	t.Errorf("%.1f commands per heartbeat", each)
}
