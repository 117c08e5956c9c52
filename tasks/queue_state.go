package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// QueueState is the state of one of a customer's queues.
type QueueState struct {
	Pending   int // ready to run
	Active    int // running, according to asynq
	Lost      int // part of Active whose worker crashed: asynq retries them once a server of the queue runs
	Scheduled int // waiting for a time
	Retry     int // waiting for a time after a failure or deferral
	Archived  int // dead letters
	Completed int // kept for display
	// Oldest is how long the first pending task has waited.
	Oldest time.Duration
	// Next is when the first scheduled or retrying task is due; zero if there is none.
	Next time.Time
	// Paused is asynq's own pause, as shown in its web UI.
	Paused bool
}

// Later returns how many tasks wait for a time.
func (s QueueState) Later() int { return s.Scheduled + s.Retry }

// QueueStates holds the states of a customer's queues.
type QueueStates struct{ Express, Normal, Large QueueState }

// all returns the states in the order of QueueNames.
func (s QueueStates) all() []QueueState { return []QueueState{s.Express, s.Normal, s.Large} }

// Bulk returns the combined state of the normal and the large queue.
func (s QueueStates) Bulk() QueueState { return s.Normal.with(s.Large) }

// ForgetLost counts the tasks of crashed workers as running.
func (s *QueueStates) ForgetLost() { s.Express.Lost, s.Normal.Lost, s.Large.Lost = 0, 0, 0 }

// Total returns the combined state of all queues. It is paused if any of them is.
func (s QueueStates) Total() QueueState { return s.Express.with(s.Bulk()) }

func (s QueueState) with(o QueueState) QueueState {
	sum := QueueState{
		Pending: s.Pending + o.Pending, Active: s.Active + o.Active, Lost: s.Lost + o.Lost, Scheduled: s.Scheduled + o.Scheduled, Retry: s.Retry + o.Retry,
		Archived: s.Archived + o.Archived, Completed: s.Completed + o.Completed,
		Oldest: max(s.Oldest, o.Oldest), Next: s.Next, Paused: s.Paused || o.Paused,
	}
	if sum.Next.IsZero() || !o.Next.IsZero() && o.Next.Before(sum.Next) {
		sum.Next = o.Next
	}
	return sum
}

// statePage is how many customers one pipeline reads.
const statePage = 250

// ReadQueueStates reads the queues of customers, in the order given, with two pipelines per 250
// customers. asynq's Inspector would also sample the memory of each queue, about 200 commands. A
// test checks the keys read instead.
func ReadQueueStates(ctx context.Context, client redis.UniversalClient, customers ...string) ([]QueueStates, error) {
	all := make([]QueueStates, 0, len(customers))
	for page := range slices.Chunk(customers, statePage) {
		states, err := readQueueStates(ctx, client, page)
		if err != nil {
			return nil, fmt.Errorf("read queues: %w", err)
		}
		all = append(all, states...)
	}
	return all, nil
}

// stateCommands are the commands that read the state of one queue.
type stateCommands struct {
	queue                            string
	pending, active, scheduled, late *redis.IntCmd
	archived, completed              *redis.IntCmd
	paused                           *redis.IntCmd
	next                             [2]*redis.ZSliceCmd
	first, since                     *redis.StringCmd
	lost                             *redis.IntCmd
}

// lostAfter is how long after the end of its lease asynq considers a task lost.
const lostAfter = 30 * time.Second

func readQueueStates(ctx context.Context, client redis.UniversalClient, customers []string) ([]QueueStates, error) {
	asked := make([]stateCommands, 0, len(sizes)*len(customers))
	commands, _ := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, customer := range customers {
			for _, q := range QueueNames(customer) {
				asked = append(asked, stateCommands{
					queue:   q,
					pending: p.LLen(ctx, asynqKey(q, "pending")), active: p.LLen(ctx, asynqKey(q, "active")),
					scheduled: p.ZCard(ctx, asynqKey(q, "scheduled")), late: p.ZCard(ctx, asynqKey(q, "retry")),
					archived: p.ZCard(ctx, asynqKey(q, "archived")), completed: p.ZCard(ctx, asynqKey(q, "completed")),
					paused: p.Exists(ctx, asynqKey(q, "paused")),
					next: [2]*redis.ZSliceCmd{
						p.ZRangeWithScores(ctx, asynqKey(q, "scheduled"), 0, 0), p.ZRangeWithScores(ctx, asynqKey(q, "retry"), 0, 0),
					},
					first: p.LIndex(ctx, asynqKey(q, "pending"), -1),
				})
			}
		}
		return nil
	})
	if err := firstFailure(commands); err != nil {
		return nil, err
	}
	now := time.Now()
	commands, _ = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range asked {
			if asked[i].active.Val() > 0 {
				asked[i].lost = p.ZCount(ctx, asynqKey(asked[i].queue, "lease"), "-inf", strconv.FormatInt(now.Add(-lostAfter).Unix(), 10))
			}
			if id := asked[i].first.Val(); id != "" {
				asked[i].since = p.HGet(ctx, asynqKey(asked[i].queue, "t:"+id), "pending_since")
			}
		}
		return nil
	})
	if err := firstFailure(commands); err != nil {
		return nil, err
	}
	states := make([]QueueStates, len(customers))
	for i := range states {
		own := asked[len(sizes)*i:]
		states[i] = QueueStates{Express: own[0].state(now), Normal: own[1].state(now), Large: own[2].state(now)}
	}
	return states, nil
}

// firstFailure returns the first error of a pipeline other than a missing value.
func firstFailure(commands []redis.Cmder) error {
	for _, c := range commands {
		if err := c.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	return nil
}

func (c stateCommands) state(now time.Time) QueueState {
	s := QueueState{
		Pending: int(c.pending.Val()), Active: int(c.active.Val()), Scheduled: int(c.scheduled.Val()), Retry: int(c.late.Val()),
		Archived: int(c.archived.Val()), Completed: int(c.completed.Val()), Paused: c.paused.Val() == 1,
	}
	for _, next := range c.next {
		for _, z := range next.Val() {
			if at := time.Unix(int64(z.Score), 0); s.Next.IsZero() || at.Before(s.Next) {
				s.Next = at
			}
		}
	}
	if c.lost != nil {
		s.Lost = int(c.lost.Val())
	}
	if c.since != nil {
		if since, err := c.since.Int64(); err == nil && since > 0 {
			s.Oldest = max(now.Sub(time.Unix(0, since)), 0)
		}
	}
	return s
}

// asynqKey returns a key of one of asynq's queues.
func asynqKey(queue, name string) string { return "asynq:{" + queue + "}:" + name }

// Pending counts the pending tasks of each customer, in the order given.
func Pending(ctx context.Context, client redis.UniversalClient, customers ...string) ([]int, error) {
	counts := make([]int, 0, len(customers))
	for page := range slices.Chunk(customers, statePage) {
		lengths := make([]*redis.IntCmd, 0, len(sizes)*len(page))
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, customer := range page {
				for _, q := range QueueNames(customer) {
					lengths = append(lengths, p.LLen(ctx, asynqKey(q, "pending")))
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("count pending tasks: %w", err)
		}
		for own := range slices.Chunk(lengths, len(sizes)) {
			sum := 0
			for _, n := range own {
				sum += int(n.Val())
			}
			counts = append(counts, sum)
		}
	}
	return counts, nil
}
