package lanes_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// BenchmarkKill kills a process that works for many customers, and measures how soon each customer
// and each claimed export continues. An export that was killed during a write first waits for the
// settle time.
func BenchmarkKill(b *testing.B) {
	const customers = 40
	for b.Loop() {
		all := accounts(customers, usual)
		r := newRig(b, all)
		r.start(*processes - 1)
		times := min(*rounds, kills)
		const enough = settling + patience // work for each round, and one more
		each := int(float64(times+1) * enough.Seconds() * usual.CallsPerSecond / callsEach)
		r.fill(all, each)
		var resumed, flow, held, writing figures.Sample
		var unwritten figures.Sample
		attempts := 0
		for range times {
			after := r.kill(all, r.startVictim())
			resumed, flow = append(resumed, max(after.resumed, after.settled).Seconds()), append(flow, after.flow.Seconds())
			held, writing = append(held, float64(after.held)), append(writing, float64(after.writing))
			unwritten = append(unwritten, after.resumed.Seconds())
			attempts = max(attempts, after.attempts)
		}
		judge(b, "kill -9 of one of 4 processes, 40 customers: until each export it had claimed continues", resumed, figures.AtMost(120, " s", "%.1f"), "continue-s")
		judge(b, "  attempts counted for an export it had claimed", figures.Exactly(float64(attempts)), figures.AtMost(0, "", "%.0f"), "attempts")
		table.Note("  until each continues that was not in a write", unwritten, "%.1f", " s")
		table.Note("  exports it had claimed", held, "%.0f", "")
		table.Note("  of these in a write, which settles for 90 s", writing, "%.0f", "")
		table.Note("  longest time without a call of a customer", flow, "%.1f", " s")
		r.noteOver()
		for _, w := range r.workers {
			w.Kill()
		}
	}
}

const (
	// settling is longer than lanes need to move to a new process.
	settling = 20 * time.Second
	// kills is the maximum number of killed processes: each takes at least two minutes.
	kills = 3
	// patience is how long the effects of a kill are measured.
	patience = 3 * time.Minute
)

// startVictim starts another worker, waits until it has its share of the work, and returns its
// name.
func (r *rig) startVictim() string {
	r.b.Helper()
	before := r.fleet()
	r.start(1)
	var name string
	r.eventually(startTime, "the new worker is known", func() bool {
		for id := range r.fleet() {
			if _, old := before[id]; !old {
				name = id
				return true
			}
		}
		return false
	})
	time.Sleep(settling) // lanes move to it
	return name
}

func (r *rig) fleet() map[string]store.Peer {
	r.b.Helper()
	fleet, err := r.ledger.Workers.Fleet(r.b.Context())
	if err != nil {
		r.b.Fatal(err)
	}
	return fleet.Workers
}

// aftermath contains the effects of a kill.
type aftermath struct {
	worker string
	died   time.Time
	left   map[store.Ref]bool // claimed exports that have not continued, and whether they were in a write

	held, writing    int
	resumed, settled time.Duration // until the last export continued, outside or inside a write
	flow             time.Duration // longest pause of a customer
	attempts         int           // maximum counted for a claimed export
}

func (r *rig) kill(all []account, worker string) *aftermath {
	r.b.Helper()
	last := len(r.workers) - 1
	victim := r.workers[last]
	r.workers = r.workers[:last]
	r.sim.ask("POST", "reset?only=calls", nil)
	after := &aftermath{worker: worker, died: time.Now(), left: map[store.Ref]bool{}}
	victim.Kill()

	for _, a := range all {
		for _, m := range r.heldBy(a.customer, worker) {
			writing := m.State == store.Creating || m.State == store.Placing
			after.left[m.Ref] = writing
			after.held++
			if writing {
				after.writing++
			}
		}
	}
	if after.held == 0 {
		r.b.Errorf("the killed process held nothing")
	}
	for !r.look(all, after) && time.Since(after.died) < patience {
		time.Sleep(200 * time.Millisecond) // each poll costs the workers processor time
	}
	for _, writing := range after.left { // lower bound
		if writing {
			after.settled = patience
		} else {
			after.resumed = patience
		}
	}
	over := time.Now()
	arrived := map[string][]time.Time{}
	for _, c := range r.sim.calls("calls?limit=1000000") {
		arrived[c.Customer] = append(arrived[c.Customer], c.At)
	}
	for _, a := range all {
		after.flow = max(after.flow, longestPause(after.died, over, arrived[a.customer]))
	}
	return after
}

// longestPause returns the longest time without a call.
func longestPause(from, to time.Time, at []time.Time) time.Duration {
	longest := time.Duration(0)
	for _, t := range append(slices.Clone(at), to) {
		if t.After(from) {
			longest, from = max(longest, t.Sub(from)), t
		}
	}
	return longest
}

// heldBy returns the customer's exports that a worker has claimed.
func (r *rig) heldBy(customer, worker string) []store.Moving {
	r.b.Helper()
	active, err := tasks.NewQueues(r.redis, 0).Active(customer)
	if err != nil {
		r.b.Fatal(err)
	}
	exports := make([]string, 0, len(active))
	for ref := range active {
		exports = append(exports, ref.Export)
	}
	moving, err := r.ledger.Recovery.States(r.b.Context(), customer, exports)
	if err != nil {
		r.b.Fatal(err)
	}
	return slices.DeleteFunc(moving, func(m store.Moving) bool { return !working(m) || r.holder(m.Ref) != worker })
}

// working reports whether a worker has claimed an export.
func working(m store.Moving) bool {
	return slices.Contains([]store.State{store.Claimed, store.Creating, store.Created, store.Placing}, m.State)
}

// holder returns the worker that claimed an export last.
func (r *rig) holder(ref store.Ref) string {
	r.b.Helper()
	worker, err := r.redis.HGet(r.b.Context(), "ix:{"+ref.Customer+"}:x:"+ref.Export, "wk").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		r.b.Fatal(err)
	}
	return worker
}

// look removes the exports that have continued: another worker has claimed them, or they have
// ended. Rescheduled exports have not. It reports whether none is left.
func (r *rig) look(all []account, after *aftermath) bool {
	r.b.Helper()
	for _, a := range all {
		var exports []string
		for ref := range after.left {
			if ref.Customer == a.customer {
				exports = append(exports, ref.Export)
			}
		}
		stand, err := r.ledger.Recovery.States(r.b.Context(), a.customer, exports)
		if err != nil {
			r.b.Fatal(err)
		}
		for _, m := range stand {
			if m.State != "" && !m.State.Ended() && (!working(m) || r.holder(m.Ref) == after.worker) {
				continue
			}
			took := &after.resumed
			if after.left[m.Ref] {
				took = &after.settled
			}
			*took = time.Since(after.died)
			delete(after.left, m.Ref)
			after.attempts = max(after.attempts, r.attempts(m.Ref))
		}
	}
	return len(after.left) == 0
}

// attempts returns the attempts counted for an export that has not ended.
func (r *rig) attempts(ref store.Ref) int {
	n, _ := r.redis.HGet(r.b.Context(), "ix:{"+ref.Customer+"}:x:"+ref.Export, "at").Int()
	return n
}
