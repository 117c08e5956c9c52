package lanes_test

import (
	"math"
	"testing"
	"time"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/store"
)

// fifty candidates exceed the limit of the express queue.
const fifty = 50

// BenchmarkNeighbor enqueues 50 exports of a customer, with and without many waiting exports of
// another one. Each time the customer is new, so its lane must be opened as well.
func BenchmarkNeighbor(b *testing.B) {
	for b.Loop() {
		all := accounts(1+2*(*rounds), theRate)
		crowded, others := all[0], all[1:]
		r := newRig(b, all)
		r.start(*processes)
		var alone, beside, medianAlone, medianBeside figures.Sample
		for i, a := range others {
			if i == *rounds {
				r.enqueue(crowded.customer, *crowd)
				r.sim.flows(crowded.customer)
			}
			starts := r.startsOfFifty(a.customer)
			if i < *rounds {
				alone, medianAlone = append(alone, starts.Quantile(0.95)), append(medianAlone, starts.Median())
			} else {
				beside, medianBeside = append(beside, starts.Quantile(0.95)), append(medianBeside, starts.Median())
			}
		}
		judge(b, "50 exports beside a neighbor's 100,000 : alone, p95 of their start", figures.Exactly(beside.Median()/alone.Median()), figures.AtMost(1.2, "", "%.2f"), "ratio")
		table.Note("  p95 alone, 200 calls/s", alone, "%.0f", " ms")
		table.Note("  p95 beside the neighbor", beside, "%.0f", " ms")
		table.Note("  p50 alone", medianAlone, "%.0f", " ms")
		table.Note("  p50 beside the neighbor", medianBeside, "%.0f", " ms")
		for _, w := range r.workers {
			w.Kill() // the other exports need not be served
		}
	}
}

// flows waits until the customer is being served.
func (s *simulator) flows(customer string) {
	s.rig.b.Helper()
	s.rig.eventually(startTime, "the neighbor is served", func() bool { return s.traffic(customer).Calls > fifty })
}

// startsOfFifty submits 50 exports and returns the milliseconds from the call of Enqueue to the
// start of each.
func (r *rig) startsOfFifty(customer string) figures.Sample {
	r.b.Helper()
	r.sim.ask("POST", "reset?only=calls", nil)
	begin := time.Now()
	batch := r.enqueue(customer, fifty)
	if _, ok := r.finished(batch, begin, time.Minute); !ok {
		r.b.Errorf("%d of 50 have not ended within a minute", r.unfinished(batch))
	}
	return since(begin, r.sim.starts(customer), fifty)
}

// since returns the milliseconds from a time to each arrival; infinite for missing ones.
func since(begin time.Time, at []time.Time, n int) figures.Sample {
	s := make(figures.Sample, 0, n)
	for _, t := range at {
		s = append(s, milliseconds(t.Sub(begin)))
	}
	for len(s) < n {
		s = append(s, math.Inf(1))
	}
	return s
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// BenchmarkColleague enqueues 50 exports of a recruiter while many of a colleague of the same
// customer wait in the bulk queue. By weight the recruiter gets three of four exports, once those
// already claimed have ended: ten in each of two processes.
func BenchmarkColleague(b *testing.B) {
	limits := store.Limits{CallsPerSecond: 100, Burst: 10, InFlight: 16, CallsPerDay: plenty}
	const limit = 30 * time.Second
	for b.Loop() {
		all := accounts(1, limits)
		r := newRig(b, all)
		r.start(*processes)
		customer := all[0].customer
		r.finished(r.enqueue(customer, fifty), time.Now(), limit) // opens the lane
		var alone, beside, others, used figures.Sample
		for i := range 2 * *rounds {
			if i == *rounds {
				r.enqueue(customer, *colleague)
			}
			begin, before, calls := time.Now(), r.sim.made()[customer], r.sim.traffic(customer).Calls
			took, ok := r.finished(r.enqueue(customer, fifty), begin, limit)
			if i >= *rounds {
				others = append(others, float64(r.sim.made()[customer]-before-fifty))
				used = append(used, float64(r.sim.traffic(customer).Calls-calls)/took.Seconds())
			}
			switch {
			case i < *rounds:
				alone = append(alone, took.Seconds())
			case ok:
				beside = append(beside, took.Seconds())
			default:
				beside = append(beside, math.Inf(1))
			}
		}
		judge(b, "a recruiter's 50 behind a colleague's 20,000 : alone, time to the end", figures.Exactly(beside.Median()/alone.Median()), figures.AtMost(2.5, "", "%.2f"), "ratio")
		table.Note("  alone, 100 calls/s", alone, "%.2f", " s")
		table.Note("  behind the colleague's", beside, "%.2f", " s")
		table.Note("  the colleague's exports meanwhile", others, "%.0f", "")
		table.Note("  calls meanwhile", used, "%.0f", "/s")
		table.Note("  behind them in order of arrival, computed", figures.Exactly(float64(*colleague)*callsEach/limits.CallsPerSecond), "%.0f", " s")
		for _, w := range r.workers {
			w.Kill()
		}
	}
}
