package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	checks "github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/store"
)

// logTimeout limits how long an audit log entry may take, even after the command was interrupted.
const logTimeout = 5 * time.Second

// logged records a change in the audit log before and after making it. If the first entry
// fails, nothing is changed. The entry contains What and Why; the rest is filled in, and change may
// add the object. A change for several customers is recorded for each.
func (o *operator) logged(ctx context.Context, e *store.AuditLogEntry, change func() error, customers ...string) error {
	enter := o.logEntry(ctx, e, customers)
	if err := enter(store.JournalAsked); err != nil {
		return &unloggedError{err}
	}
	err, enterErr := changed(enter, change)
	if enterErr != nil {
		o.p.sayf("The audit log has the request, but not its result. %s", causeOf(enterErr))
	}
	return err
}

// loggedIfPossible is logged for a change that revokes access: it is made even if the audit log
// cannot be written, with a warning.
func (o *operator) loggedIfPossible(ctx context.Context, e *store.AuditLogEntry, change func() error) error {
	enter := o.logEntry(ctx, e, nil)
	askErr := enter(store.JournalAsked)
	err, doneErr := changed(enter, change)
	if unwritten := cmp.Or(askErr, doneErr); unwritten != nil {
		o.p.sayf("Warning: the audit log is missing this change, or part of it, because it cannot be written. Record the change elsewhere. %s", causeOf(unwritten))
	}
	return err
}

// logEntry returns a function that records a change with its outcome.
func (o *operator) logEntry(ctx context.Context, e *store.AuditLogEntry, customers []string) func(store.AuditLogOutcome) error {
	e.Request = "cli-" + strings.ToLower(rand.Text()[:12])
	e.Who = whoIs(e.Who)
	if len(customers) == 0 {
		customers = []string{e.Customer}
	}
	return func(outcome store.AuditLogOutcome) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logTimeout)
		defer cancel()
		for _, e.Customer = range customers {
			e.At, e.Outcome = time.Time{}, outcome
			if err := o.Ledger.AuditLog.Append(ctx, *e); err != nil {
				return err
			}
		}
		return nil
	}
}

// changed makes a change and records its outcome.
func changed(enter func(store.AuditLogOutcome) error, change func() error) (err, enterErr error) {
	err = change()
	outcome := store.JournalDone
	if err != nil {
		outcome = store.JournalFailed
		if changedNothing(err) {
			outcome = store.JournalRefused
		}
	}
	return err, enter(outcome)
}

// unloggedError means that a change was not made because it could not be recorded.
type unloggedError struct{ cause error }

func (e *unloggedError) Error() string {
	return "the audit log cannot be written, so nothing was changed. " + causeOf(e.cause) + " Then run the command again."
}

func (e *unloggedError) Unwrap() error { return e.cause }

// explainsItself reports whether an error already says what happened and the remedy.
func explainsItself(err error) bool {
	_, ended := errors.AsType[*exit](err)
	_, unjournalled := errors.AsType[*unloggedError](err)
	return ended || unjournalled
}

// changedNothing reports whether an error means that nothing was changed.
func changedNothing(err error) bool {
	if e, ok := errors.AsType[*exit](err); ok && e.status == statusUsage {
		return true
	}
	_, invalid := errors.AsType[*checks.InvalidError](err)
	_, changed := errors.AsType[*store.ConnectionChangedError](err)
	return invalid || changed || errors.Is(err, store.ErrConnectionExists) || errors.Is(err, store.ErrNoConnection) || errors.Is(err, store.ErrNoBatch) || errors.Is(err, store.ErrBatchConflict)
}
