package docs_test

import (
	"slices"
	"strings"
	"testing"
)

// TestFidelityNamesEveryEitherWorldTest: the table names every test that runs a switch of the
// simulator in both positions, and no other.
func TestFidelityNamesEveryEitherWorldTest(t *testing.T) {
	t.Parallel()
	var named []string
	for _, m := range namedTest.FindAllStringSubmatch(documents(t)["docs/fidelity.md"], -1) {
		named = append(named, m[1])
	}
	for name := range testFiles(t) {
		if strings.HasPrefix(name, "TestEitherWorld") && !slices.Contains(named, name) {
			t.Errorf("docs/fidelity.md does not name %s", name)
		}
	}
	for _, name := range named {
		if !strings.HasPrefix(name, "TestEitherWorld") {
			t.Errorf("docs/fidelity.md names %s, which is not a TestEitherWorld", name)
		}
	}
}
