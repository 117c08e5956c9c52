package chaos_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
)

// tally counts the events of a run.
type tally struct {
	workersKilled, workersFrozen     int
	redisKilled                      int
	bytesLost                        int64 // of the append-only file
	forgetful                        int   // kills after which Redis had lost acknowledged writes
	forgotten                        int64 // of the probe's writes
	producersKilled, producersFailed atomic.Int64
	raged, calmed                    time.Duration
	calls                            []icimstest.Call
	told                             map[string]int
	watched                          *watcher
}

// timelines counts the events in the exports' timelines.
func (y *tally) timelines(t *testing.T, r *rig, batches []store.BatchID) {
	t.Helper()
	ctx := context.Background()
	y.told = map[string]int{}
	phrases := []struct{ begin, name string }{
		{"the lost POST created person", "people adopted"},
		{"iCIMS has no person with this email: the lost POST", "people's POSTs repeated"},
		{"workflow", "workflows found or adopted"},
		{"the lost POST created no workflow", "workflows' POSTs repeated"},
	}
	for _, batch := range batches {
		outcomes, err := r.ledger.Batches.Outcomes(ctx, batch, 0, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			story, err := r.ledger.Timeline(ctx, store.Ref{Customer: batch.Customer(), Export: o.Export})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range story {
				y.told["story: "+e.What]++
				for _, finding := range e.Findings {
					for _, p := range phrases {
						if strings.HasPrefix(finding, p.begin) {
							y.told[p.name]++
						}
					}
				}
			}
		}
	}
}

func (y *tally) print(t *testing.T, seed uint64, size int) {
	t.Helper()
	faults, routes := map[string]int{}, map[string]int{}
	for _, c := range y.calls {
		routes["calls "+c.Route]++
		if c.Fault != "" {
			faults["fault "+c.Fault]++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "chaos, seed %d, %d candidates: %s of faults, %s of calm\n\n", seed, size, y.raged.Round(time.Second), y.calmed.Round(time.Second))
	row := func(name string, n int) { fmt.Fprintf(&b, "  %-34s %7d\n", name, n) }
	row("workers killed", y.workersKilled)
	row("workers frozen for 14 to 22 s", y.workersFrozen)
	row("Redis killed", y.redisKilled)
	row("  which had forgotten writes", y.forgetful)
	row("  probes among them (500 a second)", int(y.forgotten))
	if loseLastSecond {
		row("bytes of its file lost", int(y.bytesLost))
	}
	row("producers killed", int(y.producersKilled.Load()))
	row("producers that failed by themselves", int(y.producersFailed.Load()))
	row("comparisons of asynq and the ledger", y.watched.moments)
	row("  exports compared", y.watched.compared)
	row("  longest disagreement, s", int(y.watched.longest.Seconds()))
	row("calls", len(y.calls))
	for _, counts := range []map[string]int{routes, faults, y.told} {
		names := make([]string, 0, len(counts))
		for name := range counts {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			row(name, counts[name])
		}
	}
	t.Log(b.String())
}
