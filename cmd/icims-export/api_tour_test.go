package main

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// apiTour returns the shell commands of the tour in docs/api.md, without the addresses that the demo
// prints.
func apiTour(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "## Tour\n")
	section, _, ok := strings.Cut(rest, "\n## ")
	if !ok {
		t.Fatal("docs/api.md has no tour")
	}
	var script strings.Builder
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		for line := range strings.Lines(block[1]) {
			if !strings.Contains(line, "=http://127.0.0.1:…") {
				script.WriteString(line)
			}
		}
	}
	return script.String()
}

// The tour of docs/api.md works with curl alone.
func TestWalkThroughTheAPI(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("walks for ten seconds")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ready := make(chan struct{})
	said := &watch{text: "without a connection", then: func() { close(ready) }}
	out := &watch{text: "curl", then: func() {}}
	ended := make(chan int, 1)
	go func() {
		p := &process{stdout: out, stderr: said, lookupEnv: os.LookupEnv}
		ended <- run(ctx, p, []string{"demo", "--candidates=10"})
	}()
	<-ready
	exports := strings.Join(regexp.MustCompile(`(?m)^  (export .*)$`).FindAllString(out.String(), -1), "\n")
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", exports+"\n"+apiTour(t))
	cmd.Dir = t.TempDir()
	answers, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, answers)
	}
	rest := string(answers)
	for _, want := range []string{
		`"all_customers":true`, `Etag: "1"`, `"code":"credentials_refused"`, `"revision":2`, `"result":"connected"`, `"title":"`,
		`"code":"email_missing"`, `event: end`, `"created":2`, `"outcome":"created"`, `"refused_rows":1,"refused":[{"row":2,"line":3,"candidate":"c-2"`, `"skipped":2`, `"exported":[{"candidate":"c-1"`,
		`"reason":"job_not_found"`, `"dry_run":true`, `"lanes"`, `"what":"`, `"complete":true`,
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("%s does not come in its turn:\n%s", want, answers)
		}
		rest = after
	}
	if strings.Contains(string(answers), `"type":"https://github.com/`) {
		t.Errorf("something is refused:\n%s", answers)
	}
	stop()
	if status := <-ended; status != statusDone {
		t.Errorf("it ended with %d: %s", status, said)
	}
}
