package worker

import (
	"errors"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// story tells this attempt, where it is worth telling: an export that went
// straight to its end leaves its outcome alone, and one that is put off for the
// same reason as before says nothing new.
func (r record) story(x *export, o outcome) *store.Entry {
	smooth := (o.kind == done || o.kind == skipped) && x.claim.Attempts == 0 && x.claim.Intent == store.NoIntent && !x.warnings.Owes()
	repeated := o.kind == deferred && o.reason == x.claim.Reason && len(x.findings) == 0
	if smooth || repeated {
		return nil
	}
	e := x.entry(r.now(), o.kind.String())
	e.Reason = o.reason
	if o.kind == retry || o.kind == unknown || o.kind == deferred {
		e.Again = int64(o.after.Round(time.Second) / time.Second)
	}
	if failure, ok := errors.AsType[*icims.Error](o.err); ok {
		e.Calls = append(e.Calls, called(failure))
	}
	return e
}

// entry begins an entry with what the attempt found.
func (x *export) entry(now time.Time, what string) *store.Entry {
	return &store.Entry{At: now, What: what, Attempt: x.claim.Attempts + 1, Findings: x.findings}
}

// called tells a failed call, with iCIMS's own words: the entry is sealed.
func called(e *icims.Error) store.Called {
	c := store.Called{
		Op: e.Op, Status: e.Status, Reason: string(e.Reason), Sent: e.Sent.String(), Transaction: e.Transaction,
	}
	for _, p := range e.Problems {
		c.Problems = append(c.Problems, p.String()+": "+p.Text())
	}
	return c
}
