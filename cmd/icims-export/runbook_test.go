package main

import (
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/seekout/icims-export/config"
)

// Every command in the runbook exists.
func TestRunbookCommandsExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	comment, word := regexp.MustCompile(`\s+# .*$`), regexp.MustCompile(`"([^"]*)"|([^\s"]+(?:"[^"]*")?)`)
	seen := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		command, ok := strings.CutPrefix(strings.TrimPrefix(line, "time "), "icims-export ")
		if !ok {
			continue
		}
		seen++
		var args []string
		for _, w := range word.FindAllString(comment.ReplaceAllString(command, ""), -1) {
			args = append(args, strings.ReplaceAll(w, `"`, ""))
		}
		var cli grammar
		parser, err := kong.New(&cli, append(config.Options(), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}),
			kong.BindTo(t.Context(), (*context.Context)(nil)), kong.Bind(&process{}))...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(args); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands were found", seen)
	}
}
