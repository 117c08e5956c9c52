package testrig

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// Log keeps what was logged, by whichever goroutine.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write takes a line.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Tail is the last lines, to be shown beside what failed.
func (l *Log) Tail() string {
	const shown = 30
	lines := strings.Split(l.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-shown):], "\n")
}

// Count is how many lines have the message.
func (l *Log) Count(message string) int { return strings.Count(l.String(), `"`+message+`"`) }

// Eventually looks again and again until the condition holds. Where it does not in good time
// the test fails, with the tails of the logs.
func Eventually(t testing.TB, what string, holds func() bool, logs ...*Log) {
	t.Helper()
	const (
		patience = 2 * time.Minute
		each     = 5 * time.Millisecond
	)
	deadline, tick := time.After(patience), time.NewTicker(each)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			for _, l := range logs {
				t.Log(l.Tail())
			}
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
