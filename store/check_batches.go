package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// batches checks all exports of all batches that are kept.
func (a *auditor) batches(ctx context.Context) error {
	return a.eachBatchPage(ctx, a.customer, func(locals []string) error {
		for _, local := range locals {
			id := BatchID(a.customer + "-" + local)
			if err := a.broken("batch", id, a.batch(ctx, id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// tally holds the counts of one pass over a batch.
type tally struct {
	created, updated, skipped, dead, cancelled, inProgress int
	lost, expired                                          int
}

// batch checks one batch. It repeats the pass if exports change state too fast for a total.
func (a *auditor) batch(ctx context.Context, id BatchID) error {
	known := a.found.clone()
	for try := 1; ; try++ {
		a.found.Findings = known.clone()
		before, rows, err := a.counts(ctx, id)
		if err != nil {
			return err
		}
		if !before.exists {
			return nil // expired
		}
		if rows != before.accepted {
			a.violatef(ViolationSum, id, "", "The batch counts %d accepted candidates, but lists %d.", before.accepted, rows)
		}
		t, err := a.walk(ctx, id, before)
		if err != nil {
			return err
		}
		after, _, err := a.counts(ctx, id)
		if err != nil {
			return err
		}
		if before != after && try < auditTries {
			continue
		}
		a.compare(id, before, after, t)
		a.found.Batches++
		a.found.Accepted += before.accepted
		a.found.Done += t.created + t.updated
		a.found.Skipped += t.skipped
		a.found.Dead += t.dead
		a.found.Cancelled += t.cancelled
		a.found.Moving += t.inProgress
		a.found.Expired += t.expired
		return nil
	}
}

// counts reads a batch's counters and the number of exports it lists.
func (a *auditor) counts(ctx context.Context, id BatchID) (counts, int, error) {
	var fields *redis.SliceCmd
	var rows *redis.IntCmd
	_, err := a.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		fields, rows = p.HMGet(ctx, batchKey(id), countFields...), p.LLen(ctx, rowsKey(id))
		return nil
	})
	if err != nil {
		return counts{}, 0, fmt.Errorf("read batch: %w", err)
	}
	return readCounts(fields.Val()), int(rows.Val()), nil
}

// walk checks every export of a batch.
func (a *auditor) walk(ctx context.Context, id BatchID, c counts) (tally, error) {
	var t tally
	// Outcomes are kept at least this long after the end.
	expiring := a.now.Sub(c.opened) >= a.retention
	for from := int64(0); ; from += auditPage {
		ids, err := a.redis.LRange(ctx, rowsKey(id), from, from+auditPage-1).Result()
		if err != nil {
			return t, fmt.Errorf("read batch rows: %w", err)
		}
		if len(ids) == 0 {
			return t, nil
		}
		list, err := a.look(ctx, id, ids)
		if err != nil {
			return t, err
		}
		for _, f := range list {
			a.checkExport(id, f)
			switch {
			case f.state != "" && f.batch != id.local():
				a.violatef(ViolationNoBatch, id, f.export, "The record of the export names another batch.")
			case f.state == Dead:
				t.dead++
			case f.state != "":
				t.inProgress++
			case f.outcome.State != "":
				t.count(f.outcome.Counter)
			case expiring:
				t.expired++
			default:
				t.lost++
				a.violatef(ViolationLost, id, f.export, "The export was accepted, but has neither a record nor an outcome.")
			}
		}
		if err := a.locks(ctx, id, list); err != nil {
			return t, err
		}
		if err := a.checkDoneMarkers(ctx, id, list); err != nil {
			return t, err
		}
		if err := a.sealed(ctx, id, list); err != nil {
			return t, err
		}
	}
}

func (t *tally) count(c Counter) {
	switch c {
	case CountCreated:
		t.created++
	case CountUpdated:
		t.updated++
	case CountSkipped:
		t.skipped++
	case CountCancelled:
		t.cancelled++
	case CountDead: // without a record: shows up in the sums
	}
}

// compare checks the counters against the records. A growing counter of a batch in progress must
// lie between its value before the pass and its value after.
func (a *auditor) compare(id BatchID, before, after counts, t tally) {
	check := func(name string, from, counted, to int) {
		if counted+t.expired+t.lost < from || counted > to {
			a.violatef(ViolationCount, id, "", "The batch counts %d %s, but %d exist.", to, name, counted)
		}
	}
	check("created", before.created, t.created, after.created)
	check("updated", before.updated, t.updated, after.updated)
	check("skipped", before.skipped, t.skipped, after.skipped)
	check("canceled", before.cancelled, t.cancelled, after.cancelled)
	if before != after {
		return
	}
	if t.dead != before.dead {
		a.violatef(ViolationCount, id, "", "The batch counts %d dead letters, but %d exist.", before.dead, t.dead)
	}
	if t.inProgress != before.inProgress() {
		a.violatef(ViolationSum, id, "", "By the batch's counts %[2]d of %[1]d accepted exports are live, but %[3]d are.", before.accepted, before.inProgress(), t.inProgress)
	}
}

// locks checks that each export being worked on holds the lock of its email.
func (a *auditor) locks(ctx context.Context, id BatchID, list []facts) error {
	var working []facts
	for _, f := range list {
		if f.working() && f.lease.After(a.now) && f.emailHash != "" {
			working = append(working, f)
		}
	}
	if len(working) == 0 {
		return nil
	}
	owners := make([]*redis.StringCmd, len(working))
	sent, err := a.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, f := range working {
			owners[i] = p.Get(ctx, prefix(a.customer)+"l:"+f.emailHash)
		}
		return nil
	})
	if err := failure(sent, err); err != nil {
		return fmt.Errorf("read locks: %w", err)
	}
	for i, f := range working {
		switch owner := owners[i].Val(); owner {
		case f.export:
		case "":
			a.violatef(ViolationEmailUnlocked, id, f.export, "The export is in progress without the lock of its email.")
		default:
			a.violatef(ViolationEmailUnlocked, id, f.export, "The export is in progress, but %s holds the lock of its email.", owner)
		}
	}
	return nil
}

// checkDoneMarkers checks that exported candidates have a marker. Without one they would be sent
// again.
func (a *auditor) checkDoneMarkers(ctx context.Context, id BatchID, list []facts) error {
	var done []facts
	var candidates []string
	for _, f := range list {
		if f.state == "" && f.outcome.State == Done && f.outcome.Candidate != "" {
			done, candidates = append(done, f), append(candidates, f.outcome.Candidate)
		}
	}
	if len(done) == 0 {
		return nil
	}
	var erased int64
	for _, field := range []string{erasedField, unmarkedField} {
		at, err := a.counter(ctx, a.customer, field)
		if err != nil {
			return err
		}
		erased = max(erased, at)
	}
	markers, err := a.Candidates.Markers(ctx, a.customer, candidates)
	if err != nil {
		return err
	}
	for _, f := range done {
		// Outcomes have a resolution of one second.
		forgotten := f.outcome.At.Unix()*1000 <= erased
		if _, ok := markers[f.outcome.Candidate]; !ok && !forgotten {
			a.violatef(ViolationMarkerMissing, id, f.export, "The export is done but has no success marker: a later batch would send the candidate again.")
		}
	}
	return nil
}
