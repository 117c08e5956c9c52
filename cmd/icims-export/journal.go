package main

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
)

// journalTime is how long an entry may take, whatever has become of its command.
const journalTime = 5 * time.Second

// journalled makes a change and enters it in the journal: before it, without which
// nothing is changed, and after it. The entry says what is changed and why; whoever is
// named there, and what the rest of it is, is filled in.
func (o *operator) journalled(ctx context.Context, e store.JournalEntry, change func() error) error {
	e.Request = "cli-" + strings.ToLower(rand.Text()[:12])
	e.Who = whoIs(e.Who)
	enter := func(outcome store.JournalOutcome) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTime)
		defer cancel()
		e.At, e.Outcome = time.Time{}, outcome
		return o.Ledger.Note(ctx, e)
	}
	if err := enter(store.JournalAsked); err != nil {
		return failed("the journal of changes cannot be written, so nothing was changed (%s): see whether Redis is well, then give the command again", rootCause(err))
	}
	err := change()
	outcome := store.JournalDone
	if err != nil {
		outcome = store.JournalFailed
		if e, ok := errors.AsType[*exit](err); ok && e.status == statusMisused {
			outcome = store.JournalRefused
		}
	}
	if enterErr := enter(outcome); enterErr != nil {
		o.p.sayf("How the change went could not be entered in the journal (%s); that it was asked for is there.", rootCause(enterErr))
	}
	return err
}
