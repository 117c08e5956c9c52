package scaling_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/bench/figures"
)

// load is the work of Redis.
type load struct {
	calls map[string]float64 // by command, including those of scripts
	other map[string]float64 // by name in INFO, see counters
	cpu   float64            // seconds
}

// counters are the counters of INFO other than commands.
var counters = []struct{ section, name, meaning, format, unit string }{
	{"stats", "total_reads_processed", "requests, a pipeline each", "%.2f", ""},
	{"stats", "total_net_input_bytes", "received", "%.0f", " B"},
	{"stats", "total_net_output_bytes", "sent", "%.0f", " B"},
	{"persistence", "aof_current_size", "written to the append-only file", "%.0f", " B"},
}

// loadOf reads a server's counters.
func loadOf(b *testing.B, client redis.UniversalClient) load {
	b.Helper()
	l := load{calls: map[string]float64{}, other: map[string]float64{}}
	for _, c := range counters {
		// Without an append-only file Redis does not report its size.
		l.other[c.name] = number(b, cmp.Or(infoLines(b, client, c.section)[c.name], "0"))
	}
	for name, fields := range infoLines(b, client, "commandstats") {
		command := strings.TrimPrefix(name, "cmdstat_")
		for field := range strings.SplitSeq(fields, ",") {
			if n, ok := strings.CutPrefix(field, "calls="); ok && command != "info" {
				l.calls[command] = number(b, n)
			}
		}
	}
	for name, value := range infoLines(b, client, "cpu") {
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			l.cpu += number(b, value)
		}
	}
	return l
}

func (l load) since(start load) load { return l.less(start, 1) }

// less subtracts an earlier or concurrent load.
func (l load) less(other load, times float64) load {
	d := load{calls: map[string]float64{}, other: map[string]float64{}, cpu: l.cpu - times*other.cpu}
	for command, n := range l.calls {
		d.calls[command] = n - times*other.calls[command]
	}
	for name, n := range l.other {
		d.other[name] = n - times*other.other[name]
	}
	return d
}

// per divides by n.
func (l load) per(n float64) load {
	d := load{calls: map[string]float64{}, other: map[string]float64{}, cpu: l.cpu / n}
	for command, calls := range l.calls {
		d.calls[command] = calls / n
	}
	for name, count := range l.other {
		d.other[name] = count / n
	}
	return d
}

// note adds rows for the load, the most frequent commands first.
func (l load) note(name, unit string) {
	total := 0.0
	for _, calls := range l.calls {
		total += calls
	}
	results.Note(name+": commands", figures.Exactly(total), "%.1f", unit)
	results.Note("  processor time of Redis", figures.Exactly(1e6*l.cpu), "%.0f", " µs"+unit)
	for _, c := range counters {
		results.Note("  "+c.meaning, figures.Exactly(l.other[c.name]), c.format, c.unit+unit)
	}
	commands := slices.SortedFunc(maps.Keys(l.calls), func(a, b string) int {
		return cmp.Or(cmp.Compare(l.calls[b], l.calls[a]), strings.Compare(a, b))
	})
	for _, command := range commands {
		const least = 0.005
		if l.calls[command] >= least {
			results.Note("  "+command, figures.Exactly(l.calls[command]), "%.2f", unit)
		}
	}
}

// brief adds a row without the commands.
func (l load) brief(name string) {
	results.Say(name, fmt.Sprintf("%.0f µs of Redis, %.0f B sent", 1e6*l.cpu, l.other["total_net_output_bytes"]))
}

// connections counts the server's connections, without the observer's.
func connections(b *testing.B, client redis.UniversalClient) (all, subscribed int) {
	b.Helper()
	list, err := client.ClientList(b.Context()).Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(list) {
		switch {
		case strings.Contains(line, " cmd=client|list "):
		case !strings.Contains(line, " sub=0 "):
			subscribed++
			fallthrough
		default:
			all++
		}
	}
	return all, subscribed
}

// bytesByKind sums the memory of all keys by kind. digits match IDs.
func bytesByKind(b *testing.B, client redis.UniversalClient) map[string]float64 {
	b.Helper()
	sums := map[string]float64{}
	for cursor := uint64(0); ; {
		keys, next, err := client.Scan(b.Context(), cursor, "*", 1000).Result()
		if err != nil {
			b.Fatal(err)
		}
		used := make([]*redis.IntCmd, len(keys))
		if _, err := client.Pipelined(b.Context(), func(p redis.Pipeliner) error {
			for i, key := range keys {
				used[i] = p.MemoryUsage(b.Context(), key)
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		for i, key := range keys {
			sums[kindOf(key)] += float64(used[i].Val())
		}
		if cursor = next; cursor == 0 {
			return sums
		}
	}
}

// kindOf returns the kind of a key: m for ix:{1234}:m:17, b:o for the outcomes of a batch, asynq
// for the queue's.
func kindOf(key string) string {
	parts := strings.Split(key, ":")
	switch {
	case parts[0] != "ix":
		return parts[0]
	case !strings.HasPrefix(parts[1], "{"):
		return "fleet"
	case parts[2] == "b" && len(parts) > 4:
		return "b:" + parts[4]
	default:
		return parts[2]
	}
}

// infoLines reads a section of INFO.
func infoLines(b *testing.B, client redis.UniversalClient, section string) map[string]string {
	b.Helper()
	text, err := client.Info(b.Context(), section).Result()
	if err != nil {
		b.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			lines[name] = value
		}
	}
	return lines
}

func number(b *testing.B, text string) float64 {
	b.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		b.Fatal(fmt.Errorf("INFO: %w", err))
	}
	return n
}
