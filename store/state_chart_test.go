package store_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/store"
)

const chartFile = "../docs/state-machine.md"

// pair is a transition. The start and end of the chart are "[*]".
type pair struct{ From, To store.State }

const outside store.State = "[*]"

var (
	chartBlock = regexp.MustCompile("(?s)```mermaid\nstateDiagram-v2\n(.*?)```")
	chartArrow = regexp.MustCompile(`^(\S+) --> (\S+)$`)
	moveRow    = regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| `([a-z]+)` \\| (.+) \\|$")
	stateRow   = regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| ([^|`][^|]*) \\|$")
)

// TestChartOfStates keeps docs/state-machine.md in sync with the code.
func TestChartOfStates(t *testing.T) {
	t.Parallel()
	text := readChart(t)

	t.Run("the arrows match the transitions", func(t *testing.T) {
		t.Parallel()
		arrows := arrowsOf(t, text)
		for _, from := range store.States() {
			for _, to := range store.States() {
				if drawn, legal := arrows[pair{from, to}], store.CanMove(from, to); drawn != legal {
					t.Errorf("%s to %s: drawn %t, legal %t", from, to, drawn, legal)
				}
			}
			leaves := !slices.ContainsFunc(store.States(), func(to store.State) bool { return store.CanMove(from, to) })
			if ends := arrows[pair{from, outside}]; ends != leaves {
				t.Errorf("%s: drawn as the end %t, is the end %t", from, ends, leaves)
			}
		}
		if !arrows[pair{outside, store.Queued}] {
			t.Error("no arrow leads to queued from outside")
		}
	})

	t.Run("each transition has one sentence", func(t *testing.T) {
		t.Parallel()
		told := map[pair]int{}
		for _, row := range moveRow.FindAllStringSubmatch(text, -1) {
			told[pair{store.State(row[1]), store.State(row[2])}]++
		}
		for _, from := range store.States() {
			for _, to := range store.States() {
				want := 0
				if store.CanMove(from, to) {
					want = 1
				}
				if got := told[pair{from, to}]; got != want {
					t.Errorf("%s to %s: %d rows, want %d", from, to, got, want)
				}
			}
		}
	})

	t.Run("each state has one sentence, in the order of an export's life", func(t *testing.T) {
		t.Parallel()
		var told []store.State
		for _, row := range stateRow.FindAllStringSubmatch(text, -1) {
			told = append(told, store.State(row[1]))
		}
		if diff := cmp.Diff(store.States(), told); diff != "" {
			t.Errorf("states in the code and in the document:\n%s", diff)
		}
	})
}

func readChart(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(chartFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// arrowsOf parses the chart. It fails on a line that is not an arrow between known states, which
// would otherwise be ignored.
func arrowsOf(t *testing.T, text string) map[pair]bool {
	t.Helper()
	blocks := chartBlock.FindAllStringSubmatch(text, -1)
	if len(blocks) != 1 {
		t.Fatalf("%s has %d state charts, want 1", chartFile, len(blocks))
	}
	known := append(store.States(), outside)
	arrows := map[pair]bool{}
	for line := range strings.Lines(blocks[0][1]) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		m := chartArrow.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("not an arrow: %q", line)
		}
		p := pair{store.State(m[1]), store.State(m[2])}
		if !slices.Contains(known, p.From) || !slices.Contains(known, p.To) {
			t.Fatalf("not between states: %q", line)
		}
		if arrows[p] {
			t.Errorf("drawn twice: %q", line)
		}
		arrows[p] = true
	}
	return arrows
}
