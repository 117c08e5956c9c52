package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seekout/icims-export/store"
)

func TestWriteProbeWritesOnceASecondAtMost(t *testing.T) {
	t.Parallel()
	var looks, passed atomic.Int64
	begin, broken := time.Now(), errors.New("broken")
	probe := store.NewWriteProbe(func(ctx context.Context) error {
		if looks.Add(1) == 1 {
			return ctx.Err()
		}
		return broken
	}, func() time.Time { return begin.Add(time.Duration(passed.Load())) })
	ask := func(want error) {
		t.Helper()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if err := probe.Look(gone); !errors.Is(err, want) {
					t.Errorf("it found %v, want %v", err, want)
				}
			})
		}
		callers.Wait()
	}
	ask(nil)
	passed.Store(int64(time.Second - 1))
	ask(nil)
	passed.Store(int64(time.Second))
	ask(broken)
	if n := looks.Load(); n != 2 {
		t.Errorf("it looked %d times", n)
	}
}
