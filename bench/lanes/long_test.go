package lanes_test

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/bench/figures"
)

// BenchmarkLongQueue compares the throughput with a million waiting exports of one customer to that
// with ten thousand. The state comes from real batches.
func BenchmarkLongQueue(b *testing.B) {
	if *many < (*rounds+1)**few {
		b.Fatal("-many is too small for so many rounds: the long queue would become a short one")
	}
	for b.Loop() {
		all := accounts(1+*rounds, unlimited)
		r := newRig(b, all)
		before := (*rounds + 1) / 2
		var brief, lots figures.Sample
		for _, a := range all[1 : 1+before] {
			brief = append(brief, r.shortQueue(a.customer))
		}
		begin := time.Now()
		const batches = 10
		for range batches {
			r.enqueue(all[0].customer, *many/batches)
		}
		table.Note("exports enqueued/s, 1,000,000 in ten batches", figures.Exactly(float64(*many)/time.Since(begin).Seconds()), "%.0f", "")
		r.start(*processes)
		for range *rounds {
			lots = append(lots, r.pace(all[0].customer))
		}
		for _, w := range r.workers {
			w.Kill()
		}
		r.workers = nil
		if err := r.redis.FlushAllAsync(b.Context()).Err(); err != nil {
			b.Fatal(err)
		}
		r.sim.ask("POST", "reset", nil)
		for _, a := range all[1+before:] {
			brief = append(brief, r.shortQueue(a.customer))
		}
		judge(b, "exports/s with 1,000,000 waiting : with 10,000", figures.Exactly(lots.Median()/brief.Median()), figures.AtLeast(0.9, "", "%.2f"), "ratio")
		table.Note("  with 10,000 waiting, half of it before and half after", brief, "%.0f", "/s")
		table.Note("  with 1,000,000 waiting", lots, "%.0f", "/s")
	}
}

// shortQueue returns the throughput of a customer with a short queue, enqueued before the workers
// start.
func (r *rig) shortQueue(customer string) float64 {
	r.b.Helper()
	r.enqueue(customer, *few)
	r.start(*processes)
	pace := r.pace(customer)
	for _, w := range r.workers {
		w.Kill()
	}
	r.workers = nil
	if err := r.redis.FlushAllAsync(r.b.Context()).Err(); err != nil {
		r.b.Fatal(err)
	}
	r.sim.ask("POST", "reset", nil)
	return pace
}

// pace returns the customer's exports per second, over half of a short queue. The first tenth is
// skipped, while lanes open.
func (r *rig) pace(customer string) float64 {
	r.b.Helper()
	const limit = 2 * time.Minute
	reach := func(n int) (time.Time, int) {
		made := 0
		r.eventually(limit, "the customer is served", func() bool {
			made = r.sim.made()[customer]
			return made >= n
		})
		return time.Now(), made
	}
	now := r.sim.made()[customer]
	start, first := reach(now + *few/10)
	end, last := reach(first + *few/2)
	return float64(last-first) / end.Sub(start).Seconds()
}
