package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	cancelScript    = loadEssentialScript("cancel")
	stopBatchScript = loadEssentialScript("stop_batch")
)

// CancelOptions configure a cancellation.
type CancelOptions struct {
	Who, Why string
	// DryRun only counts.
	DryRun bool
}

// Cancellation counts the exports of a cancellation by result.
type Cancellation struct {
	// Cancelled exports have ended and their data is purged; in a dry run, they would be.
	Cancelled int `json:"cancelled" doc:"Canceled exports, whose candidate data was deleted. For a dry run, exports that would be canceled."`
	// PeopleLeft counts canceled exports whose person already exists in iCIMS without the next
	// step, such as the workflow on a job.
	PeopleLeft int `json:"people_left" doc:"Canceled exports whose person was already created in iCIMS, without the remaining steps."`
	// Busy exports are held by a worker or wait for the outcome of an unconfirmed write. They
	// finish, or wait again and can then be canceled.
	Busy int `json:"busy" doc:"Running exports and exports with an unconfirmed write. They finish, or can be canceled later."`
	// Dead letters are discarded instead of canceled.
	Dead int `json:"dead" doc:"Dead letters, which are not canceled but can be discarded."`
	// Ended exports had finished before.
	Ended int `json:"ended" doc:"Exports that had already ended."`
	// Exports lists the canceled exports. The caller removes their tasks.
	Exports []string `json:"-"`
}

func (c *Cancellation) add(other Cancellation) {
	c.Cancelled += other.Cancelled
	c.PeopleLeft += other.PeopleLeft
	c.Busy += other.Busy
	c.Dead += other.Dead
	c.Ended += other.Ended
	c.Exports = append(c.Exports, other.Exports...)
}

// cancelPage is how many exports one pipeline cancels. Each is a separate script, so other Redis
// clients are served in between.
const cancelPage = 500

// Cancel ends all waiting exports of a batch. Call it again for those that were busy. It can run
// while the batch is being submitted: later exports are rejected with ErrBatchCancelled. It returns
// ErrNoBatch for an unknown batch. With an error it also returns the work done so far.
func (l *Ledger) Cancel(ctx context.Context, batch BatchID, o CancelOptions) (Cancellation, error) {
	var all Cancellation
	if err := l.stopBatch(ctx, batch, o.DryRun); err != nil {
		return all, fmt.Errorf("cancel batch %s: %w", batch, err)
	}
	entry := &Entry{At: time.Now(), What: "cancelled", Who: o.Who, Why: o.Why}
	for from := int64(0); ; from += cancelPage {
		ids, err := l.redis.LRange(ctx, rowsKey(batch), from, from+cancelPage-1).Result()
		if err != nil {
			return all, fmt.Errorf("cancel batch %s: %w", batch, err)
		}
		if len(ids) == 0 {
			return all, nil
		}
		page, err := l.cancelPage(ctx, batch.Customer(), ids, entry, o.DryRun)
		all.add(page)
		if err != nil {
			return all, fmt.Errorf("cancel batch %s: %w", batch, err)
		}
	}
}

// stopBatch makes a batch reject further exports. In a dry run it only checks that the batch
// exists.
func (l *base) stopBatch(ctx context.Context, batch BatchID, dryRun bool) error {
	if dryRun {
		n, err := l.redis.Exists(ctx, batchKey(batch)).Result()
		if err == nil && n == 0 {
			err = ErrNoBatch
		}
		return err
	}
	answer, err := l.run(ctx, stopBatchScript, batchKey(batch), prefix(batch.Customer()), "", int64(l.retention/time.Second))
	if err == nil && text(answer[0]) == "gone" {
		err = ErrNoBatch
	}
	return err
}

// CancelCustomer ends all waiting exports of a customer, batch by batch. Batches that are being
// submitted accept no further exports.
func (l *Ledger) CancelCustomer(ctx context.Context, customer string, o CancelOptions) (Cancellation, error) {
	var all Cancellation
	batches, err := l.Batches.AllOpen(ctx, customer)
	if err != nil {
		return all, err
	}
	ids, err := l.receivingRows(ctx, customer)
	if err != nil {
		return all, err
	}
	for _, b := range batches {
		if !slices.Contains(ids, b.ID) {
			ids = append(ids, b.ID)
		}
	}
	for _, id := range ids {
		one, err := l.Cancel(ctx, id, o)
		all.add(one)
		if err != nil && !errors.Is(err, ErrNoBatch) {
			return all, err
		}
	}
	return all, nil
}

// receivingRows lists the customer's latest batches that may receive more exports, including those
// with none in progress.
func (l *base) receivingRows(ctx context.Context, customer string) ([]BatchID, error) {
	locals, err := l.redis.ZRevRange(ctx, batchesKey(customer), 0, batchPage-1).Result()
	if err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	read := make([]*redis.SliceCmd, len(locals))
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, local := range locals {
			read[i] = p.HMGet(ctx, batchKey(BatchID(customer+"-"+local)), "opened", "closed")
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	var open []BatchID
	for i, local := range locals {
		if b := read[i].Val(); b[0] != nil && b[1] == nil {
			open = append(open, BatchID(customer+"-"+local))
		}
	}
	return open, nil
}

func (l *base) cancelPage(ctx context.Context, customer string, ids []string, entry *Entry, dryRun bool) (Cancellation, error) {
	var c Cancellation
	waiting, people, err := l.waiting(ctx, customer, ids, &c)
	if err != nil || dryRun {
		c.Cancelled, c.PeopleLeft = len(waiting), people
		return c, err
	}
	answers, err := l.many(ctx, cancelScript, customer, waiting, entry, func(export, sealed string) []any {
		return []any{prefix(customer), export, int64(l.retention / time.Second), sealed}
	})
	for i, answer := range answers {
		switch {
		case answer == nil: // not reached
		case text(answer[0]) == "ok":
			c.Cancelled++
			c.Exports = append(c.Exports, waiting[i])
			if text(answer[1]) != "" {
				c.PeopleLeft++
			}
		case text(answer[0]) == "gone":
			c.Ended++
		case State(text(answer[1])) == Dead:
			c.Dead++
		default:
			c.Busy++
		}
	}
	return c, err
}

// waiting returns the exports that can be canceled and how many of them have a person in iCIMS. It
// counts the others in c.
func (l *base) waiting(ctx context.Context, customer string, ids []string, c *Cancellation) (waiting []string, people int, err error) {
	records := make([]*redis.SliceCmd, len(ids))
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			records[i] = p.HMGet(ctx, recordKey(customer, id), "st", "in", "pe")
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read exports: %w", err)
	}
	waiting = make([]string, 0, len(ids))
	for i, id := range ids {
		r := records[i].Val()
		switch state := State(text(r[0])); {
		case state == "":
			c.Ended++
		case state == Dead:
			c.Dead++
		case CanMove(state, Cancelled) && r[1] == nil:
			waiting = append(waiting, id)
			if r[2] != nil {
				people++
			}
		default:
			c.Busy++
		}
	}
	return waiting, people, nil
}
