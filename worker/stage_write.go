package worker

import (
	"context"
	"errors"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// writeStage makes the person's profile, or brings it up to date.
type writeStage struct{ *lane }

func (s writeStage) exec(ctx context.Context, x *export) outcome {
	switch {
	case x.personID != 0:
		return outcome{} // written by an earlier attempt
	case x.person != nil:
		return s.update(ctx, x)
	default:
		return s.create(ctx, x)
	}
}

// create posts the person. The intent is in the ledger before the request is on
// the wire, and the id as soon as it is known.
func (s writeStage) create(ctx context.Context, x *export) outcome {
	if x.claim.State != store.Creating {
		if err := s.ledger.Step(ctx, x.claim, store.Step{To: store.Creating, Lease: s.settings.Lease}); err != nil {
			return ledgerFault(err)
		}
	}
	fields, ws := personFields(x.payload.Candidate, s.conn)
	x.warn(ws...)
	err := s.sendFields(x, fields, func(f icims.Fields) (*icims.Response, error) {
		id, answer, err := s.client.CreatePerson(ctx, f)
		x.personID = id
		return answer, err
	})
	if err != nil {
		x.personID = 0
		return failed(err)
	}
	x.personMade = true
	s.tenant.made(x.payload.Candidate.Email, x.personID)
	if !x.isJob() {
		return outcome{} // Record notes the person together with the end
	}
	// The person is recorded together with the intent of the next write.
	return s.recordSurely(ctx, func(ctx context.Context) error {
		return s.ledger.Step(ctx, x.claim, store.Step{
			To: store.Placing, Lease: s.settings.Lease, Person: int64(x.personID), PersonMade: true, Warnings: x.warnings.codes(),
		})
	})
}

// update changes what differs, adds the phones that are missing and leaves work
// experience and education alone. All of it may be done twice, so no intent is
// needed.
func (s writeStage) update(ctx context.Context, x *export) outcome {
	id := x.person.ID
	if x.person.Protected() {
		x.warn(WarningNotUpdated)
		x.personID = id
		return outcome{}
	}
	changes, phones, ws := personChanges(x.payload.Candidate, s.conn, *x.person)
	x.warn(ws...)
	if len(changes) > 0 {
		err := s.sendFields(x, changes, func(f icims.Fields) (*icims.Response, error) { return s.client.PatchPerson(ctx, id, f) })
		if err != nil {
			return s.updateFailed(err)
		}
	}
	for _, phone := range phones {
		err := s.sendFields(x, phone, func(f icims.Fields) (*icims.Response, error) {
			_, answer, err := s.client.AddCollectionEntry(ctx, id, fieldPhones, f)
			return answer, err
		})
		if err != nil {
			return s.updateFailed(err)
		}
	}
	x.personID = id
	return outcome{}
}

// updateFailed looks again for a person who vanished between being read and
// being written: merged, or purged.
func (s writeStage) updateFailed(err error) outcome {
	o := failed(err)
	if icims.ReasonOf(err) == icims.ReasonNotFound {
		o.kind = retry
	}
	return o
}

// sendFields sends fields, and sends them again without those that iCIMS
// refuses and that the export can do without. A refused request has written
// nothing (API sheet §3.2).
func (s writeStage) sendFields(x *export, fields icims.Fields, send func(icims.Fields) (*icims.Response, error)) error {
	fields, ws := s.tenant.prepare(fields)
	x.warn(ws...)
	for {
		// A PATCH or an entry of which nothing is left has nothing to say.
		if len(fields) == 0 {
			return nil
		}
		answer, err := send(fields)
		if err == nil {
			s.tenant.accepted(fields)
			x.warnAnswer(answer)
			return nil
		}
		refusal, ok := errors.AsType[*icims.Error](err)
		if !ok {
			return err
		}
		fewer, ws, ok := s.tenant.relent(fields, refusal)
		if !ok {
			return err
		}
		x.warn(ws...)
		fields = fewer
	}
}

// warnAnswer keeps what iCIMS warned about although it saved the record.
func (x *export) warnAnswer(answer *icims.Response) {
	if answer == nil {
		return
	}
	for _, p := range answer.Warnings {
		x.warn(savedWithWarning(p.Field))
	}
}
