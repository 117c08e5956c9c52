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

// QueueState is how full one of a customer's queues is.
type QueueState struct {
	Pending   int // ready to be worked on
	Active    int // being worked on, by asynq's count
	Lost      int // of them those whose worker has died: asynq delivers them again once a server of the queue runs
	Scheduled int // that come back later
	Retry     int // that come back later after a failure or a wait
	Archived  int // dead letters
	Completed int // kept to be seen
	// Oldest is for how long the first of the pending ones has waited.
	Oldest time.Duration
	// Next is when the first of those comes back that come back later; zero
	// without any.
	Next time.Time
	// Paused is asynq's own pause, as by its web UI.
	Paused bool
}

// Later is how many tasks come back at a time of their own.
func (s QueueState) Later() int { return s.Scheduled + s.Retry }

// QueueStates is the state of a customer's queues.
type QueueStates struct{ Express, Normal, Large QueueState }

// all are the states in the order of QueueNames.
func (s QueueStates) all() []QueueState { return []QueueState{s.Express, s.Normal, s.Large} }

// Bulk is the state of the queues of large and of usual batches together.
func (s QueueStates) Bulk() QueueState { return s.Normal.with(s.Large) }

// ForgetLost takes tasks of dead workers for ones that are worked on.
func (s *QueueStates) ForgetLost() { s.Express.Lost, s.Normal.Lost, s.Large.Lost = 0, 0, 0 }

// Total is the state of all queues together. It is paused where one of them is.
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

// statePage is how many customers are asked for in one pipeline.
const statePage = 250

// ReadQueueStates reads the queues of customers, in their order: two pipelines for
// up to 250 of them. asynq's Inspector would sample the memory of each queue as well, some
// 200 commands; a test pins the keys that this reads instead, and it writes none.
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

// stateCommands ask for the state of one queue.
type stateCommands struct {
	queue                            string
	pending, active, scheduled, late *redis.IntCmd
	archived, completed              *redis.IntCmd
	paused                           *redis.IntCmd
	next                             [2]*redis.ZSliceCmd
	first, since                     *redis.StringCmd
	lost                             *redis.IntCmd
}

// lostAfter is for how long asynq's lease of a task is over when asynq takes it for lost.
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

// firstFailure is the first error of a pipeline that is more than a missing value.
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

// asynqKey is a key of one of asynq's queues.
func asynqKey(queue, name string) string { return "asynq:{" + queue + "}:" + name }

// Pending counts the tasks of customers, in their order, that are ready to be worked on.
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
