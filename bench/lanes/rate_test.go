package lanes_test

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/store"
)

var (
	// theRate is the limit of customers whose exports are to start soon.
	theRate = store.Limits{CallsPerSecond: 200, Burst: 20, InFlight: 16, CallsPerDay: plenty}
	// fullRate is the limit of the customer whose use of it is measured: 20,000 exports take less
	// than two minutes. The burst is half a second of calls; the default is two seconds.
	fullRate = store.Limits{CallsPerSecond: 400, Burst: 200, InFlight: 64, CallsPerDay: plenty}
)

// BenchmarkRate serves one customer with a full queue by all processes. One long run is divided
// into as many parts as there are rounds.
func BenchmarkRate(b *testing.B) {
	for b.Loop() {
		all := accounts(1, fullRate)
		r := newRig(b, all)
		r.start(*processes)
		customer := all[0].customer
		batch := r.enqueue(customer, *rated)
		expected := time.Duration(float64(*rated) * callsEach / fullRate.CallsPerSecond * float64(time.Second))
		if _, ok := r.finished(batch, time.Now(), 2*expected+time.Minute); !ok {
			b.Errorf("%d exports have not ended in twice the time", r.unfinished(batch))
		}
		at := arrivals(r.sim.calls("calls?limit=1000000&customer=" + customer))
		seen := r.sim.traffic(customer)

		whole := float64(len(at)-1) / at[len(at)-1].Sub(at[0]).Seconds() / fullRate.CallsPerSecond
		share := shares(at, *rounds, fullRate.CallsPerSecond)
		judge(b, "one customer, 400 calls/s, 4 processes: share of the rate that is used", share.Times(percent), figures.AtLeast(99, " %", "%.2f"), "%used")
		table.Note("  over the whole run", figures.Exactly(percent*whole), "%.2f", " %")
		table.Note("  exports", figures.Exactly(float64(*rated)), "%.0f", "")
		judgeOver(b, seen)
		judge(b, "  worst second, calls", figures.Exactly(float64(seen.WorstSecond)), figures.AtMost(fullRate.CallsPerSecond+float64(fullRate.Burst), "", "%.0f"), "worst-second")
		table.Note("  most calls in flight", figures.Exactly(float64(seen.MostInFlight)), "%.0f", "")
		r.stop()
	}
}

const percent = 100

// shares returns the used share of the rate, in n equal parts of the time.
func shares(at []time.Time, n int, perSecond float64) figures.Sample {
	start, part := at[0], at[len(at)-1].Sub(at[0])/time.Duration(n)
	counts := make([]float64, n)
	for _, t := range at {
		counts[min(int(t.Sub(start)/part), n-1)]++
	}
	for i := range counts {
		counts[i] /= part.Seconds() * perSecond
	}
	return counts
}

// judge adds a figure with a goal. A missed goal is no failure: the machine may be slow.
func judge(b *testing.B, name string, s figures.Sample, g figures.Goal, metric string) {
	b.Helper()
	table.Judge(name, s, g)
	b.ReportMetric(s.Median(), metric)
}
