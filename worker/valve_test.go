package worker

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
)

// queue stands for a Redis with one queue.
type queue struct {
	redis.UniversalClient
	asked atomic.Int64
	tasks atomic.Int64
	fails atomic.Bool
}

func (q *queue) EvalSha(ctx context.Context, _ string, keys []string, _ ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	switch {
	case len(keys) == 2: // makes two tasks due
		q.tasks.Add(2)
		cmd.SetVal(int64(2))
	case q.fails.Load():
		q.asked.Add(1)
		cmd.SetErr(io.ErrUnexpectedEOF)
	case q.tasks.Load() == 0:
		q.asked.Add(1)
		cmd.SetErr(redis.Nil)
	default:
		q.asked.Add(1)
		q.tasks.Add(-1)
		cmd.SetVal("a task")
	}
	return cmd
}

// loop takes tasks as asynq does, and returns when the valve's lane closes.
func loop(v *valve, taken chan<- time.Time) {
	for {
		select {
		case <-v.stop:
			return
		default:
		}
		err := v.EvalSha(context.Background(), "", []string{"q:pending", "q:paused", "q:active", "q:lease"}).Err()
		switch {
		case err == nil:
			taken <- time.Now()
		case errors.Is(err, redis.Nil):
			time.Sleep(valveCheck)
		}
	}
}

func TestValve(t *testing.T) {
	rig := func(t *testing.T, test func(t *testing.T, v *valve, q *queue, closed *atomic.Pointer[store.Closure], taken <-chan time.Time)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			q, stop, taken := &queue{}, make(chan struct{}), make(chan time.Time, 100)
			var closed atomic.Pointer[store.Closure]
			v := &valve{
				short: func() bool { return false }, ackGuard: ackGuard{q}, longest: 2 * time.Second, stop: stop, wakes: make(chan struct{}, 1),
				closure: func() store.Closure {
					if c := closed.Load(); c != nil {
						return c.At(time.Now())
					}
					return store.Closure{}
				},
			}
			ended := make(chan struct{})
			go func() { loop(v, taken); close(ended) }()
			test(t, v, q, &closed, taken)
			start := time.Now()
			close(stop)
			<-ended
			if d := time.Since(start); d > valveCheck {
				t.Errorf("the lane closed after %s", d)
			}
		})
	}

	t.Run("an empty queue of which nothing is heard is asked every two seconds", func(t *testing.T) {
		rig(t, func(t *testing.T, _ *valve, q *queue, _ *atomic.Pointer[store.Closure], _ <-chan time.Time) {
			time.Sleep(time.Minute)
			if n := q.asked.Load(); n < 29 || n > 31 {
				t.Errorf("asked %d times in a minute", n)
			}
		})
	})
	t.Run("a task that is announced is taken at once", func(t *testing.T) {
		rig(t, func(t *testing.T, v *valve, q *queue, _ *atomic.Pointer[store.Closure], taken <-chan time.Time) {
			time.Sleep(3 * time.Second)
			q.tasks.Add(1)
			announced := time.Now()
			v.wake()
			if d := (<-taken).Sub(announced); d > 0 {
				t.Errorf("taken after %s", d)
			}
		})
	})
	t.Run("a task whose time has come is taken at once", func(t *testing.T) {
		rig(t, func(t *testing.T, v *valve, _ *queue, _ *atomic.Pointer[store.Closure], taken <-chan time.Time) {
			time.Sleep(3 * time.Second)
			due := time.Now()
			v.EvalSha(t.Context(), "", []string{"q:scheduled", "q:pending"})
			<-taken
			if d := (<-taken).Sub(due); d > 0 {
				t.Errorf("taken after %s", d)
			}
		})
	})
	t.Run("while it is closed no task is taken, nor Redis asked", func(t *testing.T) {
		rig(t, func(t *testing.T, v *valve, q *queue, closed *atomic.Pointer[store.Closure], taken <-chan time.Time) {
			synctest.Wait()
			until := time.Now().Add(time.Hour)
			closed.Store(&store.Closure{Reason: store.ReasonBreakerOpen, Until: until})
			before := q.asked.Load()
			q.tasks.Add(1)
			v.wake()
			at := <-taken
			synctest.Wait() // it asks for another one
			if at.Before(until) || at.Sub(until) > 10*time.Millisecond || q.asked.Load() != before+2 {
				t.Errorf("taken %s after the end, with %d questions", at.Sub(until), q.asked.Load()-before)
			}
		})
	})
	t.Run("one that opens before its time is noticed when it is told", func(t *testing.T) {
		rig(t, func(t *testing.T, v *valve, q *queue, closed *atomic.Pointer[store.Closure], taken <-chan time.Time) {
			closed.Store(&store.Closure{Reason: store.ReasonPaused})
			q.tasks.Add(1)
			time.Sleep(time.Hour)
			closed.Store(nil)
			opened := time.Now()
			v.wake()
			if d := (<-taken).Sub(opened); d > 2*valveCheck {
				t.Errorf("taken after %s", d)
			}
		})
	})
	t.Run("a Redis that fails is not asked without a pause", func(t *testing.T) {
		rig(t, func(t *testing.T, _ *valve, q *queue, _ *atomic.Pointer[store.Closure], _ <-chan time.Time) {
			synctest.Wait()
			q.fails.Store(true)
			time.Sleep(time.Minute)
			if n := q.asked.Load(); n > 650 {
				t.Errorf("asked %d times in a minute", n)
			}
		})
	})
}
