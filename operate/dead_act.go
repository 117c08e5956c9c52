package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// DeadOrder says who acts on dead letters, why, and on how many at most.
type DeadOrder struct {
	Who, Why string
	// Most bounds to how many letters it is done; 0 for all. Those that stay as they are
	// do not count: where there are more, it was done to some.
	Most int
}

// DeadResult is what was done.
type DeadResult struct {
	Action string `json:"action"`
	Chosen int    `json:"chosen"`
	// Done is to how many it was done. The others had been taken care of meanwhile, or
	// cannot be sent to that job and stay as they are.
	Done      int            `json:"done"`
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

// CustomersError refuses to send the dead letters of none or of several customers to a job,
// which belongs to one.
type CustomersError struct{ N int }

func (e *CustomersError) Error() string {
	return fmt.Sprintf("a job belongs to one customer, but %d customers were selected", e.N)
}

// RetryDead sets what is chosen going again, with a fresh retry budget. Errors:
// *BrokenOffError and *UnrecordedError, with what was done until then.
func (d *Desk) RetryDead(ctx context.Context, choice DeadChoice, o DeadOrder) (DeadResult, error) {
	revive := func(ctx context.Context, customer string, exports []string) (int, error) {
		return d.revive(ctx, customer, exports, o)
	}
	return d.actOnDead(ctx, choice, o, DeadResult{Action: "retry"}, toFirst(revive))
}

// DiscardDead gives what is chosen up for good and purges the candidates' data. Its
// errors are those of RetryDead.
func (d *Desk) DiscardDead(ctx context.Context, choice DeadChoice, o DeadOrder) (DeadResult, error) {
	discard := func(ctx context.Context, customer string, exports []string) (int, error) {
		n, err := d.Ledger.DiscardAll(ctx, customer, exports, o.Who, o.Why)
		return n, errors.Join(err, d.removeEnded(context.WithoutCancel(ctx), customer, exports))
	}
	return d.actOnDead(ctx, choice, o, DeadResult{Action: "discard"}, toFirst(discard))
}

// TransferDead sends the candidates of what is chosen to another job of their customer, in
// new batches, and ends the dead letters: see store.Transfer, which tells what stays as it
// is. Errors: *CustomersError, and those of RetryDead, which name the batches.
func (d *Desk) TransferDead(ctx context.Context, choice DeadChoice, o DeadOrder, job int64) (DeadResult, error) {
	r := DeadResult{Action: "transfer", Job: job}
	if len(choice.Customers) != 1 {
		return r, &CustomersError{len(choice.Customers)}
	}
	transfer := store.NewTransfer(choice.Customers[0], job, o.Who, o.Why)
	act := func(ctx context.Context, customer string, exports []string, most int) (int, int, error) {
		sent, through, err := d.Ledger.Transfer(ctx, transfer, exports, most)
		from, to := make([]string, len(sent)), make([]string, len(sent))
		for i, s := range sent {
			from[i], to[i] = s.From, s.To
			if !slices.Contains(r.Batches, s.Batch) {
				r.Batches = append(r.Batches, s.Batch)
			}
		}
		if len(sent) > 0 {
			err = errors.Join(err, d.queues().Delete(ctx, customer, from...), d.start(ctx, customer, to))
		}
		return through, len(sent), err
	}
	done, err := d.actOnDead(ctx, choice, o, r, act)
	done.Batches = r.Batches
	if part, ok := errors.AsType[*BrokenOffError](err); ok {
		part.Batches = r.Batches
	}
	if untold, ok := errors.AsType[*UnrecordedError](err); ok {
		untold.Batches = r.Batches
	}
	return done, err
}

func (d *Desk) revive(ctx context.Context, customer string, exports []string, o DeadOrder) (int, error) {
	revived, err := d.Ledger.ReviveAll(ctx, customer, exports, o.Who, o.Why)
	if err != nil || len(revived) == 0 {
		return 0, err
	}
	return len(revived), d.start(ctx, customer, revived)
}

// deadAct does something to at most so many of the exports, 0 for all. It tells how many of
// them it went through, the first ones, and to how many of these it was done.
type deadAct func(ctx context.Context, customer string, exports []string, most int) (through, done int, err error)

// toFirst is the act that goes through no more exports than it may be done to.
func toFirst(act func(ctx context.Context, customer string, exports []string) (int, error)) deadAct {
	return func(ctx context.Context, customer string, exports []string, most int) (int, int, error) {
		if most > 0 && len(exports) > most {
			exports = exports[:most]
		}
		done, err := act(ctx, customer, exports)
		return len(exports), done, err
	}
}

// errEnough ends a walk over letters of which there are more than were asked for.
var errEnough = errors.New("enough")

func (d *Desk) actOnDead(ctx context.Context, choice DeadChoice, o DeadOrder, r DeadResult, act deadAct) (DeadResult, error) {
	started := time.Now()
	r.Customers, r.Who, r.Why = map[string]int{}, o.Who, o.Why
	counts := DeadCounts{}
	err := d.DeadLetters(ctx, choice, func(customer string, page []Letter) error {
		for len(page) > 0 {
			if r.More = o.Most > 0 && r.Done >= o.Most; r.More {
				return errEnough
			}
			ids := make([]string, len(page))
			for i, l := range page {
				ids[i] = l.Export
			}
			through, n, err := act(ctx, customer, ids, max(o.Most-r.Done, 0))
			r.Chosen += through
			r.Done += n
			r.Customers[customer] += n
			counts.Add(page[:through])
			if err != nil {
				return &BrokenOffError{Done: r.Done, Thing: "dead letter", Err: err}
			}
			page = page[through:]
		}
		return nil
	})
	switch _, broken := errors.AsType[*BrokenOffError](err); {
	case errors.Is(err, errEnough):
		err = nil
	case err != nil && !broken && r.Done > 0: // the rest could not be read
		err = &BrokenOffError{Done: r.Done, Thing: "dead letter", Err: err}
	}
	r.ByReason = counts.List()
	r.Seconds = time.Since(started).Round(10 * time.Millisecond).Seconds()
	// What was done is recorded, even if it broke off or was stopped.
	return r, errors.Join(d.recordDead(context.WithoutCancel(ctx), r), err)
}

func (d *Desk) recordDead(ctx context.Context, r DeadResult) error {
	what := map[string]string{
		"retry": "retried dead letters", "discard": "discarded dead letters", "transfer": fmt.Sprintf("moved dead letters to job %d", r.Job),
	}[r.Action]
	for customer, n := range r.Customers {
		if n == 0 {
			continue
		}
		err := d.Ledger.Act(ctx, customer, store.Action{At: time.Now(), Who: r.Who, What: what, Why: r.Why, Count: n})
		if err != nil {
			return &UnrecordedError{Done: n, Thing: "dead letter", Err: err}
		}
	}
	return nil
}
