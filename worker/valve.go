package worker

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// valve is the Redis client of the asynq server of one queue. asynq asks for tasks
// in a loop, whatever happens. The valve makes it wait while no export could begin,
// or those in hand may need all calls that are left of the day, so that tasks stay in
// the queue rather than be taken and put off; and while the queue is empty, until
// something is heard of it.
type valve struct {
	ackGuard
	closure func() store.Closure
	short   func() bool   // the exports in hand may use all calls up
	longest time.Duration // between two looks at an empty queue
	stop    <-chan struct{}
	wakes   chan struct{}

	// Of the loop alone.
	empty, failed bool
}

const (
	// valveCheck is how soon asynq asks again after a queue was empty: the waiting is
	// the valve's.
	valveCheck = time.Millisecond
	// valveLook is when a closure is looked at again: it may end before its time.
	valveLook = 2 * time.Second
	// valveFault is when a Redis that fails is asked again.
	valveFault = 100 * time.Millisecond
)

// newValve returns the valve of one of the lane's queues.
func (l *lane) newValve(client redis.UniversalClient, queue string) *valve {
	kind := bulk
	if queue == tasks.ExpressQueue(l.conn.Customer) {
		kind = express
	}
	v := &valve{
		ackGuard: ackGuard{client}, closure: func() store.Closure { return l.closure(kind) },
		short:   func() bool { return l.short(kind) },
		longest: l.settings.Poll, stop: l.gate.draining.Done(), wakes: make(chan struct{}, 1),
	}
	l.valves = append(l.valves, v)
	return v
}

// wake tells the lane that there is work, or that it may go on.
func (l *lane) wake() {
	for _, v := range l.valves {
		v.wake()
	}
}

func (v *valve) wake() {
	select {
	case v.wakes <- struct{}{}:
	default: // it will look anyway
	}
}

// EvalSha runs an asynq script, the one that takes a task when it is time for it.
func (v *valve) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	switch {
	case takes(keys):
		return v.take(ctx, sha, keys, args...)
	case makesDue(keys):
		cmd := v.ackGuard.EvalSha(ctx, sha, keys, args...)
		if n, err := cmd.Int(); err == nil && n > 0 {
			v.wake()
		}
		return cmd
	default:
		return v.ackGuard.EvalSha(ctx, sha, keys, args...)
	}
}

// takes recognises asynq's script that takes a task from a queue: pending, paused,
// active, lease.
func takes(keys []string) bool {
	return len(keys) == 4 && strings.HasSuffix(keys[0], ":pending") && strings.HasSuffix(keys[1], ":paused")
}

// makesDue recognises asynq's script that moves tasks whose time has come.
func makesDue(keys []string) bool {
	return len(keys) == 2 && strings.HasSuffix(keys[1], ":pending")
}

func (v *valve) take(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	switch {
	case v.failed:
		v.wait(valveFault)
	case v.empty:
		v.wait(v.longest)
	}
	v.failed = false
	if c := v.closure(); !c.Open() {
		v.empty = false
		pause := valveLook
		if !c.Until.IsZero() {
			pause = min(pause, max(time.Until(c.Until), valveCheck))
		}
		v.wait(pause)
		return nothing(ctx)
	}
	if v.short() {
		v.empty = false
		v.wait(valveLook)
		return nothing(ctx)
	}
	select {
	case <-v.wakes: // what it told of is seen now
	default:
	}
	cmd := v.ackGuard.EvalSha(ctx, sha, keys, args...)
	err := cmd.Err()
	v.empty = errors.Is(err, redis.Nil)
	v.failed = err != nil && !v.empty && !redis.HasErrorPrefix(err, "NOSCRIPT")
	return cmd
}

func (v *valve) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-v.wakes:
	case <-v.stop:
	}
}

// nothing answers that the queue is empty.
func nothing(ctx context.Context) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(redis.Nil)
	return cmd
}
