package worker

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker/limiter"
)

// TestSimulation runs the pipeline through seeded simulations of faults and deaths. SIM_SEEDS
// sets their number, SIM_SEED replays one and prints its trace. The race detector is slow, so CI
// also runs a hundred without it.
func TestSimulation(t *testing.T) {
	first, count := uint64(1), 10
	if testing.Short() {
		count = 5
	}
	if v := os.Getenv("SIM_SEEDS"); v != "" {
		count = atoi(t, v)
	}
	replay := os.Getenv("SIM_SEED")
	if replay != "" {
		first, count = uint64(atoi(t, replay)), 1
	}
	server := redistest.Start(t, redistest.Config("databases", "64"))
	var next, failures atomic.Int64
	var sum tally
	var workers sync.WaitGroup
	for db := range min(runtime.GOMAXPROCS(0), count) {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < count && failures.Load() < 10; i = next.Add(1) - 1 {
				seed := first + uint64(i)
				ok := t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, seed, server.Addr(), db)
						w.run(&sum)
						if t.Failed() || replay != "" {
							t.Logf("plan %+v", w.plan)
							t.Logf("trace:\n%s", strings.Join(w.trace, "\n"))
						}
					})
				})
				if !ok {
					failures.Add(1)
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d seeds: %s", next.Load()-int64(min(runtime.GOMAXPROCS(0), count)), &sum)
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// tally counts events of the simulations, to show that they were hostile.
type tally struct {
	exports, accesses, deaths, created, updated, skipped, dead, unknown, reenqueued, calls, rollbacks atomic.Int64
}

func (s *tally) String() string {
	return fmt.Sprintf("%d exports with %d accesses, %d deaths of processes, %d calls; %d created, %d updated, %d skipped, %d dead; %d writes whose answer was lost; %d exports that the sweep woke; Redis went back %d times",
		s.exports.Load(), s.accesses.Load(), s.deaths.Load(), s.calls.Load(), s.created.Load(), s.updated.Load(), s.skipped.Load(), s.dead.Load(), s.unknown.Load(), s.reenqueued.Load(), s.rollbacks.Load())
}

// run runs the simulation to its end and verifies the result.
func (w *world) run(sum *tally) {
	ctx := context.Background()
	if err := w.direct.FlushDB(ctx).Err(); err != nil {
		w.t.Fatal(err)
	}
	w.serve("server-1")
	defer w.end()
	all := w.makeCandidates()
	var batches []store.BatchID
	for i := range w.plan.batches {
		spec := store.BatchSpec{IdempotencyKey: fmt.Sprint(i), IncludePreviouslyExported: w.rng.IntN(2) == 0}
		if w.rng.IntN(3) > 0 {
			spec.Job = int64(1701 + w.rng.IntN(2))
		}
		candidates := all[w.rng.IntN(max(1, len(all)/2)):]
		batches = append(batches, w.accept(spec, candidates))
		sum.exports.Add(int64(len(candidates)))
	}
	begin := time.Now()
	const faulty = 20 * time.Minute
	for w.step() {
		if !w.calm && time.Since(begin) > faulty {
			w.calm = true
			w.sim.SetFaults(icimstest.Faults{SearchLag: w.plan.faults.SearchLag})
			w.sim.ClearRules()
			w.tenant.SetPassword("secret")
		}
		if w.accesses > 200_000 || time.Since(begin) > 2000*time.Hour {
			w.t.Errorf("seed %d: not finished after %d accesses and %s", w.seed, w.accesses, time.Since(begin))
			break
		}
		w.disturb()
		w.idle()
	}
	w.verify(batches, sum)
	sum.accesses.Add(int64(w.accesses))
	sum.unknown.Add(int64(w.unknown))
	sum.reenqueued.Add(int64(w.reenqueued))
	sum.rollbacks.Add(int64(w.rollbacks))
	sum.deaths.Add(int64(w.spawned - w.plan.processes))
	sum.calls.Add(int64(w.sim.CallCount()))
}

// makeCandidates returns the candidates and adds some to iCIMS. Some share an address or have
// none.
func (w *world) makeCandidates() []input.Candidate {
	all := make([]input.Candidate, w.plan.candidates)
	for i := range all {
		all[i] = input.Candidate{
			ID: fmt.Sprintf("c-%d", i), FirstName: "Ana", LastName: fmt.Sprintf("Duarte %d", i), Email: fmt.Sprintf("person-%d@example.com", i),
			Phones:         []input.Phone{{Number: fmt.Sprintf("+1 425 555 %04d", i), Type: "mobile"}},
			WorkExperience: []input.WorkExperience{{Employer: "Contoso", Title: "Engineer", Start: "2020"}},
		}
		switch {
		case i > 0 && i <= w.plan.shared:
			all[i].Email = all[0].Email
			if w.plan.respell {
				all[i].Email = strings.ToUpper(all[0].Email)
			}
		case w.rng.IntN(8) == 0:
			all[i].Email = ""
		case w.rng.IntN(5) == 0:
			w.tenant.AddPerson(map[string]any{"firstname": "Anna", "lastname": "Duarte", "email": all[i].Email})
		}
	}
	return all
}

// disturb makes random external events happen.
func (w *world) disturb() {
	if w.calm {
		return
	}
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch x := w.rng.IntN(400); {
	case x == 0 && w.plan.merges:
		if people := w.tenant.People(); len(people) > 2 {
			p := people[w.rng.IntN(len(people))]
			if !p.Purged {
				w.tenant.Purge(p.ID)
				w.purged[p.ID] = true
			}
		}
	case x == 1 && w.plan.strays && len(w.scheduled) > 0:
		// The queue delivers a task twice.
		a := w.scheduled[w.rng.IntN(len(w.scheduled))]
		a.at = time.Now()
		w.scheduled = append(w.scheduled, a)
	case x == 2 && w.plan.badPassword:
		w.tenant.SetPassword("changed")
	case x == 3 && w.plan.badPassword:
		w.tenant.SetPassword("secret")
	case x >= 10 && x < 20 && w.plan.rollsBack && !w.hasCopy && w.rollbacks < maxRollbacks:
		w.hasCopy = true
		w.copyRedis(w.direct, w.copy)
		w.copiedQueue = append(slices.Clone(w.scheduled), w.redelivered()...)
	case x >= 20 && x < 24 && w.hasCopy:
		w.rollBack()
	case x == 4 && w.plan.intercept != "":
		// For some seconds a proxy answers all calls.
		w.sim.AddRule(icimstest.Rule{Fault: w.plan.intercept, Times: -1})
		w.intercepted = time.Now().Add(time.Duration(1+w.rng.IntN(40)) * time.Second)
	}
	if !w.intercepted.IsZero() && time.Now().After(w.intercepted) {
		w.sim.ClearRules()
		w.intercepted = time.Time{}
	}
}

// firstCopyDB is the first database that holds a copy of another.
const firstCopyDB = 32

// maxRollbacks is how often Redis goes back at most.
const maxRollbacks = 3

// copyRedis copies one database to another.
func (w *world) copyRedis(from, to *redis.Client) {
	ctx := context.Background()
	if err := to.FlushDB(ctx).Err(); err != nil {
		w.t.Fatal(err)
	}
	keys, err := from.Keys(ctx, "*").Result()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, key := range keys {
		if err := from.Copy(ctx, key, key, to.Options().DB, true).Err(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// rollBack replaces Redis by another server with the state of the copy.
func (w *world) rollBack() {
	w.rollbacks++
	w.hasCopy, w.scheduled = false, w.copiedQueue
	w.copyRedis(w.copy, w.direct)
	w.serve(fmt.Sprint("server-", w.rollbacks+1))
	w.trace = append(w.trace, time.Now().Format("15:04:05.000")+" Redis goes back")
}

// serve sets the identity of the server.
func (w *world) serve(id string) {
	if err := w.direct.Set(context.Background(), store.SimulatedServerKey, id, 0).Err(); err != nil {
		w.t.Fatal(err)
	}
}

// idle advances the time when there is nothing to do.
func (w *world) idle() {
	synctest.Wait()
	w.mu.Lock()
	busy := len(w.waiting) > 0
	var wake time.Time
	now := time.Now()
	room := false
	for _, p := range w.procs {
		room = room || p.busy < w.plan.handlers
	}
	for _, a := range w.scheduled {
		if !a.at.After(now) && room {
			busy = true
		}
		if wake.IsZero() || a.at.Before(wake) {
			wake = a.at
		}
	}
	handled := w.busy > 0
	w.mu.Unlock()
	switch {
	case busy:
	case handled:
		time.Sleep(100 * time.Millisecond)
	case !wake.IsZero():
		time.Sleep(min(max(time.Until(wake), time.Millisecond), time.Minute))
	default:
		time.Sleep(10 * time.Second)
	}
}

// verify checks the guarantees.
func (w *world) verify(batches []store.BatchID, sum *tally) {
	ctx := context.Background()
	complain := func(format string, args ...any) {
		w.t.Errorf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
	}
	for _, v := range w.sim.Invariants().Violations() {
		complain("%s", v)
	}
	inv := w.sim.Invariants()
	if inv.ExperienceWrites+inv.EducationWrites+inv.PurgedWrites > 0 {
		complain("forbidden writes: %+v", inv)
	}
	if n, err := w.ledger.Recovery.IllegalMoves(ctx, "1234"); err != nil || n > 0 {
		complain("%d illegal moves, %v", n, err)
	}
	if n, err := w.ledger.Recovery.Live(ctx, "1234"); err != nil || n != 0 {
		complain("%d exports are still moving, %v", n, err)
	}
	w.verifyPermits(complain)
	for _, id := range batches {
		b, err := w.ledger.Batches.Get(ctx, id)
		if err != nil {
			complain("batch: %v", err)
			continue
		}
		outcomes, err := w.ledger.Batches.Outcomes(ctx, id, 0, 1000)
		if err != nil {
			complain("outcomes: %v", err)
		}
		counts := map[store.Counter]int{}
		for _, o := range outcomes {
			counts[o.Counter]++
			if !o.State.Ended() {
				complain("export %s is %s", o.Export, o.State)
			}
			if o.State == store.Done {
				if _, there := w.tenant.Person(o.Person); !there && !w.purged[o.Person] {
					complain("export %s names person %d, who does not exist", o.Export, o.Person)
				}
				if b.Job != 0 && o.Workflow == 0 {
					complain("export %s to a job has no workflow", o.Export)
				}
			}
			hidden := w.plan.behaviour.EmailView == icimstest.Hidden && o.Reason == store.ReasonEmailUnreadable
			if o.State == store.Dead && o.Reason != "icims_conflict" && !hidden {
				complain("export %s is dead: %s", o.Export, o.Reason)
			}
		}
		if len(outcomes) != b.Accepted || b.Moving() != 0 || b.Ended.IsZero() || counts[store.CountCreated] != b.Created || counts[store.CountUpdated] != b.Updated {
			complain("batch %+v does not add up with %v", b, counts)
		}
		sum.created.Add(int64(b.Created))
		sum.updated.Add(int64(b.Updated))
		sum.skipped.Add(int64(b.Skipped))
		sum.dead.Add(int64(b.Dead))
	}
}

// verifyPermits checks that no call was over a limit, and that all permits return; those of dead
// processes expire.
func (w *world) verifyPermits(complain func(string, ...any)) {
	ctx := context.Background()
	time.Sleep(w.plan.settings().CallTimeout + limiter.HoldMargin + time.Second)
	synctest.Wait()
	if err := w.direct.Set(ctx, store.SimulatedClockKey, time.Now().UnixMilli(), 0).Err(); err != nil {
		w.t.Fatal(err)
	}
	s, err := w.ledger.QuotaStatuses(ctx, "1234")
	switch {
	case err != nil:
		complain("standing: %v", err)
	case s[0].InFlight != 0:
		complain("%d permits were not returned", s[0].InFlight)
	}
	// A Redis that went back has lost the calls of that time.
	if seen := w.tenant.Traffic(); seen.OverRate+seen.OverInFlight+seen.OverDay > 0 && w.rollbacks == 0 {
		complain("calls over a limit: %+v", seen)
	}
}

// end stops all processes.
func (w *world) end() {
	w.mu.Lock()
	for len(w.procs) > 0 {
		w.kill(w.procs[0])
	}
	w.mu.Unlock()
	// Dead processes reach nothing, but have to end.
	time.Sleep(time.Hour)
	synctest.Wait()
	for _, c := range append(w.clients, w.direct, w.copy) {
		c.Close()
	}
}
