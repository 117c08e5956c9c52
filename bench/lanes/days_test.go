package lanes_test

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/seekout/icims-export/bench/figures"
)

// BenchmarkDays measures how much of their budgets three simulated days leave unused. It runs a
// test with a simulated clock.
func BenchmarkDays(b *testing.B) {
	unusedOf := regexp.MustCompile(`day \d+: own (\d+), others (\d+), over (\d+), unused (\d+) of (\d+)`)
	for b.Loop() {
		days := exec.CommandContext(b.Context(), "go", "test", "-count=1", "-v", "-run", "^TestThreeDaysOfBudget$", "github.com/seekout/icims-export/worker/limiter")
		days.Env = append(os.Environ(), "DAYS_SEEDS="+strconv.Itoa(*rounds))
		out, err := days.CombinedOutput()
		if err != nil {
			b.Errorf("%v\n%s", err, out)
		}
		var calls, over int
		var unused, others figures.Sample
		for line := range strings.Lines(string(out)) {
			m := unusedOf.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			n := make([]int, len(m))
			for i := range m[1:] {
				n[i], _ = strconv.Atoi(m[i+1])
			}
			limit := float64(n[4])
			calls, over = calls+n[0], over+n[2]
			others = append(others, percent*float64(n[1])/limit)
			unused = append(unused, percent*float64(n[3])/limit)
		}
		if len(unused) == 0 {
			b.Fatalf("no day in the output:\n%s", out)
		}
		judge(b, "budget of 1,000 calls a day, more needed, another system uses a tenth: calls over it", figures.Exactly(float64(over)), figures.AtMost(0, "", "%.0f"), "over")
		judge(b, "  unused at the reset, of the day's budget", unused, figures.AtMost(1, " %", "%.1f"), "%unused")
		table.Note("  calls of the other system", others, "%.1f", " %")
		table.Note("  days; calls made in them", figures.Exactly(float64(len(unused))), "%.0f", "; "+strconv.Itoa(calls))
	}
}
