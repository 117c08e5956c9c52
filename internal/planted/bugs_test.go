package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// TestPlantedBugsFitTheCode is quick; make planted checks whether tests find the bugs.
func TestPlantedBugsFitTheCode(t *testing.T) {
	t.Parallel()
	bugs, err := readBugs()
	if err != nil || len(bugs) == 0 {
		t.Fatalf("%d bugs, %v", len(bugs), err)
	}
	guarantees, err := os.ReadFile(root + "/docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	promises := strings.Split(string(guarantees), "\n## ")
	for _, b := range bugs {
		if text, err := b.plant(root); err != nil {
			t.Error(err)
		} else if strings.Contains(text, b.Old) && !strings.Contains(b.New, b.Old) {
			t.Errorf("%q is not planted", b.Bug)
		}
		if !hasTest(t, b.Package, b.Test) {
			t.Errorf("%s has no %s", b.Package, b.Test)
		}
		if b.Promise < 1 || b.Promise >= len(promises) || !strings.HasPrefix(promises[b.Promise], fmt.Sprint(b.Promise)) {
			t.Errorf("%q breaks promise %d, which docs/guarantees.md does not make", b.Bug, b.Promise)
		} else if !strings.Contains(promises[b.Promise], "`"+b.Test+"`") {
			t.Errorf("docs/guarantees.md does not name %s under promise %d", b.Test, b.Promise)
		}
	}
}

// hasTest reports whether a package has a test of this name.
func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), "\nfunc "+name+"(")
	})
}

func TestABugThatFitsNoMoreIsTold(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]planting{
		"text that is gone":           {File: "go.mod", Old: "never there"},
		"text that occurs repeatedly": {File: "go.mod", Old: "github.com/"},
		"file that is gone":           {File: "gone.go", Old: "package"},
	} {
		if _, err := b.plant(root); err == nil {
			t.Errorf("%s: planted", name)
		}
	}
}
