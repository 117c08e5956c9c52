// Package scripts_test tests the shell scripts.
package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeGo stands in for the go command. It lists the targets that TARGETS names as
// target=result, and ends each as the result says.
const fakeGo = `#!/bin/sh
case "$*" in
list*) echo example.com/fuzzed ;;
*-list*) for t in $TARGETS; do echo "${t%%=*}"; done; echo "ok example.com/fuzzed 0.01s" ;;
*)
	for t in $TARGETS; do
		case "$*" in *"^${t%%=*}\$"*) result=${t#*=} ;; esac
	done
	echo ran >>"$RUNS"
	case $result in
	pass) echo PASS ;;
	finding) echo "--- FAIL"; echo "    Failing input written to testdata/fuzz/FuzzX/1"; exit 1 ;;
	deadline) echo "--- FAIL: FuzzX (20.03s)"; echo "    context deadline exceeded"; exit 1 ;;
	build) echo "build failed"; exit 1 ;;
	esac ;;
esac
`

func TestFuzzScript(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, targets string
		fails         bool
		runs          int
		says          []string
	}{
		{name: "all pass", targets: "FuzzA=pass FuzzB=pass", runs: 2, says: []string{"2 targets: 2 passed, 0 ended"}},
		{name: "a finding does not keep the others from running", targets: "FuzzA=finding FuzzB=pass", fails: true, runs: 2, says: []string{"2 targets: 1 passed", "failed: FuzzA"}},
		{name: "the toolchain's own time-out is no finding", targets: "FuzzA=deadline FuzzB=pass", runs: 3, says: []string{"2 targets: 1 passed, 1 ended by Go itself"}},
		{name: "a broken build fails", targets: "FuzzA=build FuzzB=pass", fails: true, runs: 2, says: []string{"failed: FuzzA"}},
		{name: "no target at all fails", fails: true, says: []string{"no fuzz target"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			runs := filepath.Join(dir, "runs")
			if err := os.WriteFile(filepath.Join(dir, "go"), []byte(fakeGo), 0o700); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "sh", "fuzz.sh", "20s")
			cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "TARGETS=" + c.targets, "RUNS=" + runs}
			out, err := cmd.CombinedOutput()
			if failed := err != nil; failed != c.fails {
				t.Errorf("failed: %t, want %t\n%s", failed, c.fails, out)
			}
			for _, s := range c.says {
				if !strings.Contains(string(out), s) {
					t.Errorf("%q is missing in\n%s", s, out)
				}
			}
			ran, err := os.ReadFile(runs)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if n := strings.Count(string(ran), "ran"); n != c.runs {
				t.Errorf("%d targets ran, want %d", n, c.runs)
			}
		})
	}
}
