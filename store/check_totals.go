package store

import (
	"context"
	"fmt"
	"time"
)

var totalsScript = loadFleetScript("totals")

// totals compares the customer's counters with the sum over its batches. One script adds them up,
// so they must agree exactly at any time.
func (a *auditor) totals(ctx context.Context) error {
	answer, err := a.run(ctx, totalsScript, countersKey(a.customer), prefix(a.customer))
	if err != nil {
		return fmt.Errorf("add up batches: %w", err)
	}
	n := func(i int) int64 { return number(text(answer[i])) }
	live, illegal, due, dead, liveByBatch, died := n(0), n(1), n(2), n(3), n(4), n(5)
	if live != liveByBatch {
		a.violatef(ViolationLive, "", "", "The counter of live exports is %d, but the batches count %d.", live, liveByBatch)
	}
	if due != liveByBatch {
		a.violatef(ViolationDueCount, "", "", "%d exports are scheduled, but the batches count %d live ones.", due, liveByBatch)
	}
	if dead != died {
		a.violatef(ViolationDeadCount, "", "", "%d exports are listed as dead letters, but the batches count %d.", dead, died)
	}
	if illegal != 0 {
		a.violatef(ViolationIllegalMoves, "", "", "%d illegal state transitions were refused, which indicates a bug.", illegal)
	}
	return nil
}

var countFields = []string{"accepted", "n:created", "n:updated", "n:skipped", "n:dead", "n:cancelled", "opened"}

// counts are the counters of a batch.
type counts struct {
	accepted, created, updated, skipped, dead, cancelled int
	opened                                               time.Time
	exists                                               bool
}

func (c counts) inProgress() int {
	return c.accepted - c.created - c.updated - c.skipped - c.dead - c.cancelled
}

func readCounts(v []any) counts {
	if len(v) != len(countFields) {
		return counts{}
	}
	n := func(i int) int { return int(number(text(v[i]))) }
	return counts{n(0), n(1), n(2), n(3), n(4), n(5), millis(text(v[6])), text(v[6]) != ""}
}

// lists finds entries without a matching record in the due list and the dead-letter list.
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
			if !f.due.IsZero() && !f.inProgress() {
				a.violatef(ViolationDueStray, batch, f.export, "The export is scheduled, but %s.", standing(f.state))
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
			// ZScan returns members and scores alternately.
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
		return "it has no record"
	}
	return "it is " + string(s)
}
