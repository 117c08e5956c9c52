package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// KnowsCustomer reports whether a customer ever had a batch, a pause, a verification or a connection
// in the store.
func (l *Ledger) KnowsCustomer(ctx context.Context, customer string) (bool, error) {
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
func (l *Ledger) Customers(ctx context.Context) ([]string, error) {
	customers, err := l.redis.SMembers(ctx, customersKey).Result()
	if err != nil {
		return nil, fmt.Errorf("list customers: %w", err)
	}
	return customers, nil
}

// Moves count a customer's moving exports by when they are to be looked at.
type Moves struct{ Late, Soon int64 }

// Glance counts the exports of customers, in their order, that were to be looked
// at before a time (Late), and those that are to be within a span (Soon): among
// these are all that workers hold.
func (l *Ledger) Glance(ctx context.Context, late, from, to time.Time, customers ...string) ([]Moves, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	counts := make([][2]*redis.IntCmd, len(customers))
	ms := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range customers {
			counts[i] = [2]*redis.IntCmd{p.ZCount(ctx, dueKey(c), "-inf", ms(late)), p.ZCount(ctx, dueKey(c), ms(from), ms(to))}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count moving exports: %w", err)
	}
	moves := make([]Moves, len(customers))
	for i, n := range counts {
		moves[i] = Moves{Late: n[0].Val(), Soon: n[1].Val()}
	}
	return moves, nil
}

// CountMoving counts the moving exports of customers, in their order.
func (l *Ledger) CountMoving(ctx context.Context, customers ...string) ([]int64, error) {
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
		return nil, fmt.Errorf("count moving exports: %w", err)
	}
	moving := make([]int64, len(customers))
	for i, n := range counts {
		moving[i] = n.Val()
	}
	return moving, nil
}

// Moving is an export as the reconciler sees it.
type Moving struct {
	Ref
	State      State // empty: the record is gone
	Worker     string
	Lease      time.Time
	Generation int
	Due        time.Time
	// TaskUsed tells that the export's task has served another one, as a turn.
	TaskUsed bool

	batch string
	row   int64
}

// Working reports whether some worker holds the export.
func (m Moving) Working() bool {
	return m.State == Claimed || m.State == Creating || m.State == Created || m.State == Placing
}

// Overdue lists up to n moving exports that were to be looked at before a time,
// the longest overdue first.
func (l *Ledger) Overdue(ctx context.Context, customer string, before time.Time, n int) ([]Moving, error) {
	return l.moving(ctx, customer, l.redis.ZRangeByScoreWithScores, "-inf", strconv.FormatInt(before.UnixMilli(), 10), n)
}

// Upcoming lists up to n moving exports that are to be looked at within a span
// from now, the last ones first: among them are all that workers hold, most of
// them behind those that were just accepted.
func (l *Ledger) Upcoming(ctx context.Context, customer string, from, to time.Time, n int) ([]Moving, error) {
	return l.moving(ctx, customer, l.redis.ZRevRangeByScoreWithScores, strconv.FormatInt(from.UnixMilli(), 10), strconv.FormatInt(to.UnixMilli(), 10), n)
}

// ranging lists part of a sorted set, from one end or the other.
type ranging func(ctx context.Context, key string, by *redis.ZRangeBy) *redis.ZSliceCmd

func (l *Ledger) moving(ctx context.Context, customer string, list ranging, from, to string, n int) ([]Moving, error) {
	found, err := list(ctx, dueKey(customer), &redis.ZRangeBy{Min: from, Max: to, Count: int64(n)}).Result()
	if err != nil {
		return nil, fmt.Errorf("list moving exports: %w", err)
	}
	return l.movingOf(ctx, customer, found)
}

func (l *Ledger) movingOf(ctx context.Context, customer string, due []redis.Z) ([]Moving, error) {
	exports := make([]string, len(due))
	for i, z := range due {
		exports[i], _ = z.Member.(string)
	}
	moving, err := l.Stand(ctx, customer, exports)
	for i := range moving {
		moving[i].Due = time.UnixMilli(int64(due[i].Score))
	}
	return moving, err
}

// EachOverdue calls visit with all moving exports that were to be looked at before a time,
// the longest overdue first, a page of so many at a time.
func (l *Ledger) EachOverdue(ctx context.Context, customer string, before time.Time, page int, visit func([]Moving) error) error {
	err := l.eachScored(ctx, dueKey(customer), strconv.FormatInt(before.UnixMilli(), 10), page, func(due []redis.Z) error {
		moving, err := l.movingOf(ctx, customer, due)
		if err != nil {
			return err
		}
		return visit(moving)
	})
	return wrapped("list moving exports", err)
}

// Stand reads where exports stand, without Due. The State of one whose record is
// gone is empty.
func (l *Ledger) Stand(ctx context.Context, customer string, exports []string) ([]Moving, error) {
	if len(exports) == 0 {
		return nil, nil
	}
	records := make([]*redis.SliceCmd, len(exports))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range exports {
			records[i] = p.HMGet(ctx, recordKey(customer, id), "st", "wk", "le", "g", "b", "r", "u")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read moving exports: %w", err)
	}
	list := make([]Moving, len(exports))
	for i, id := range exports {
		r := records[i].Val()
		list[i] = Moving{Ref: Ref{customer, id}}
		if len(r) == 7 {
			list[i].State, list[i].Worker, list[i].Lease = State(text(r[0])), text(r[1]), millis(text(r[2]))
			list[i].Generation = int(number(text(r[3])))
			list[i].batch, list[i].row, list[i].TaskUsed = text(r[4]), number(text(r[5])), text(r[6]) != ""
		}
	}
	return list, nil
}

// LookAgain puts off when the exports are looked at next: all is well with them.
func (l *Ledger) LookAgain(ctx context.Context, customer string, exports []string, at time.Time) error {
	if len(exports) == 0 {
		return nil
	}
	members := make([]redis.Z, len(exports))
	for i, e := range exports {
		members[i] = redis.Z{Score: float64(at.UnixMilli()), Member: e}
	}
	// XX and GT: never bring back what has ended, nor undo what happened since.
	err := l.redis.ZAddArgs(ctx, dueKey(customer), redis.ZAddArgs{XX: true, GT: true, Members: members}).Err()
	if err != nil {
		return fmt.Errorf("put off: %w", err)
	}
	return nil
}

// Nudge notes that an export is given another task, and returns its generation.
// It returns false for an export that has ended meanwhile, and for one that a worker
// holds: that one is looked at again when its lease ends.
func (l *Ledger) Nudge(ctx context.Context, ref Ref, again time.Duration) (generation int, ok bool, err error) {
	n, err := nudgeScript.of(l).Run(ctx, l.redis, []string{recordKey(ref.Customer, ref.Export)},
		prefix(ref.Customer), ref.Export, again.Milliseconds()).Int()
	if err != nil {
		return 0, false, fmt.Errorf("nudge: %w", err)
	}
	return n, n >= 0, nil
}

// Void ends the lease that a dead worker has on an export. It returns false
// where the export is not in that worker's hands any more.
func (l *Ledger) Void(ctx context.Context, ref Ref, worker string) (bool, error) {
	n, err := voidScript.of(l).Run(ctx, l.redis, []string{recordKey(ref.Customer, ref.Export)},
		prefix(ref.Customer), ref.Export, worker).Int()
	if err != nil {
		return false, fmt.Errorf("void lease: %w", err)
	}
	return n == 1, nil
}
