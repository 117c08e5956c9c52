package lanes_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
)

// BenchmarkBusy runs many customers with full queues: first with the usual limits, which the
// machine can fully serve, then with higher limits, for which they compete.
func BenchmarkBusy(b *testing.B) {
	for b.Loop() {
		b.Run("within", func(b *testing.B) { busyWithin(b) })
		b.Run("beyond", func(b *testing.B) { busyBeyond(b) })
	}
}

// fill enqueues exports for each customer and waits until all are being served.
func (r *rig) fill(all []account, each int) {
	r.b.Helper()
	for _, a := range all {
		r.enqueue(a.customer, each)
	}
	r.eventually(time.Minute, "each customer is served", func() bool {
		made := r.sim.made()
		for _, a := range all {
			if made[a.customer] == 0 {
				return false
			}
		}
		return true
	})
}

func busyWithin(b *testing.B) {
	b.Helper()
	all := accounts(*busy, usual)
	r := newRig(b, all)
	r.start(*processes)
	lasts := float64(*rounds+2) * window.Seconds() // including the rest of the benchmark
	r.fill(all, fifty+int(lasts*usual.CallsPerSecond/callsEach))
	var used, jain, cpu, cost figures.Sample
	for range *rounds {
		spent, calls := r.cpu(), r.sim.called()
		got, took := r.gained(all, *window)
		spent, calls = r.cpu()-spent, r.sim.called()-calls
		cpu = append(cpu, percent*spent/took.Seconds())
		jain = append(jain, figures.Jain(got))
		cost = append(cost, float64(calls)/sum(got))
		used = append(used, percent*float64(calls)/(took.Seconds()*usual.CallsPerSecond*float64(len(all))))
	}
	const look = 3 * time.Second
	seen := r.commands(look)
	table.Note("200 busy customers at 5 calls/s each, 4 processes: share of their rates that is used", used, "%.1f", " %")
	table.Note("  calls an export", cost, "%.2f", "")
	table.Note("  Jain index of what each got", jain, "%.4f", "")
	table.Note("  Redis commands/s of all processes", figures.Exactly(float64(seen.total)/look.Seconds()), "%.0f", "")
	table.Say("  kinds", shown(seen.kinds, look.Seconds()))
	table.Note("  processor time of the workers together", cpu, "%.0f", " % of a CPU")
	table.Note("  connections to Redis", figures.Exactly(float64(r.connections())), "%.0f", " a process")
	table.Note("  memory of a process", figures.Exactly(figures.ResidentMB(r.workers[0].PID())), "%.0f", " MB")
	r.noteOver()
	table.Note("  goroutines of a process, busy", figures.Exactly(float64(r.goroutines(0))), "%.0f", "")
}

func busyBeyond(b *testing.B) {
	b.Helper()
	limits := store.Limits{CallsPerSecond: 200, Burst: 20, InFlight: 16, CallsPerDay: plenty}
	all := accounts(*busy, limits)
	r := newRig(b, all)
	const quickest = 1500   // exports per second that this machine may reach
	long := 3 * *window / 2 // in a shorter one, chance would spread the shares
	each := int(float64(*rounds+1)*long.Seconds()*quickest)/len(all) + fifty
	for _, a := range all {
		r.enqueue(a.customer, each)
	}
	r.start(*processes)
	r.fill(all, 1)
	var jain, perSecond figures.Sample
	for range *rounds {
		got, took := r.gained(all, long)
		jain, perSecond = append(jain, figures.Jain(got)), append(perSecond, sum(got)/took.Seconds())
	}
	judge(b, "200 customers with equal limits beyond the machine: Jain index of what each got", jain, figures.AtLeast(0.98, "", "%.4f"), "jain")
	table.Note("  exports/s of all", perSecond, "%.0f", "")
	r.noteOver()
	for _, w := range r.workers {
		w.Kill()
	}
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

// gained returns how many exports each customer got in a period.
func (r *rig) gained(all []account, d time.Duration) (got []float64, took time.Duration) {
	r.b.Helper()
	begin, before := time.Now(), r.sim.made()
	time.Sleep(d)
	after := r.sim.made()
	took = time.Since(begin)
	for _, a := range all {
		got = append(got, float64(after[a.customer]-before[a.customer]))
	}
	return got, took
}

// cpu returns the workers' processor time in seconds.
func (r *rig) cpu() float64 {
	sum := 0.0
	for _, w := range r.workers {
		sum += figures.CPUSeconds(w.PID())
	}
	return sum
}

// noteOver adds the calls over a limit of all customers.
func (r *rig) noteOver() {
	r.b.Helper()
	judgeOver(r.b, r.sim.traffics("traffic")...)
}

// judgeOver adds the calls over a limit; the goal is zero.
func judgeOver(b *testing.B, seen ...icimstest.Traffic) {
	b.Helper()
	var day, rate, inFlight int
	for _, t := range seen {
		day, rate, inFlight = day+t.OverDay, rate+t.OverRate, inFlight+t.OverInFlight
	}
	judge(b, "  calls over a limit", figures.Exactly(float64(day+rate+inFlight)), figures.AtMost(0, "", "%.0f"), "over")
	if day+rate+inFlight > 0 {
		table.Say("    of the day, the rate, those in flight", fmt.Sprintf("%d, %d, %d", day, rate, inFlight))
	}
}
