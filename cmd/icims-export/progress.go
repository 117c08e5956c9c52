package main

import (
	"io"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
)

// progress is a line on stderr that keeps changing where stderr is a terminal,
// and a line now and then where it is not.
type progress struct {
	p     *process
	live  bool
	width int
	last  time.Time
	shown string
}

// progressEvery is how often progress is told where it cannot be redrawn.
const progressEvery = 10 * time.Second

func newProgress(p *process) *progress {
	width, onTerminal := terminal(p.stderr)
	kind, _ := p.lookupEnv("TERM")
	return &progress{p: p, live: onTerminal && kind != "dumb", width: width, last: time.Now()}
}

// show tells how things stand.
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

// end wipes the line.
func (g *progress) end() {
	g.p.mu.Lock()
	defer g.p.mu.Unlock()
	g.p.clearLine()
}

// bar draws how much of something is done.
func bar(done, all, width int) string {
	filled := 0
	if all > 0 {
		filled = min(done*width/all, width)
	}
	return strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
}

// remaining estimates the time left, from what was done so far.
func remaining(done, all int, since time.Duration) string {
	const tooEarly = 2 * time.Second
	if done == 0 || done >= all || since < tooEarly {
		return ""
	}
	left := time.Duration(float64(since) / float64(done) * float64(all-done))
	return " ~" + prose.Span(left) + " left"
}
