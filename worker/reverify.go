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

// Connections are verified again by themselves, so that what is known of a customer's iCIMS does not
// grow old. The process that reconciles asks for it, as anybody may ask for a verification.
const (
	// VerifiedBySchedule is who asks for verifications that nobody has asked for.
	VerifiedBySchedule = "schedule"
	// reverifyLook is how often somebody looks which connections are due.
	reverifyLook = time.Minute
	// reverifyAtOnce bounds how many verifications one look asks for.
	reverifyAtOnce = 5
	// reverifyAgain is when one that was asked for and changed nothing is asked for again.
	reverifyAgain = 24 * time.Hour
	// reverifyJitter spreads the connections over a part of the time between two verifications.
	reverifyJitter = 7
)

// reverifyIfDue looks once a minute.
func (w *Worker) reverifyIfDue(ctx context.Context, now time.Time) error {
	if w.settings.VerifyEvery <= 0 || now.Sub(w.reverified) < reverifyLook {
		return nil
	}
	w.reverified = now
	_, err := w.AskDueVerifications(ctx, now)
	return err
}

// AskDueVerifications asks for the verification of connections whose last one is long ago, and returns
// for how many. Customers whose calls are held back, or of whose day less than half is left, are left
// for later; those that were never verified are left to people.
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

// verifyAfter is how old a customer's verification gets: longer for some than for others.
func (w *Worker) verifyAfter(customer string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(customer)) // cannot fail
	const parts = 1000
	return w.settings.VerifyEvery + w.settings.VerifyEvery/reverifyJitter*time.Duration(h.Sum32()%parts)/parts
}

// mayReverify reports whether a customer's connection may be verified now without being asked.
func (w *Worker) mayReverify(ctx context.Context, c store.Connection, now time.Time) (bool, error) {
	last, err := w.ledger.LastControlTask(ctx, c.Customer, store.ControlVerify)
	if err != nil && !errors.Is(err, store.ErrNoControlTask) {
		return false, err
	}
	if err == nil && (!last.State.Ended() || now.Sub(last.Asked) < min(reverifyAgain, w.settings.VerifyEvery)) {
		return false, nil
	}
	if c.Stored {
		stored, err := w.ledger.Connection(ctx, c.Customer)
		if err != nil {
			return false, err
		}
		switch stored.State { //nolint:exhaustive // all others may
		case store.CredentialsRejected, store.AccessDenied, store.ConnectionPaused, store.ConnectionVerifying, store.ConnectionRemoved:
			return false, nil
		}
	}
	standing, err := w.standingOf(ctx, c)
	if err != nil {
		return false, err
	}
	return jobs.Held(standing) == "" && (standing.Budget == 0 || standing.Left >= standing.Budget/2), nil
}
