package testrig

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// Log stores log lines. It is safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds a line.
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

// Tail returns the last lines, to print with a failure.
func (l *Log) Tail() string {
	const shown = 30
	lines := strings.Split(l.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-shown):], "\n")
}

// Count returns how many lines have the message.
func (l *Log) Count(message string) int { return strings.Count(l.String(), `"`+message+`"`) }

// Eventually polls until the condition holds. If it does not in time, the test fails with the tails
// of the logs.
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
