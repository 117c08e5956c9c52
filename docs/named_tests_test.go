package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	// namedTest matches how documents name a test, with an optional subtest.
	namedTest = regexp.MustCompile("`(Test[A-Z]\\w*)`(?: \"([^\"\\n]+)\")?")
)

// testFiles returns the sources of all test files, by test name.
func testFiles(t *testing.T) map[string]string {
	t.Helper()
	sources := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllStringSubmatch(string(source), -1) {
			sources[m[1]] += string(source)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// TestNamedTestsExist: the tests that documents name exist.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	sources, named := testFiles(t), 0
	for name, text := range documents(t) {
		for _, m := range namedTest.FindAllStringSubmatch(text, -1) {
			named++
			switch source, ok := sources[m[1]]; {
			case !ok:
				t.Errorf("%s names %s, which does not exist", name, m[1])
			case m[2] != "" && !strings.Contains(source, `"`+m[2]+`"`):
				t.Errorf("%s names a case of %s that does not exist: %s", name, m[1], m[2])
			}
		}
	}
	if named == 0 {
		t.Error("no document names a test")
	}
}

// TestEveryPromiseNamesItsTests: each guarantee names its tests and its limits.
func TestEveryPromiseNamesItsTests(t *testing.T) {
	t.Parallel()
	promises := strings.Split(documents(t)["docs/guarantees.md"], "\n## ")[1:]
	if len(promises) == 0 {
		t.Fatal("docs/guarantees.md promises nothing")
	}
	for _, p := range promises {
		title, _, _ := strings.Cut(p, "\n")
		if !strings.Contains(p, "\nTests: `Test") || !strings.Contains(p, "\nLimits:") {
			t.Errorf("%q does not name its tests and its limits", title)
		}
	}
}
