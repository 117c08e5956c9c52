package store_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

// TestChartOfConnectionStates keeps docs/connections.md in sync with the code. The chart leaves out
// the transitions to paused and removed, and those out of a pause.
func TestChartOfConnectionStates(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/connections.md")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[[2]string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^    (\S+) --> (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		drawn[[2]string{m[1], m[2]}] = true
	}
	for _, from := range store.ConnectionStates() {
		if !strings.Contains(string(text), "\n| `"+string(from)+"` | ") {
			t.Errorf("%s is not described", from)
		}
		for _, to := range store.ConnectionStates() {
			legal := store.CanMoveConnection(from, to)
			if to == store.ConnectionPaused || to == store.ConnectionRemoved {
				if legal != from.Kept() && from != to {
					t.Errorf("from %s to %s: %t", from, to, legal)
				}
				continue
			}
			if from == store.ConnectionPaused {
				continue
			}
			name := string(from)
			if from == store.ConnectionAbsent {
				name = "[*]"
			}
			if drawn[[2]string{name, string(to)}] != legal {
				t.Errorf("%s to %s: drawn %t, legal %t", from, to, !legal, legal)
			}
		}
	}
}
