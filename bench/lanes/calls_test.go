package lanes_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seekout/icims-export/bench/figures"
)

// BenchmarkCalls counts the iCIMS calls for a new candidate to a job. Each process looks up people
// itself, so two processes cost slightly more than one. If a customer's exact search is
// case-sensitive, each look-up is two searches; the goals are for one that ignores case.
func BenchmarkCalls(b *testing.B) {
	for b.Loop() {
		judge(b, "iCIMS calls per new candidate to a job, one process", callsOf(b, 1, true), figures.AtMost(2.03, "", "%.3f"), "calls-one")
		judge(b, "  two processes", callsOf(b, 2, true), figures.AtMost(2.06, "", "%.3f"), "calls-two")
		table.Note("  one process, if exact search is case-sensitive", callsOf(b, 1, false), "%.3f", "")
		table.Note("  two processes, if exact search is case-sensitive", callsOf(b, 2, false), "%.3f", "")
		table.Note("  candidates of a batch", figures.Exactly(float64(*fresh)), "%.0f", "")
	}
}

// callsOf counts the calls per candidate, with a new customer per round.
func callsOf(b *testing.B, processes int, ignoresCase bool) figures.Sample {
	b.Helper()
	all := accounts(*rounds, unlimited)
	for i := range all {
		all[i].ignoresCase = ignoresCase
	}
	r := newRig(b, all)
	r.start(processes)
	var calls figures.Sample
	for _, a := range all {
		batch := r.enqueue(a.customer, *fresh)
		if _, ok := r.finished(batch, time.Now(), patience); !ok {
			b.Fatalf("%d of %d exports have not ended in %s", r.unfinished(batch), *fresh, patience)
		}
		calls = append(calls, float64(r.sim.traffic(a.customer).Calls)/float64(*fresh))
	}
	if open := r.lanesOpened(); open < processes*len(all) {
		table.Say("  lanes opened", fmt.Sprintf("%d of %d: not every process served every customer", open, processes*len(all)))
	}
	r.stop()
	return calls
}
