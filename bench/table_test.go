package bench_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/redis/go-redis/v9"
)

// results collects the rows of the table, in the order of measurement.
var results struct {
	rows  []row
	redis string // version of the server
}

type row struct {
	name, value, goal, verdict string
}

// goal is a bound that a figure is held against.
type goal struct {
	bound   float64
	atLeast bool
	unit    string
	format  string
}

func (g goal) met(v float64) bool {
	if g.atLeast {
		return v >= g.bound
	}
	return v <= g.bound
}

func (g goal) String() string {
	if g.atLeast {
		return fmt.Sprintf("at least "+g.format+g.unit, g.bound)
	}
	return fmt.Sprintf("at most "+g.format+g.unit, g.bound)
}

// judge adds a figure with a goal. A goal that is missed fails nothing: the
// machine may be to blame.
func judge(b *testing.B, name string, v sample, g goal, metric string) {
	b.Helper()
	verdict := "not met"
	if g.met(v.median()) {
		verdict = "met"
	}
	results.rows = append(results.rows, row{name, v.text(g.format, g.unit), g.String(), verdict})
	b.ReportMetric(v.median(), metric)
}

// note adds a figure without a goal.
func note(name string, v sample, format, unit string) {
	results.rows = append(results.rows, row{name: name, value: v.text(format, unit)})
}

func (r row) cells() string {
	return strings.Join([]string{r.name, r.value, cmp.Or(r.goal, "-"), cmp.Or(r.verdict, "-")}, "\t")
}

func writeTable(out io.Writer, rows []row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tmeasured\tgoal\t")
	for _, r := range rows {
		fmt.Fprintln(w, r.cells())
	}
	return w.Flush()
}

// sample is one figure measured several times.
type sample []float64

func exactly(v float64) sample { return sample{v} }

func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func (s sample) text(format, unit string) string {
	text := fmt.Sprintf(format+unit, s.median())
	if len(s) > 1 {
		text += fmt.Sprintf(" ("+format+" to "+format+")", slices.Min(s), slices.Max(s))
	}
	return text
}

// per divides pairs of neighbouring runs, which met the same noise.
func (s sample) per(other sample) sample {
	ratios := make(sample, len(s))
	for i := range s {
		ratios[i] = s[i] / other[i]
	}
	return ratios
}

func (s sample) minus(other sample) sample {
	rest := make(sample, len(s))
	for i := range s {
		rest[i] = s[i] - other[i]
	}
	return rest
}

// learnServer notes the version of the server for the table's head.
func learnServer(b *testing.B, client redis.UniversalClient) {
	b.Helper()
	results.redis = infoField(b, client, "server", "redis_version")
}

// infoField reads one line of INFO.
func infoField(b *testing.B, client redis.UniversalClient, section, name string) string {
	b.Helper()
	text, err := client.Info(context.Background(), section).Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	b.Fatalf("INFO %s has no %s", section, name)
	return ""
}

// processor names the CPU where the system tells.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unnamed CPU"
}
