package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// DeadOrder says who acts on dead letters, why, and on how many at most.
type DeadOrder struct {
	Who, Why string
	// Most bounds how many letters are taken care of; 0 for all.
	Most int
}

// DeadResult is what was done.
type DeadResult struct {
	Action    string         `json:"action"`
	Chosen    int            `json:"chosen"`
	Done      int            `json:"done"` // the others had been taken care of meanwhile
	Customers map[string]int `json:"customers"`
	ByReason  []DeadCount    `json:"by_reason"`
	Who       string         `json:"who"`
	Why       string         `json:"why"`
	Seconds   float64        `json:"seconds"`
	// More: there are more than were to be taken care of at once.
	More bool `json:"more,omitempty"`
	// Job is where they were sent to, and Batches those that took them in; none where they
	// were not sent to another job.
	Job     int64           `json:"job,omitempty"`
	Batches []store.BatchID `json:"batches,omitempty"`
}

// RetryDead sets what is chosen going again, with a fresh retry budget. Errors:
// *BrokenOffError and *UnrecordedError, with what was done until then.
func (d *Desk) RetryDead(ctx context.Context, choice DeadChoice, o DeadOrder) (DeadResult, error) {
	return d.actOnDead(ctx, choice, o, DeadResult{Action: "retry"}, d.revive)
}

// DiscardDead gives what is chosen up for good and purges the candidates' data. Its
// errors are those of RetryDead.
func (d *Desk) DiscardDead(ctx context.Context, choice DeadChoice, o DeadOrder) (DeadResult, error) {
	return d.actOnDead(ctx, choice, o, DeadResult{Action: "discard"}, d.Ledger.DiscardAll)
}

// TransferDead sends the candidates of what is chosen to another job, in new batches, and
// ends the dead letters: see store.Transfer, which tells what stays as it is. Its errors are
// those of RetryDead.
func (d *Desk) TransferDead(ctx context.Context, choice DeadChoice, o DeadOrder, job int64) (DeadResult, error) {
	var transfers []*store.Transfer
	var batches []store.BatchID
	act := func(ctx context.Context, customer string, exports []string, who, why string) (int, error) {
		at := slices.IndexFunc(transfers, func(t *store.Transfer) bool { return t.Customer == customer })
		if at < 0 {
			at, transfers = len(transfers), append(transfers, store.NewTransfer(customer, job, who, why))
		}
		sent, _, err := d.Ledger.Transfer(ctx, transfers[at], exports, 0)
		alarms := make([]tasks.Alarm, len(sent))
		for i, s := range sent {
			alarms[i] = tasks.Alarm{Export: s.To}
			if !slices.Contains(batches, s.Batch) {
				batches = append(batches, s.Batch)
			}
		}
		if len(alarms) > 0 {
			// Whatever is not enqueued here, the workers find by themselves.
			err = errors.Join(err, tasks.Enqueue(ctx, d.Redis, d.Ledger, customer, alarms...))
		}
		return len(sent), err
	}
	r, err := d.actOnDead(ctx, choice, o, DeadResult{Action: "transfer", Job: job}, act)
	r.Batches = batches
	return r, err
}

func (d *Desk) revive(ctx context.Context, customer string, exports []string, who, why string) (int, error) {
	revived, err := d.Ledger.ReviveAll(ctx, customer, exports, who, why)
	if err != nil || len(revived) == 0 {
		return 0, err
	}
	alarms := make([]tasks.Alarm, len(revived))
	for i, r := range revived {
		alarms[i] = tasks.Alarm{Export: r.Export, Generation: r.Generation}
	}
	// Whatever is not enqueued here, the workers find by themselves.
	return len(revived), tasks.Enqueue(ctx, d.Redis, d.Ledger, customer, alarms...)
}

// errEnough ends a walk over letters of which there are more than were asked for.
var errEnough = errors.New("enough")

func (d *Desk) actOnDead(
	ctx context.Context, choice DeadChoice, o DeadOrder, r DeadResult, act func(ctx context.Context, customer string, exports []string, who, why string) (int, error),
) (DeadResult, error) {
	started := time.Now()
	r.Customers, r.Who, r.Why = map[string]int{}, o.Who, o.Why
	counts := DeadCounts{}
	err := d.DeadLetters(ctx, choice, func(customer string, page []Letter) error {
		if room := o.Most - r.Chosen; o.Most > 0 && len(page) > room {
			page, r.More = page[:room], true
		}
		counts.Add(page)
		r.Chosen += len(page)
		ids := make([]string, len(page))
		for i, l := range page {
			ids[i] = l.Export
		}
		if len(ids) > 0 {
			n, err := act(ctx, customer, ids, o.Who, o.Why)
			r.Done += n
			r.Customers[customer] += n
			if err != nil {
				return &BrokenOffError{r.Done, "dead letter", err}
			}
		}
		if r.More {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	r.ByReason = counts.List()
	r.Seconds = time.Since(started).Round(10 * time.Millisecond).Seconds()
	// What was done is recorded, even if it broke off or was stopped.
	return r, errors.Join(d.recordDead(context.WithoutCancel(ctx), r), err)
}

func (d *Desk) recordDead(ctx context.Context, r DeadResult) error {
	what := map[string]string{
		"retry": "retried dead letters", "discard": "discarded dead letters", "transfer": fmt.Sprintf("sent dead letters to job %d", r.Job),
	}[r.Action]
	for customer, n := range r.Customers {
		if n == 0 {
			continue
		}
		err := d.Ledger.Act(ctx, customer, store.Action{At: time.Now(), Who: r.Who, What: what, Why: r.Why, Count: n})
		if err != nil {
			return &UnrecordedError{n, "dead letter", err}
		}
	}
	return nil
}
