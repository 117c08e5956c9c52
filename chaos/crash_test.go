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

// loseLastSecond makes each kill of Redis a crash of its machine: what was
// written to the append-only file in the last second is lost, as appendfsync
// everysec allows. A killed process alone loses nothing that it has written. The
// run then tells what was lost and doubled, and does not fail for it.
var loseLastSecond = os.Getenv("CHAOS_LOSE_SECOND") != ""

// appendOnlyFile watches how the newest part of the file grows.
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

// look notes the size.
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

// cut drops what was written after a second ago. Redis must be dead.
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
