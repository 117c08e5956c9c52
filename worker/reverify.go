package worker

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// Connections are verified again on a schedule, so that their profiles stay current. The process
// that runs the sweep requests the verifications.
const (
	// VerifiedBySchedule is the requester of scheduled verifications.
	VerifiedBySchedule = "schedule"
	// reverifyLook is how often the sweep looks for due connections.
	reverifyLook = time.Minute
	// reverifyAtOnce bounds the verifications requested at once.
	reverifyAtOnce = 5
	// reverifyAgain is when a verification that did not succeed is requested again.
	reverifyAgain = 24 * time.Hour
	// reverifyJitter divides VerifyEvery into the span over which verifications are spread.
	reverifyJitter = 7
)

// reverifyIfDue requests due verifications once a minute.
func (w *Worker) reverifyIfDue(ctx context.Context, now time.Time) error {
	if w.settings.VerifyEvery <= 0 || now.Sub(w.reverified) < reverifyLook {
		return nil
	}
	w.reverified = now
	_, err := w.AskDueVerifications(ctx, now)
	return err
}

// AskDueVerifications requests verifications of connections whose last one is old, and returns
// how many. It skips customers whose calls are closed or whose daily budget is more than half
// used, and connections that were never verified.
func (w *Worker) AskDueVerifications(ctx context.Context, now time.Time) (asked int, err error) {
	if w.settings.VerifyEvery <= 0 {
		return 0, nil
	}
	var due []store.Connection
	w.locked(func() {
		for _, c := range w.connections {
			if c.Profile.VerifiedAt != 0 && now.Sub(time.UnixMilli(c.Profile.VerifiedAt)) >= w.verifyAfter(c.Customer) {
				due = append(due, c)
			}
		}
	})
	for _, c := range due {
		if asked == reverifyAtOnce {
			return asked, nil
		}
		may, err := w.mayReverify(ctx, c, now)
		if err != nil {
			return asked, err
		}
		if !may {
			continue
		}
		if _, _, err := tasks.RequestControl(ctx, w.redis, w.ledger, c.Customer, store.ControlVerify, struct{}{}, VerifiedBySchedule); err != nil {
			return asked, err
		}
		w.log.Info().Str("customer", c.Customer).Msg("scheduled verification requested")
		asked++
	}
	return asked, nil
}

// verifyAfter returns the age at which a customer's verification is due. It differs by customer.
func (w *Worker) verifyAfter(customer string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(customer)) // cannot fail
	const parts = 1000
	return w.settings.VerifyEvery + w.settings.VerifyEvery/reverifyJitter*time.Duration(h.Sum32()%parts)/parts
}

// mayReverify reports whether a scheduled verification of a connection may run now.
func (w *Worker) mayReverify(ctx context.Context, c store.Connection, now time.Time) (bool, error) {
	last, err := w.ledger.Control.Last(ctx, c.Customer, store.ControlVerify)
	if err != nil && !errors.Is(err, store.ErrNoControlTask) {
		return false, err
	}
	if err == nil && (!last.State.Ended() || now.Sub(last.Asked) < min(reverifyAgain, w.settings.VerifyEvery)) {
		return false, nil
	}
	if c.Stored {
		stored, err := w.ledger.Connections.Get(ctx, c.Customer)
		if err != nil {
			return false, err
		}
		switch stored.State { //nolint:exhaustive // all others may
		case store.CredentialsRejected, store.AccessDenied, store.ConnectionPaused, store.ConnectionVerifying, store.ConnectionRemoved:
			return false, nil
		}
	}
	quota, err := w.quotaStatus(ctx, c)
	if err != nil {
		return false, err
	}
	return jobs.Held(quota) == "" && (quota.Budget == 0 || quota.Left >= quota.Budget/2), nil
}
