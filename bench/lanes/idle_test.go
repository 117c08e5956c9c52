package lanes_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/store"
)

// usual are the default limits.
var usual = store.Limits{CallsPerSecond: 5, Burst: 10, InFlight: 4, CallsPerDay: plenty}

// resting is how long no lane has been open when an idle process's memory is measured.
const resting = 3 * time.Minute

// BenchmarkIdle runs one process with many customers without work. It measures the idle cost and
// how soon a customer is served. The process is also the leader.
func BenchmarkIdle(b *testing.B) {
	for b.Loop() {
		all := accounts(*idle, usual)
		r := newRig(b, all)
		r.start(1)
		// Each has had a batch before, so ledger and queue know it.
		var last []store.BatchID
		for _, a := range all {
			last = append(last, r.enqueue(a.customer, 1))
		}
		for _, id := range last {
			r.finished(id, time.Now(), 10*time.Minute)
		}
		r.eventually(10*time.Minute, "all lanes close", func() bool { return r.lanes() == 0 })
		closed := time.Now()

		var commands figures.Sample
		var kinds map[string]int
		for range *rounds {
			seen := r.commands(*window / 2)
			commands = append(commands, float64(seen.total)/(*window/2).Seconds())
			kinds = seen.kinds
		}
		judge(b, "Redis commands/s of a process with 1,000 idle customers", commands, figures.AtMost(10, "", "%.1f"), "idle-commands/s")
		table.Say("  kinds, in the last round", shown(kinds, (*window/2).Seconds()))
		// Within two minutes Go collects the lanes' memory and returns it to the system.
		time.Sleep(time.Until(closed.Add(resting)))
		memory := figures.Exactly(figures.ResidentMB(r.workers[0].PID()))
		judge(b, "memory of a process with 1,000 idle customers", memory, figures.AtMost(80, " MB", "%.0f"), "idle-MB")
		table.Note("  its connections to Redis", figures.Exactly(float64(r.connections())), "%.0f", "")

		var p50, p95, inside figures.Sample
		next := 0
		for range *rounds {
			var took, enqueue figures.Sample
			for range *samples {
				a := all[next%len(all)]
				next++
				r.sim.ask("POST", "reset?only=traffic", nil)
				begin := time.Now()
				batch := r.enqueue(a.customer, 1)
				enqueue = append(enqueue, milliseconds(time.Since(begin)))
				if _, ok := r.finished(batch, begin, time.Minute); !ok {
					b.Fatalf("the export of an idle customer has not ended within a minute")
				}
				took = append(took, milliseconds(r.sim.traffic(a.customer).First.Sub(begin)))
			}
			p50, p95, inside = append(p50, took.Median()), append(p95, took.Quantile(0.95)), append(inside, enqueue.Median())
		}
		judge(b, "first export on an idle customer, from Enqueue's call to iCIMS: p95", p95, figures.AtMost(120, " ms", "%.1f"), "first-p95-ms")
		table.Note("  p50", p50, "%.1f", " ms")
		table.Note("  of which within Enqueue, p50", inside, "%.1f", " ms")
		r.eventually(10*time.Minute, "all lanes close", func() bool { return r.lanes() == 0 })
		table.Note("goroutines of a process with 1,000 idle customers", figures.Exactly(float64(r.goroutines(0))), "%.0f", "")
	}
}

// connections returns the mean number of Redis connections of a worker.
func (r *rig) connections() int {
	r.b.Helper()
	list, err := r.redis.ClientList(r.b.Context()).Result()
	if err != nil {
		r.b.Fatal(err)
	}
	own := r.redis.PoolStats().TotalConns
	return (strings.Count(list, "addr=") - strings.Count(list, "laddr=") - int(own)) / len(r.workers)
}

// goroutines makes a worker print its stacks, which ends it.
func (r *rig) goroutines(i int) int {
	r.b.Helper()
	w := r.workers[i]
	before := strings.Count(r.log(w), "\ngoroutine ")
	w.Signal(syscall.SIGQUIT)
	_ = w.Err()
	return strings.Count(r.log(w), "\ngoroutine ") - before
}
