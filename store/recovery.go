package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// KnowsCustomer reports whether a customer ever had a batch, a pause, a verification or a
// connection in the store.
func (l *Workers) KnowsCustomer(ctx context.Context, customer string) (bool, error) {
	var listed *redis.BoolCmd
	var connection *redis.IntCmd
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		listed = p.SIsMember(ctx, customersKey, customer)
		connection = p.Exists(ctx, connectionKey(customer), prefix(customer)+"errands:"+string(ControlVerify))
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("look for customer: %w", err)
	}
	return listed.Val() || connection.Val() > 0, nil
}

// Customers lists the customers that ever had a batch or a pause.
func (l *Workers) Customers(ctx context.Context) ([]string, error) {
	customers, err := l.redis.SMembers(ctx, customersKey).Result()
	if err != nil {
		return nil, fmt.Errorf("list customers: %w", err)
	}
	return customers, nil
}

// CountMoving counts the exports in progress of each customer, in the order given.
func (l *Recovery) CountMoving(ctx context.Context, customers ...string) ([]int64, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	counts := make([]*redis.IntCmd, len(customers))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range customers {
			counts[i] = p.ZCard(ctx, dueKey(c))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count live exports: %w", err)
	}
	live := make([]int64, len(customers))
	for i, n := range counts {
		live[i] = n.Val()
	}
	return live, nil
}

// Moving is an export in progress or a dead letter, with what its task contains.
type Moving struct {
	Ref
	State     State // empty: no record
	Batch     BatchID
	Row       int
	Candidate string
	Queue     QueueSize
	Token     int64 // of the last claim; 0: never claimed
	Lease     time.Time
	Due       time.Time
}

// Overdue lists up to n exports whose due time is before a time, longest overdue first.
func (l *Recovery) Overdue(ctx context.Context, customer string, before time.Time, n int) ([]Moving, error) {
	found, err := l.redis.ZRangeByScoreWithScores(ctx, dueKey(customer), &redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(before.UnixMilli(), 10), Count: int64(n)}).Result()
	if err != nil {
		return nil, fmt.Errorf("list live exports: %w", err)
	}
	return l.movingOf(ctx, customer, found)
}

func (l *base) movingOf(ctx context.Context, customer string, due []redis.Z) ([]Moving, error) {
	exports := make([]string, len(due))
	for i, z := range due {
		exports[i], _ = z.Member.(string)
	}
	live, err := l.Recovery.States(ctx, customer, exports)
	for i := range live {
		live[i].Due = time.UnixMilli(int64(due[i].Score))
	}
	return live, err
}

// CountFresh counts exports that were just accepted and may have no task yet: their first check is
// due within firstLook.
func (l *Recovery) CountFresh(ctx context.Context, customer string, now time.Time) (int64, error) {
	from, to := strconv.FormatInt(now.UnixMilli(), 10), strconv.FormatInt(now.Add(firstLook).UnixMilli(), 10)
	n, err := l.redis.ZCount(ctx, dueKey(customer), from, to).Result()
	return n, wrapped("count exports", err)
}

// Begun lists up to n exports that should have continued before a time: those that have started to
// write, and those whose claim has expired. They are listed again after a minute.
func (l *Recovery) Begun(ctx context.Context, customer string, before time.Time, n int) ([]Moving, error) {
	found, err := l.redis.ZRangeByScoreWithScores(ctx, begunKey(customer), &redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(before.UnixMilli(), 10), Count: int64(n)}).Result()
	if err != nil || len(found) == 0 {
		return nil, wrapped("list started exports", err)
	}
	later := make([]redis.Z, len(found))
	for i, z := range found {
		later[i] = redis.Z{Score: float64(before.Add(time.Minute).UnixMilli()), Member: z.Member}
	}
	if err := l.redis.ZAddArgs(ctx, begunKey(customer), redis.ZAddArgs{XX: true, Members: later}).Err(); err != nil {
		return nil, fmt.Errorf("list started exports: %w", err)
	}
	return l.movingOf(ctx, customer, found)
}

// TakeOver deletes the keys of the queue of earlier versions, and lists the pauses they recorded.
func (l *Recovery) TakeOver(ctx context.Context, customers ...string) error {
	paused := make([]*redis.IntCmd, len(customers))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range customers {
			p.Unlink(ctx, prefix(c)+"turns")
			p.Unlink(ctx, prefix(c)+"back")
			paused[i] = p.Exists(ctx, pauseKey(c))
		}
		return nil
	})
	for i, c := range customers {
		if err == nil && paused[i].Val() == 1 {
			err = l.redis.SAdd(ctx, pausedKey, c).Err()
		}
	}
	return wrapped("take over from an earlier version", err)
}

// EachOverdue calls visit with all exports whose due time is before a time, longest overdue first,
// up to `page` at a time.
func (l *Recovery) EachOverdue(ctx context.Context, customer string, before time.Time, page int, visit func([]Moving) error) error {
	err := l.eachScored(ctx, dueKey(customer), strconv.FormatInt(before.UnixMilli(), 10), page, func(due []redis.Z) error {
		live, err := l.movingOf(ctx, customer, due)
		if err != nil {
			return err
		}
		return visit(live)
	})
	return wrapped("list live exports", err)
}

// States reads the states of exports. State is empty for an export without a record.
func (l *Recovery) States(ctx context.Context, customer string, exports []string) ([]Moving, error) {
	if len(exports) == 0 {
		return nil, nil
	}
	records := make([]*redis.SliceCmd, len(exports))
	var due *redis.FloatSliceCmd
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		due = p.ZMScore(ctx, dueKey(customer), exports...)
		for i, id := range exports {
			records[i] = p.HMGet(ctx, recordKey(customer, id), "st", "le", "b", "r", "c", "queue", "tk")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read live exports: %w", err)
	}
	list := make([]Moving, len(exports))
	for i, id := range exports {
		r := records[i].Val()
		list[i] = Moving{Ref: Ref{customer, id}}
		if at := due.Val(); len(at) == len(exports) && at[i] > 0 {
			list[i].Due = time.UnixMilli(int64(at[i]))
		}
		if len(r) == 7 {
			list[i].State, list[i].Lease, list[i].Batch = State(text(r[0])), millis(text(r[1])), BatchID(customer+"-"+text(r[2]))
			list[i].Row, list[i].Candidate, list[i].Queue, list[i].Token = int(number(text(r[3]))), text(r[4]), QueueSize(text(r[5])), number(text(r[6]))
		}
	}
	return list, nil
}

// Recheck postpones the next check of exports that need no repair.
func (l *Recovery) Recheck(ctx context.Context, customer string, exports []string, at time.Time) error {
	if len(exports) == 0 {
		return nil
	}
	members := make([]redis.Z, len(exports))
	for i, e := range exports {
		members[i] = redis.Z{Score: float64(at.UnixMilli()), Member: e}
	}
	// XX and GT: never restore a finished export, nor undo a later update.
	err := l.redis.ZAddArgs(ctx, dueKey(customer), redis.ZAddArgs{XX: true, GT: true, Members: members}).Err()
	if err != nil {
		return fmt.Errorf("postpone: %w", err)
	}
	return nil
}
