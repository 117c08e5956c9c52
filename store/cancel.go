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

// CancelOptions set how exports are cancelled.
type CancelOptions struct {
	Who, Why string
	// DryRun only counts what would be cancelled.
	DryRun bool
}

// Cancellation counts what became of exports that were to be cancelled.
type Cancellation struct {
	// Cancelled have ended, their data purged; in a dry run they would have.
	Cancelled int `json:"cancelled" doc:"Have ended, their candidates' data purged; in a dry run they would have."`
	// PeopleLeft are those of the cancelled whose person is in iCIMS already, without
	// what was to follow, such as the workflow on a job.
	PeopleLeft int `json:"people_left" doc:"Those of the cancelled whose person is in iCIMS already, without what was to follow."`
	// Busy are in the hands of a worker, or wait for the outcome of a write that may
	// have taken effect. They end by themselves, or wait again and can be cancelled.
	Busy int `json:"busy" doc:"In the middle of a call, or waiting for the outcome of a write: they end by themselves, or can be cancelled later."`
	// Dead are dead letters, which are discarded rather than cancelled.
	Dead int `json:"dead" doc:"Dead letters, which are discarded rather than cancelled."`
	// Ended had ended before.
	Ended int `json:"ended" doc:"Had ended before."`
	// Exports are the cancelled ones. The caller removes their tasks.
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

// cancelPage is how many exports are cancelled in one pipeline. Each is a script of
// its own, so that others of Redis's clients come in between.
const cancelPage = 500

// Cancel ends all exports of a batch that wait. It may be called again, for those
// that were busy, and while the batch is still being sent: what arrives later is not
// taken in, see ErrBatchCancelled. It returns ErrNoBatch
// for an unknown batch, and with any error what was done before.
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

// stopBatch sees to it that nothing more comes into a batch; in a dry run it only
// looks whether there is one.
func (l *Ledger) stopBatch(ctx context.Context, batch BatchID, dryRun bool) error {
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

// CancelCustomer ends all exports of a customer that wait, batch by batch, and takes
// nothing more into batches that are being sent.
func (l *Ledger) CancelCustomer(ctx context.Context, customer string, o CancelOptions) (Cancellation, error) {
	var all Cancellation
	batches, err := l.OpenBatches(ctx, customer)
	if err != nil {
		return all, err
	}
	ids, err := l.beingSent(ctx, customer)
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

// beingSent lists those of the customer's latest batches of which more may come,
// also where nothing of them moves.
func (l *Ledger) beingSent(ctx context.Context, customer string) ([]BatchID, error) {
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

func (l *Ledger) cancelPage(ctx context.Context, customer string, ids []string, entry *Entry, dryRun bool) (Cancellation, error) {
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
		case answer == nil: // it was not reached
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

// waiting returns those of the exports that can be cancelled and how many of them have
// a person in iCIMS, and counts the others.
func (l *Ledger) waiting(ctx context.Context, customer string, ids []string, c *Cancellation) (waiting []string, people int, err error) {
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
