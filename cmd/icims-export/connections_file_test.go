package main

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/internal/testrig"
)

// fileRig edits a connections file and reads it as the API does.
type fileRig struct {
	*bench
	t     *testing.T
	filed *fileConnections
	log   bytes.Buffer
	now   *testrig.Clock
	reads int
}

func newFileRig(t *testing.T) *fileRig {
	t.Helper()
	r := &fileRig{bench: newBench(t), t: t, now: testrig.NewClock()}
	p := &process{lookupEnv: os.LookupEnv}
	p.settings.Connections, p.settings.IcimsHosts = r.connections, []string{r.origin}
	r.filed = p.filed(zerolog.New(&r.log))
	r.filed.now = r.now.Now
	read := r.filed.read
	r.filed.read = func() (connections, error) { r.reads++; return read() }
	return r
}

// write writes the file and waits for the given time.
func (r *fileRig) write(text string, rests time.Duration) {
	r.t.Helper()
	r.file(r.t, "connections.yml", text)
	if err := os.Chtimes(r.connections, time.Time{}, r.now.Now()); err != nil {
		r.t.Fatal(err)
	}
	r.now.Pass(rests)
}

// shows checks the shown customers, and how often the file was read.
func (r *fileRig) shows(when string, reads int, want ...string) {
	r.t.Helper()
	got := slices.Sorted(maps.Keys(r.filed.usable()))
	if diff := cmp.Diff(want, got); diff != "" || r.reads != reads {
		r.t.Errorf("%s: %v after %d readings, want %v after %d", when, got, r.reads, want, reads)
	}
}

func TestChangedConnectionsFileIsReloaded(t *testing.T) {
	t.Parallel()
	r := newFileRig(t)
	one := r.connection("TEST_ICIMS_PASSWORD")
	entry := strings.TrimPrefix(one, "connections:\n")
	two := one + strings.ReplaceAll(entry, "1234", "77")
	r.write(one, 0)
	r.shows("at first, however new it is", 1, "1234")
	r.shows("unchanged", 1, "1234")
	r.write(two, time.Hour)
	r.shows("with another", 2, "1234", "77")
	r.shows("unchanged again", 2, "1234", "77")
	r.write(one, restTime-time.Millisecond)
	r.shows("while it may be half written", 2, "1234", "77")
	r.now.Pass(time.Millisecond)
	r.shows("once it rests", 3, "1234")
	r.filed.again()
	r.shows("when it is asked for", 4, "1234")
	if r.log.Len() > 0 {
		t.Errorf("the log: %s", &r.log)
	}
}

func TestUnreadableConnectionsFileChangesNothing(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"broken off": "connections: [", "empty": "", "without a usable connection": "connections:\n  - customer: \"1234\"\n", "gone": "-",
	} {
		t.Run(name, func(t *testing.T) {
			r := newFileRig(t)
			good := r.connection("TEST_ICIMS_PASSWORD")
			r.write(good, time.Hour)
			r.shows("before", 1, "1234")
			r.write(text, time.Hour)
			if text == "-" {
				if err := os.Remove(r.connections); err != nil {
					t.Fatal(err)
				}
			}
			r.shows("then", 2, "1234")
			r.shows("asked again", 2, "1234")
			if log := r.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "is invalid") || strings.Contains(log, testPassword) {
				t.Errorf("the log: %s", log)
			}
			r.write(good+strings.ReplaceAll(strings.TrimPrefix(good, "connections:\n"), "1234", "77"), time.Hour)
			r.shows("once it is good", 3, "1234", "77")
		})
	}
}
