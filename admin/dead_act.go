package admin

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
	// Most limits how many letters are changed; 0 for all. Letters that cannot be changed do not
	// count.
	Most int
}

// DeadResult is the result of an action on dead letters.
type DeadResult struct {
	Action string `json:"action"`
	Chosen int    `json:"chosen"`
	// Done is how many were changed. The others were changed meanwhile, or cannot move to that job.
	Done      int            `json:"done"`
	Customers map[string]int `json:"customers"`
	ByReason  []DeadCount    `json:"by_reason"`
	Who       string         `json:"who"`
	Why       string         `json:"why"`
	Seconds   float64        `json:"seconds"`
	// More means that Most was reached and letters remain.
	More bool `json:"more,omitempty"`
	// Job is the target job of a transfer, and Batches are the new batches.
	Job     int64           `json:"job,omitempty"`
	Batches []store.BatchID `json:"batches,omitempty"`
}

// CustomersError refuses a transfer for no customer or for several, since a job belongs to one
// customer.
type CustomersError struct{ N int }

func (e *CustomersError) Error() string {
	return fmt.Sprintf("a job belongs to one customer, but %d customers were selected", e.N)
}

// Retry retries the selected letters with a fresh retry budget. Errors: *BrokenOffError and
// *UnrecordedError, with the number done.
func (d *DeadLetters) Retry(ctx context.Context, choice DeadChoice, o DeadOrder) (DeadResult, error) {
	revive := func(ctx context.Context, customer string, exports []string) (int, error) {
		return d.revive(ctx, customer, exports, o)
	}
	return d.actOnDead(ctx, choice, o, DeadResult{Action: "retry"}, limitedAct(revive))
}

// Discard discards the selected letters and deletes the candidates' data. Its errors are those
// of RetryDead.
func (d *DeadLetters) Discard(ctx context.Context, choice DeadChoice, o DeadOrder) (DeadResult, error) {
	discard := func(ctx context.Context, customer string, exports []string) (int, error) {
		n, err := d.Ledger.DeadLetters.DiscardAll(ctx, customer, exports, o.Who, o.Why)
		return n, errors.Join(err, d.removeEnded(context.WithoutCancel(ctx), customer, exports))
	}
	return d.actOnDead(ctx, choice, o, DeadResult{Action: "discard"}, limitedAct(discard))
}

// Transfer exports the candidates of the selected letters to another job of their customer, in
// new batches, and ends the dead letters. See store.Transfer for the letters that it skips. Errors:
// *CustomersError, and those of RetryDead, which name the batches.
func (d *DeadLetters) Transfer(ctx context.Context, choice DeadChoice, o DeadOrder, job int64) (DeadResult, error) {
	r := DeadResult{Action: "transfer", Job: job}
	if len(choice.Customers) != 1 {
		return r, &CustomersError{len(choice.Customers)}
	}
	transfer := store.NewTransfer(choice.Customers[0], job, o.Who, o.Why)
	act := func(ctx context.Context, customer string, exports []string, most int) (int, int, error) {
		sent, through, err := d.Ledger.DeadLetters.Transfer(ctx, transfer, exports, most)
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

func (d *base) revive(ctx context.Context, customer string, exports []string, o DeadOrder) (int, error) {
	revived, err := d.Ledger.DeadLetters.ReviveAll(ctx, customer, exports, o.Who, o.Why)
	if err != nil || len(revived) == 0 {
		return 0, err
	}
	return len(revived), d.start(ctx, customer, revived)
}

// deadAct changes up to most of the exports; 0 for all. It processes them in order, and returns how
// many it processed and how many of these it changed.
type deadAct func(ctx context.Context, customer string, exports []string, most int) (through, done int, err error)

// limitedAct limits an action that changes all given exports to the first of them.
func limitedAct(act func(ctx context.Context, customer string, exports []string) (int, error)) deadAct {
	return func(ctx context.Context, customer string, exports []string, most int) (int, int, error) {
		if most > 0 && len(exports) > most {
			exports = exports[:most]
		}
		done, err := act(ctx, customer, exports)
		return len(exports), done, err
	}
}

// errLimitReached stops iterating over letters once the limit is reached.
var errLimitReached = errors.New("enough")

func (d *base) actOnDead(ctx context.Context, choice DeadChoice, o DeadOrder, r DeadResult, act deadAct) (DeadResult, error) {
	started := time.Now()
	r.Customers, r.Who, r.Why = map[string]int{}, o.Who, o.Why
	counts := DeadCounts{}
	err := d.DeadLetters.Each(ctx, choice, func(customer string, page []DeadLetter) error {
		for len(page) > 0 {
			if r.More = o.Most > 0 && r.Done >= o.Most; r.More {
				return errLimitReached
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
	case errors.Is(err, errLimitReached):
		err = nil
	case err != nil && !broken && r.Done > 0: // reading the rest failed
		err = &BrokenOffError{Done: r.Done, Thing: "dead letter", Err: err}
	}
	r.ByReason = counts.List()
	r.Seconds = time.Since(started).Round(10 * time.Millisecond).Seconds()
	// Record what was done, even after an error or a cancellation.
	return r, errors.Join(d.recordDead(context.WithoutCancel(ctx), r), err)
}

func (d *base) recordDead(ctx context.Context, r DeadResult) error {
	what := map[string]string{
		"retry": "retried dead letters", "discard": "discarded dead letters", "transfer": fmt.Sprintf("moved dead letters to job %d", r.Job),
	}[r.Action]
	for customer, n := range r.Customers {
		if n == 0 {
			continue
		}
		err := d.Ledger.AuditLog.Act(ctx, customer, store.Action{At: time.Now(), Who: r.Who, What: what, Why: r.Why, Count: n})
		if err != nil {
			return &UnrecordedError{Done: n, Thing: "dead letter", Err: err}
		}
	}
	return nil
}
