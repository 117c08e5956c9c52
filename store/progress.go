package store

import (
	"context"
	"strconv"
	"time"
)

// Step is one transition of a claimed export.
type Step struct {
	To    State // Creating, Created or Placing
	Lease time.Duration
	// Person is recorded as soon as it is known; 0 = unchanged.
	Person int64
	// PersonMade means this export created the person.
	PersonMade bool
	// Warnings so far, as in Claim.Warnings.
	Warnings string
	Entry    *Entry // for the export's timeline; nil = none
}

// Step records a transition of a claimed export and renews its lease. It returns ErrStale, ErrGone
// or ErrIllegalMove if the claim is invalid, and ErrWentBack if nothing may be created. In the
// latter case it still records the step's person.
func (l *Ledger) Step(ctx context.Context, c *Claim, s Step) error {
	made := "u"
	if s.PersonMade {
		made = "c"
	}
	entry, err := l.sealEntry(c.Ref, s.Entry)
	if err != nil {
		return err
	}
	answer, err := l.run(ctx, stepScript, recordKey(c.Customer, c.Export),
		prefix(c.Customer), c.Export, c.token, string(s.To), s.Lease.Milliseconds(), idText(s.Person), made, s.Warnings, entry, c.Epoch,
		l.keys.personProof(c.Ref, s.Person), l.keys.knownProof(c.Customer, c.EmailHash, s.Person, 0, 0))
	if err != nil {
		return err
	}
	if err := moveError(answer, s.To); err != nil {
		return err
	}
	c.State, c.Intent = s.To, NoIntent
	if s.Person != 0 {
		c.Person, c.PersonMade, c.PersonProven = s.Person, s.PersonMade, true
	}
	return nil
}

// Hold releases a claimed export.
type Hold struct {
	To     State // Deferred, Retrying or Unknown
	Delay  time.Duration
	Reason Reason
	// Forget drops the recorded person, who does not exist in iCIMS.
	Forget   bool
	Attempts int // to add: 1 for a failed attempt, 0 for a deferral
	Panics   int // to add: 1 for an attempt that panicked
	Calls    int // since the claim
	Warnings string
	Entry    *Entry
}

// Hold releases a claimed export, to run again after a delay. Leaving Creating or Placing for any
// state but Unknown means that the write did not take effect. If an intent was open at the claim,
// it stays open and the export becomes Unknown. Errors as for Step.
func (l *Ledger) Hold(ctx context.Context, c *Claim, h Hold) error {
	entry, err := l.sealEntry(c.Ref, h.Entry)
	if err != nil {
		return err
	}
	answer, err := l.run(ctx, holdScript, recordKey(c.Customer, c.Export),
		prefix(c.Customer), c.Export, c.token, string(h.To), h.Delay.Milliseconds(), string(h.Reason), h.Attempts, h.Warnings, entry, flag(h.Forget),
		string(c.kind()), h.Calls, h.Panics)
	if err != nil {
		return err
	}
	return moveError(answer, h.To)
}

// Counter is the batch counter that an export ends in.
type Counter string

// The counters.
const (
	CountCreated   Counter = "created"
	CountUpdated   Counter = "updated"
	CountSkipped   Counter = "skipped"
	CountDead      Counter = "dead"
	CountCancelled Counter = "cancelled"
)

// Finish ends an export.
type Finish struct {
	To       State // Done, Skipped, Dead or Cancelled
	Counter  Counter
	Reason   Reason // set for every state but Done
	Person   int64
	Workflow int64 // 0 for prospects
	Job      int64
	Calls    int // since the claim
	Warnings string
	Entry    *Entry
	// Sent holds digests of what was sent, for a read-back. They are kept for the last exports of a
	// day. Empty: none.
	Sent string
}

// Finish ends a claimed export in one script: it records the outcome, sets the success marker
// (Done), counts, purges the payload (except for Dead, which may be retried) and releases the
// email. Errors as for Step.
func (l *Ledger) Finish(ctx context.Context, c *Claim, f Finish) error {
	entry, err := l.sealEntry(c.Ref, f.Entry)
	if err != nil {
		return err
	}
	settled, err := l.settledLetters(c, f)
	if err != nil {
		return err
	}
	args := []any{
		prefix(c.Customer), c.Export, c.token, string(f.To), string(f.Counter), string(f.Reason),
		idText(f.Person), idText(f.Workflow), idText(f.Job), f.Warnings, int64(l.retention / time.Second), entry,
		string(c.kind()), f.Calls, jobKept.Milliseconds(), f.Sent, KeptSent,
		l.keys.knownProof(c.Customer, c.EmailHash, f.Person, 0, 0), l.keys.knownProof(c.Customer, c.EmailHash, f.Person, f.Job, f.Workflow),
	}
	answer, err := l.run(ctx, finishScript, recordKey(c.Customer, c.Export), append(args, settled...)...)
	if err != nil {
		return err
	}
	return moveError(answer, f.To)
}

// Renew extends the lease of a claimed export. Errors as for Step.
func (l *Ledger) Renew(ctx context.Context, c *Claim, lease time.Duration) error {
	answer, err := l.run(ctx, renewScript, recordKey(c.Customer, c.Export),
		prefix(c.Customer), c.Export, c.token, lease.Milliseconds())
	if err != nil {
		return err
	}
	return moveError(answer, Claimed)
}

// Redraw replaces the dummy address of a claimed export that has written nothing. It returns false
// if another export is working on the new address.
func (l *Ledger) Redraw(ctx context.Context, c *Claim, emailHash string, payload []byte) (bool, error) {
	sealed, err := l.sealPayload(payload, c.Ref, c.destination())
	if err != nil {
		return false, err
	}
	answer, err := l.run(ctx, redrawScript, recordKey(c.Customer, c.Export),
		prefix(c.Customer), c.Export, c.token, emailHash, sealed)
	if err != nil {
		return false, err
	}
	if text(answer[0]) == "taken" {
		return false, nil
	}
	if err := moveError(answer, c.State); err != nil {
		return false, err
	}
	c.EmailHash, c.Payload = emailHash, payload
	return true, nil
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// idText formats an iCIMS ID; "" for 0.
func idText(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}
