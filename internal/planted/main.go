// Command planted checks that tests find bugs: it breaks the code in one place at a time and
// expects the named test to fail. It does not change the working tree: the go command gets the
// broken file as an overlay.
//
//	go run ./internal/planted [-only TEXT]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	only := flag.String("only", "", "plant the bugs whose description or test contains this text")
	flag.Parse()
	os.Exit(report(*only))
}

// report runs the checks and returns the exit status.
func report(only string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	missed, err := run(ctx, only)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "planted:", err)
		return 2
	case missed > 0:
		fmt.Fprintf(os.Stderr, "planted: %d bugs were not found\n", missed)
		return 1
	}
	return 0
}

// run plants the bugs one by one and returns how many no test found.
func run(ctx context.Context, only string) (missed int, err error) {
	bugs, err := readBugs()
	if err != nil {
		return 0, err
	}
	for _, b := range bugs {
		if !strings.Contains(b.Bug+" "+b.Test, only) {
			continue
		}
		start := time.Now()
		found, output, err := b.found(ctx)
		if ctx.Err() != nil {
			return missed, ctx.Err()
		}
		verdict := "found by"
		switch {
		case err != nil: // the others are tried all the same
			missed++
			verdict, output = "NOT TRIED", err.Error()
		case !found:
			missed++
			verdict = "MISSED by"
		}
		fmt.Printf("%-9s %s (%s): %s\n", verdict, b.Test, time.Since(start).Round(time.Second), b.Bug)
		if !found {
			fmt.Println(output)
		}
	}
	return missed, nil
}

// found runs the test with the broken code. The code must compile: a compile error is no test
// failure.
func (b planting) found(ctx context.Context) (found bool, output string, err error) {
	broken, err := b.plant(".")
	if err != nil {
		return false, "", err
	}
	dir, err := os.MkdirTemp("", "planted")
	if err != nil {
		return false, "", err
	}
	defer os.RemoveAll(dir)
	overlay, err := writeOverlay(dir, b.File, broken)
	if err != nil {
		return false, "", err
	}
	binary := filepath.Join(dir, "test")
	build := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-c", "-o", binary, b.Package)
	if out, err := build.CombinedOutput(); err != nil {
		return false, "", fmt.Errorf("the bug %q does not compile: %w\n%s", b.Bug, err, out)
	}
	test := exec.CommandContext(ctx, binary, "-test.timeout", testTimeout, "-test.run", "^"+b.Test+"$")
	test.Dir = b.Package
	out, err := test.CombinedOutput()
	if ctx.Err() != nil {
		return false, "", ctx.Err()
	}
	if strings.Contains(string(out), "no tests to run") {
		return false, "", fmt.Errorf("%s has no %s", b.Package, b.Test)
	}
	if strings.Contains(string(out), "panic: test timed out after") { // does not name the broken part
		return false, "the test was not over within " + testTimeout, nil
	}
	return err != nil, string(out), nil
}

// testTimeout is longer than a test waits for something that never happens.
const testTimeout = "10m"

func writeOverlay(dir, file, text string) (string, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	broken := filepath.Join(dir, filepath.Base(file))
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{path: broken}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, data, 0o600)
}
