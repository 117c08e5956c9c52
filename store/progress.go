package store

import (
	"context"
	"strconv"
	"time"
)

// Step is one move of a claimed export towards its end.
type Step struct {
	To    State // Creating, Created or Placing
	Lease time.Duration
	// Person is recorded as soon as it is known; 0 = not by this step.
	Person int64
	// PersonMade tells that this export created the person.
	PersonMade bool
	// Warnings so far, as Claim.Warnings.
	Warnings string
	Entry    *Entry // for the export's story; nil = nothing worth telling
}

// Step moves a claimed export on and renews its lease. It returns ErrStale,
// ErrGone or ErrIllegalMove where the claim does not hold, and ErrWentBack where nothing
// may be created: then a person whom the step names is recorded all the same.
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

// Hold hands a claimed export back.
type Hold struct {
	To     State // Deferred, Retrying or Unknown
	Delay  time.Duration
	Reason Reason
	// Forget drops the recorded person, who is gone from iCIMS.
	Forget   bool
	Attempts int // to be added: 1 for a failed attempt, 0 for "not now"
	Panics   int // to be added: 1 for an attempt that ended in a panic
	Calls    int // made since the claim
	Warnings string
	Entry    *Entry
}

// Hold hands a claimed export back, to come again after a delay. Handing back
// from Creating or Placing as anything but Unknown states that the write did
// not take effect. An intent that was open at the claim stays open, and the
// export Unknown. Errors as for Step.
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

// Counter is the column of a batch's counts that an export ends in.
type Counter string

// The counters.
const (
	CountCreated   Counter = "created"
	CountUpdated   Counter = "updated"
	CountSkipped   Counter = "skipped"
	CountDead      Counter = "dead"
	CountCancelled Counter = "cancelled"
)

// Finish is the end of an export.
type Finish struct {
	To       State // Done, Skipped, Dead or Cancelled
	Counter  Counter
	Reason   Reason // why, for all but Done
	Person   int64
	Workflow int64 // 0 for prospects
	Job      int64
	Calls    int // made since the claim
	Warnings string
	Entry    *Entry
	// Sent holds digests of what was sent, for a read-back: kept of the last exports of a
	// day. Empty: nothing is kept.
	Sent string
}

// Finish ends a claimed export: it records the outcome, sets the success marker
// (Done), counts, purges the payload (all but Dead, which may be retried) and
// frees the e-mail, in one script. Errors as for Step.
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

// Redraw gives a claimed export that has written nothing another dummy address.
// It returns false where another export works on that address.
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

// idText renders an iCIMS id, and 0 as nothing.
func idText(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}
