package main

import (
	"io"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
)

// progress shows progress on stderr: in one changing line on a terminal, and in occasional lines
// otherwise.
type progress struct {
	p     *process
	live  bool
	width int
	last  time.Time
	shown string
}

// progressEvery is the interval of progress lines without a terminal.
const progressEvery = 10 * time.Second

func newProgress(p *process) *progress {
	width, onTerminal := terminal(p.stderr)
	kind, _ := p.lookupEnv("TERM")
	return &progress{p: p, live: onTerminal && kind != "dumb", width: width, last: time.Now()}
}

// show shows the current state.
func (g *progress) show(line string) {
	if !g.live {
		if now := time.Now(); now.Sub(g.last) >= progressEvery && line != g.shown {
			g.p.sayf("%s", line)
			g.last, g.shown = now, line
		}
		return
	}
	g.p.mu.Lock()
	defer g.p.mu.Unlock()
	// One column stays free: some terminals break the line in the last one.
	_, _ = io.WriteString(g.p.stderr, wipeLine+clip(line, g.width-1))
	g.p.live = true
}

// end clears the line.
func (g *progress) end() {
	g.p.mu.Lock()
	defer g.p.mu.Unlock()
	g.p.clearLine()
}

// bar draws a progress bar.
func bar(done, all, width int) string {
	filled := 0
	if all > 0 {
		filled = min(done*width/all, width)
	}
	return strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
}

// remaining estimates the remaining time from the pace so far.
func remaining(done, all int, since time.Duration) string {
	const tooEarly = 2 * time.Second
	if done == 0 || done >= all || since < tooEarly {
		return ""
	}
	left := time.Duration(float64(since) / float64(done) * float64(all-done))
	return " ~" + prose.Span(left) + " left"
}
