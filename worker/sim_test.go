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
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker/limiter"
)

// TestSimulation runs the pipeline through seeded worlds of faults and deaths.
// SIM_SEEDS sets how many, SIM_SEED replays one with its trace. The race detector
// makes it slow, so CI runs a hundred without it as well.
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
						w.live(&sum)
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

// tally counts what the worlds went through, to show that they were not kind.
type tally struct {
	exports, turns, deaths, created, updated, skipped, dead, unknown, woken, calls, back atomic.Int64
}

func (s *tally) String() string {
	return fmt.Sprintf("%d exports in %d turns, %d deaths of processes, %d calls; %d created, %d updated, %d skipped, %d dead; %d writes whose answer was lost; %d exports that the sweep woke; Redis went back %d times",
		s.exports.Load(), s.turns.Load(), s.deaths.Load(), s.calls.Load(), s.created.Load(), s.updated.Load(), s.skipped.Load(), s.dead.Load(), s.unknown.Load(), s.woken.Load(), s.back.Load())
}

// live lets the world run to its end and judges it.
func (w *world) live(sum *tally) {
	ctx := context.Background()
	if err := w.direct.FlushDB(ctx).Err(); err != nil {
		w.t.Fatal(err)
	}
	w.serve("server-1")
	defer w.end()
	cast := w.cast()
	var batches []store.BatchID
	for i := range w.plan.batches {
		spec := store.BatchSpec{IdempotencyKey: fmt.Sprint(i), IncludePreviouslyExported: w.rng.IntN(2) == 0}
		if w.rng.IntN(3) > 0 {
			spec.Job = int64(1701 + w.rng.IntN(2))
		}
		candidates := cast[w.rng.IntN(max(1, len(cast)/2)):]
		batches = append(batches, w.accept(spec, candidates))
		sum.exports.Add(int64(len(candidates)))
	}
	begin := time.Now()
	const troubled = 20 * time.Minute
	for w.step() {
		if !w.calm && time.Since(begin) > troubled {
			w.calm = true
			w.sim.SetFaults(icimstest.Faults{SearchLag: w.plan.faults.SearchLag})
			w.sim.ClearRules()
			w.tenant.SetPassword("secret")
		}
		if w.turns > 200_000 || time.Since(begin) > 2000*time.Hour {
			w.t.Errorf("seed %d: after %d turns and %s the world does not come to rest", w.seed, w.turns, time.Since(begin))
			break
		}
		w.happen()
		w.idle()
	}
	w.judge(batches, sum)
	sum.turns.Add(int64(w.turns))
	sum.unknown.Add(int64(w.unknown))
	sum.woken.Add(int64(w.woken))
	sum.back.Add(int64(w.back))
	sum.deaths.Add(int64(w.born - w.plan.processes))
	sum.calls.Add(int64(w.sim.CallCount()))
}

// cast makes the candidates, some of whom share an address or have none, and
// puts some into iCIMS beforehand.
func (w *world) cast() []tasks.Candidate {
	cast := make([]tasks.Candidate, w.plan.candidates)
	for i := range cast {
		cast[i] = tasks.Candidate{
			ID: fmt.Sprintf("c-%d", i), FirstName: "Ana", LastName: fmt.Sprintf("Duarte %d", i), Email: fmt.Sprintf("person-%d@example.com", i),
			Phones:         []tasks.Phone{{Number: fmt.Sprintf("+1 425 555 %04d", i), Type: "mobile"}},
			WorkExperience: []tasks.WorkExperience{{Employer: "Contoso", Title: "Engineer", Start: "2020"}},
		}
		switch {
		case i > 0 && i <= w.plan.shared:
			cast[i].Email = cast[0].Email
			if w.plan.respell {
				cast[i].Email = strings.ToUpper(cast[0].Email)
			}
		case w.rng.IntN(8) == 0:
			cast[i].Email = ""
		case w.rng.IntN(5) == 0:
			w.tenant.AddPerson(map[string]any{"firstname": "Anna", "lastname": "Duarte", "email": cast[i].Email})
		}
	}
	return cast
}

// happen lets the world do what nobody asked for.
func (w *world) happen() {
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
	case x == 1 && w.plan.strays && len(w.alarms) > 0:
		// The queue delivers a task twice.
		a := w.alarms[w.rng.IntN(len(w.alarms))]
		a.at = time.Now()
		w.alarms = append(w.alarms, a)
	case x == 2 && w.plan.badPassword:
		w.tenant.SetPassword("changed")
	case x == 3 && w.plan.badPassword:
		w.tenant.SetPassword("secret")
	case x >= 10 && x < 20 && w.plan.goesBack && !w.copied && w.back < mostBack:
		w.copied = true
		w.copyRedis(w.direct, w.copy)
		w.queued = append(slices.Clone(w.alarms), w.heldAgain()...)
	case x >= 20 && x < 24 && w.copied:
		w.goBack()
	case x == 4 && w.plan.intercept != "":
		// For some seconds a proxy answers everything.
		w.sim.AddRule(icimstest.Rule{Fault: w.plan.intercept, Times: -1})
		w.intercepted = time.Now().Add(time.Duration(1+w.rng.IntN(40)) * time.Second)
	}
	if !w.intercepted.IsZero() && time.Now().After(w.intercepted) {
		w.sim.ClearRules()
		w.intercepted = time.Time{}
	}
}

// copiesFrom is the number of the first database that holds a copy of another.
const copiesFrom = 32

// mostBack is how often Redis goes back at most.
const mostBack = 3

// copyRedis makes one database what the other is.
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

// goBack lets another server answer, which is what Redis was when it was copied.
func (w *world) goBack() {
	w.back++
	w.copied, w.alarms = false, w.queued
	w.copyRedis(w.copy, w.direct)
	w.serve(fmt.Sprint("server-", w.back+1))
	w.trace = append(w.trace, time.Now().Format("15:04:05.000")+" Redis goes back")
}

// serve gives the server that answers its identity.
func (w *world) serve(id string) {
	if err := w.direct.Set(context.Background(), store.SimulatedServerKey, id, 0).Err(); err != nil {
		w.t.Fatal(err)
	}
}

// idle lets time pass when nothing else is to be done.
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
	for _, a := range w.alarms {
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

// judge holds the world against the promises.
func (w *world) judge(batches []store.BatchID, sum *tally) {
	ctx := context.Background()
	complain := func(format string, args ...any) {
		w.t.Errorf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
	}
	for _, v := range w.sim.Invariants().Violations() {
		complain("%s", v)
	}
	inv := w.sim.Invariants()
	if inv.ExperienceWrites+inv.EducationWrites+inv.PurgedWrites > 0 {
		complain("writes that must not be: %+v", inv)
	}
	if n, err := w.ledger.IllegalMoves(ctx, "1234"); err != nil || n > 0 {
		complain("%d illegal moves, %v", n, err)
	}
	if n, err := w.ledger.Live(ctx, "1234"); err != nil || n != 0 {
		complain("%d exports are still moving, %v", n, err)
	}
	w.judgePermits(complain)
	for _, id := range batches {
		b, err := w.ledger.Batch(ctx, id)
		if err != nil {
			complain("batch: %v", err)
			continue
		}
		outcomes, err := w.ledger.Outcomes(ctx, id, 0, 1000)
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
				complain("export %s died of %s", o.Export, o.Reason)
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

// judgePermits expects that no call was over a limit, and that all permits come
// back, those of dead processes when they expire.
func (w *world) judgePermits(complain func(string, ...any)) {
	ctx := context.Background()
	time.Sleep(w.plan.settings().CallTimeout + limiter.HoldMargin + time.Second)
	synctest.Wait()
	if err := w.direct.Set(ctx, store.SimulatedClockKey, time.Now().UnixMilli(), 0).Err(); err != nil {
		w.t.Fatal(err)
	}
	s, err := w.ledger.Standings(ctx, "1234")
	switch {
	case err != nil:
		complain("standing: %v", err)
	case s[0].InFlight != 0:
		complain("%d permits did not come back", s[0].InFlight)
	}
	// A Redis that went back forgets the calls of the time that it lost.
	if seen := w.tenant.Traffic(); seen.OverRate+seen.OverInFlight+seen.OverDay > 0 && w.back == 0 {
		complain("calls over a limit: %+v", seen)
	}
}

// end stops what still runs.
func (w *world) end() {
	w.mu.Lock()
	for len(w.procs) > 0 {
		w.kill(w.procs[0])
	}
	w.mu.Unlock()
	// What a dead process still does reaches nobody, but has to end.
	time.Sleep(time.Hour)
	synctest.Wait()
	for _, c := range append(w.clients, w.direct, w.copy) {
		c.Close()
	}
}
