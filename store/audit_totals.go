package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// totals compares the customer's counters with the batches, all read in one
// transaction, so that they agree at any moment.
func (a *auditor) totals(ctx context.Context) error {
	var locals []string
	for {
		var counters *redis.SliceCmd
		var due, dead *redis.IntCmd
		var listed, tests *redis.StringSliceCmd
		sums := make([]*redis.SliceCmd, len(locals))
		_, err := a.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
			counters = p.HMGet(ctx, countersKey(a.customer), "live", "illegal")
			due, dead = p.ZCard(ctx, dueKey(a.customer)), p.ZCard(ctx, deadKey(a.customer))
			listed, tests = p.ZRange(ctx, batchesKey(a.customer), 0, -1), p.ZRange(ctx, testsKey(a.customer), 0, -1)
			for i, local := range locals {
				sums[i] = p.HMGet(ctx, batchKey(BatchID(a.customer+"-"+local)), countFields...)
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("read counters: %w", err)
		}
		all := slices.Concat(listed.Val(), tests.Val())
		if slices.Equal(locals, all) {
			a.compareTotals(counters.Val(), due.Val(), dead.Val(), sums)
			return nil
		}
		locals = all // a batch has been opened since
	}
}

func (a *auditor) compareTotals(counters []any, due, dead int64, sums []*redis.SliceCmd) {
	moving, died := 0, 0
	for _, s := range sums {
		c := readCounts(s.Val())
		moving += c.moving()
		died += c.dead
	}
	if live := int(number(text(counters[0]))); live != moving {
		a.violatef(ViolationLive, "", "", "The counter of moving exports says %d, but by their counts the batches have %d.", live, moving)
	}
	if n := int(due); n != moving {
		a.violatef(ViolationDueCount, "", "", "%d exports have a time at which they go on, but by their counts the batches have %d that move.", n, moving)
	}
	if n := int(dead); n != died {
		a.violatef(ViolationDeadCount, "", "", "%d exports are listed as dead letters, but by their counts the batches have %d.", n, died)
	}
	if n := number(text(counters[1])); n != 0 {
		a.violatef(ViolationIllegalMoves, "", "", "%d moves were asked for that the state machine lacks, which shows a bug; they were refused.", n)
	}
}

var countFields = []string{"accepted", "n:created", "n:updated", "n:skipped", "n:dead", "n:cancelled", "opened"}

// counts are the counters of a batch.
type counts struct {
	accepted, created, updated, skipped, dead, cancelled int
	opened                                               time.Time
	exists                                               bool
}

func (c counts) moving() int {
	return c.accepted - c.created - c.updated - c.skipped - c.dead - c.cancelled
}

func readCounts(v []any) counts {
	if len(v) != len(countFields) {
		return counts{}
	}
	n := func(i int) int { return int(number(text(v[i]))) }
	return counts{n(0), n(1), n(2), n(3), n(4), n(5), millis(text(v[6])), text(v[6]) != ""}
}

// lists looks for entries of the two lists of exports that nothing stands behind.
func (a *auditor) lists(ctx context.Context) error {
	check := func(ids []string) error {
		list, err := a.look(ctx, "", ids)
		if err != nil {
			return err
		}
		for _, f := range list {
			batch := BatchID("")
			if f.batch != "" {
				batch = BatchID(a.customer + "-" + f.batch)
			}
			if !f.due.IsZero() && !f.moving() {
				a.violatef(ViolationDueStray, batch, f.export, "The export is to go on some time, but %s.", standing(f.state))
			}
			if f.dead && f.state != Dead {
				a.violatef(ViolationDeadStray, batch, f.export, "The export is listed as a dead letter, but %s.", standing(f.state))
			}
		}
		return nil
	}
	for _, key := range []string{dueKey(a.customer), deadKey(a.customer)} {
		var cursor uint64
		for {
			// Members and scores in turn.
			page, next, err := a.redis.ZScan(ctx, key, cursor, "", auditPage).Result()
			if err != nil {
				return fmt.Errorf("list %s: %w", key, err)
			}
			var ids []string
			for i := 0; i < len(page); i += 2 {
				ids = append(ids, page[i])
			}
			if len(ids) > 0 {
				if err := check(ids); err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	return nil
}

func standing(s State) string {
	if s == "" {
		return "there is no record of it"
	}
	return "it is " + string(s)
}
