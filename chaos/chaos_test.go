package chaos_test

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/child"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

const (
	workerKillEvery = 2 * time.Second
	// After each kill of Redis nothing is created for the settle time. Killed more often, the storm
	// would hardly touch an export.
	redisKillEvery = 30 * time.Second
	lagEvery       = 3 * time.Second // how often the search lag changes
	firstBurst     = 3 * time.Second
	burstEvery     = 90 * time.Second
	// While a worker is frozen for this long, other workers take over its exports or finish them.
	frozenLeast = 14 * time.Second
	frozenMost  = 22 * time.Second
	freezeEvery = 8 * time.Second
	// The simulator performs late writes after the caller has disconnected. A frozen caller does
	// not disconnect, and the settle time would be over long before. So no write is late from
	// shortly before a freeze until after it.
	noneLate    = 2*callTimeout + 500*time.Millisecond
	defaultSize = 400
	// callsPerCandidate is the number of calls per export in this test, retries included (32,000 to
	// 34,000 calls for 10,200 candidates in the full runs).
	callsPerCandidate = 3.3
	// calmLimit is how long after the last fault everything must have ended. A full run takes six
	// minutes of faults, this, and about one minute to start and to compare: under ten.
	calmLimit = 150 * time.Second
)

// number reads a setting of the run from the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s must be a number, not %q", name, text)
	}
	return n
}

// TestChaos exports candidates while workers, Redis, producers and iCIMS fail continuously, and
// compares the results afterwards. At random moments during the run, asynq and the ledger must agree
// about every export.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute or more")
	}
	t.Parallel()
	size := int(number(t, "CHAOS_CANDIDATES", defaultSize))
	seed := number(t, "CHAOS_SEED", rand.Uint64N(1_000_000))
	t.Logf("seed %d, %d candidates; the same candidates and schedule of faults: make chaos CHAOS_SEED=%d CHAOS_CANDIDATES=%d", seed, size, seed, size)
	rng := rand.New(rand.NewPCG(seed, 1))
	everyone := newCrowd(rng, size)

	// Faults are injected for at most stormLimit. The rate is set so that the work would take most
	// of that time without faults, and ends after it.
	stormLimit := 40*time.Second + time.Duration(size)*time.Second/32
	work := float64(size) * callsPerCandidate
	server := redistest.Start(t, redistest.AppendOnly("everysec"))
	r := newRig(t, rigOptions{
		redisURL: server.URL(), client: server.Client(t), workers: 3, seed: seed, chunk: 50,
		callsPerSecond: int(work / (0.7 * stormLimit.Seconds())),
	})
	r.sim.seedPeople(everyone.present)

	s := &storm{rig: r, server: server, rng: rng, file: newAppendOnlyFile(t, r.redis), probe: newProbe(t, server.Addr()), limit: stormLimit}
	w := newWatcher(r)
	watching, stopWatching := context.WithCancel(t.Context())
	defer stopWatching()
	var watch sync.WaitGroup
	watch.Go(func() { w.watch(watching, rand.New(rand.NewPCG(seed, 2))) })
	receipts := s.run(t, everyone)
	calm := time.Now()
	var batches []store.BatchID
	for _, receipt := range receipts {
		batches = append(batches, receipt.Batch)
	}
	unfinished := r.await(batches, calmLimit)
	s.tally.calmed = time.Since(calm)
	stopWatching()
	watch.Wait()
	if unfinished == 0 {
		w.settle(t)
	}
	r.stopWorkers()

	s.tally.calls = r.sim.calls(r.dir)
	given := circumstances{unfinished: unfinished}
	if s.tally.forgetful > 0 {
		given.forgetful = r.customers
	}
	check(t, r, everyone, receipts, given)
	w.check(&findings{t, map[string]int{}})
	s.tally.watched = w
	s.tally.timelines(t, r, batches)
	s.tally.print(t, seed, size)
}

// storm breaks processes and iCIMS by a schedule from the seed.
type storm struct {
	rig    *rig
	server *redistest.Server
	rng    *rand.Rand
	limit  time.Duration
	tally  tally
	file   *appendOnlyFile
	probe  *probe
}

// faults returns the faults of the simulated iCIMS; the search lag changes continuously.
func (s *storm) faults(late bool) icimstest.Faults {
	lateRate := 0.0
	if late {
		lateRate = 0.01
	}
	return icimstest.Faults{
		Error500Before: 0.05, Error500After: 0.05, TimeoutAfter: 0.03, TimeoutLate: lateRate, LateBy: time.Second,
		ResetBefore: 0.01, ResetAfter: 0.01, ResetMidBody: 0.01, TruncatedJSON: 0.005, HTMLError: 0.005, Error503: 0.01,
		SearchLag: time.Duration(s.rng.Int64N(int64(maxLag))),
	}
}

// run sends all deliveries and injects faults until nearly all is done or the time is over.
// Everything is running and without faults when it returns.
func (s *storm) run(t *testing.T, c crowd) []tasks.Receipt {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), s.limit+2*time.Minute)
	defer cancel()
	receipts := make([]tasks.Receipt, len(c.deliveries))
	sent := make(chan error, 1)
	var ids atomic.Pointer[[]store.BatchID]
	go func() {
		var known []store.BatchID
		for i, d := range c.deliveries {
			p := &producer{
				rig: s.rig, delivery: d, rng: rand.New(rand.NewPCG(uint64(i), uint64(c.total))), pace: 100 * time.Millisecond, kills: 2,
				killed: &s.tally.producersKilled, failed: &s.tally.producersFailed,
			}
			receipt, err := p.send(ctx)
			if err != nil {
				sent <- err
				return
			}
			receipts[i] = receipt
			known = append(known, receipt.Batch)
			all := append([]store.BatchID(nil), known...)
			ids.Store(&all)
		}
		sent <- nil
	}()

	s.rig.sim.setFaults(s.faults(true))
	kill, redisKill := time.NewTicker(workerKillEvery), time.NewTicker(redisKillEvery)
	lagChange, burst := time.NewTicker(lagEvery), time.NewTicker(firstBurst)
	look := time.NewTicker(500 * time.Millisecond)
	end := time.NewTimer(s.limit)
	freeze := time.NewTicker(freezeEvery)
	var redisBack, chill, thaw <-chan time.Time
	var frozen *child.Process
	defer func() {
		for _, tick := range []*time.Ticker{kill, redisKill, lagChange, burst, look, freeze} {
			tick.Stop()
		}
		end.Stop()
	}()
	allSent, over := false, false
	for !over || !allSent || redisBack != nil || chill != nil || thaw != nil {
		select {
		case err := <-sent:
			if err != nil {
				t.Fatal(err)
			}
			allSent = true
		case <-kill.C:
			victim := s.rng.IntN(len(s.rig.workers))
			if s.rig.workers[victim] == frozen {
				continue
			}
			s.rig.workers[victim].Kill()
			s.rig.startWorker(victim)
			s.tally.workersKilled++
		case <-redisKill.C:
			if redisBack == nil {
				s.server.Kill(t)
				s.probe.paused.Store(true)
				if loseLastSecond {
					s.tally.bytesLost += s.file.cut(t)
				}
				s.tally.redisKilled++
				// Usually a short outage, sometimes longer than all leases.
				down := time.Duration(s.rng.Int64N(int64(1500 * time.Millisecond)))
				if s.rng.IntN(4) == 0 {
					down = lease + 2*time.Second
				}
				redisBack = time.After(down)
			}
		case <-redisBack:
			s.server.Restart(t)
			redisBack = nil
			if lost := s.probe.lost(t); lost > 0 {
				s.tally.forgetful++
				s.tally.forgotten += lost
			}
		case <-freeze.C:
			if chill == nil && thaw == nil {
				s.rig.sim.setFaults(s.faults(false))
				chill = time.After(noneLate)
			}
		case <-chill:
			chill = nil
			frozen = s.rig.workers[s.rng.IntN(len(s.rig.workers))]
			frozen.Signal(syscall.SIGSTOP)
			s.tally.workersFrozen++
			thaw = time.After(frozenLeast + time.Duration(s.rng.Int64N(int64(frozenMost-frozenLeast))))
		case <-thaw:
			frozen.Signal(syscall.SIGCONT)
			frozen, thaw = nil, nil
		case <-lagChange.C:
			s.rig.sim.setFaults(s.faults(chill == nil && thaw == nil))
		case <-burst.C:
			s.rig.sim.ask("POST", "rules", icimstest.Rule{Customer: throttled, Fault: icimstest.Error429, Times: 3}, nil)
			burst.Reset(burstEvery)
		case <-look.C:
			s.file.look()
			if redisBack == nil {
				s.rig.revive()
			}
			if known := ids.Load(); allSent && known != nil {
				if pending, ok := s.rig.pending(*known); ok && pending <= c.total/20 {
					over = true
				}
			}
		case <-end.C:
			over = true
		}
	}
	s.rig.sim.setFaults(icimstest.Faults{})
	s.rig.sim.ask("DELETE", "rules", nil, nil)
	// Restart all once more, which also ends their pauses of a minute after a 429.
	for i, w := range s.rig.workers {
		w.Kill()
		s.rig.startWorker(i)
		s.tally.workersKilled++
	}
	s.tally.raged = time.Since(begin)
	return receipts
}
