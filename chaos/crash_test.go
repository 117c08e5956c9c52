package chaos_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// loseLastSecond makes each kill of Redis simulate a crash of its machine: the last second of the
// append-only file is lost, as appendfsync everysec allows. A killed process alone loses nothing it
// has written. The run then reports lost and duplicate records, and does not fail for them.
var loseLastSecond = os.Getenv("CHAOS_LOSE_SECOND") != ""

// appendOnlyFile samples the size of the newest part of the file.
type appendOnlyFile struct {
	dir     string
	samples []sample // the last seconds, oldest first
}

type sample struct {
	at   time.Time
	path string
	size int64
}

func newAppendOnlyFile(t *testing.T, client redis.UniversalClient) *appendOnlyFile {
	t.Helper()
	answer, err := client.ConfigGet(context.Background(), "dir").Result()
	if err != nil {
		t.Fatal(err)
	}
	return &appendOnlyFile{dir: filepath.Join(answer["dir"], "appendonlydir")}
}

// look adds a sample.
func (f *appendOnlyFile) look() {
	paths, err := filepath.Glob(filepath.Join(f.dir, "*.incr.aof"))
	if err != nil || len(paths) != 1 {
		f.samples = nil // being rewritten
		return
	}
	info, err := os.Stat(paths[0])
	if err != nil {
		return
	}
	f.samples = append(f.samples, sample{time.Now(), paths[0], info.Size()})
	if len(f.samples) > 20 {
		f.samples = f.samples[1:]
	}
}

// cut removes what was written in the last second. Redis must be dead.
func (f *appendOnlyFile) cut(t *testing.T) (lost int64) {
	t.Helper()
	for _, s := range slices.Backward(f.samples) {
		if time.Since(s.at) < time.Second {
			continue
		}
		info, err := os.Stat(s.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(s.path, s.size); err != nil {
			t.Fatal(err)
		}
		f.samples = nil
		return info.Size() - s.size
	}
	return 0
}
