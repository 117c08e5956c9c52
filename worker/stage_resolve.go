package worker

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// resolveStage finds the candidate in iCIMS: no person yet, the person of an earlier attempt, or
// a person with the same email.
type resolveStage struct{ *lane }

// maxDummies bounds how often a dummy address is generated. With four billion addresses, a second
// one is rare and a third practically never needed.
const maxDummies = 5

func (s resolveStage) exec(ctx context.Context, x *export) outcome {
	if x.personID != 0 && !x.claim.PersonProven {
		if err := s.prove(ctx, x); err != nil {
			return failed(err)
		}
	}
	switch {
	case x.personID != 0:
		return outcome{} // recorded by an earlier attempt
	case x.claim.Intent == store.IntentPerson:
		return s.settleCreate(ctx, x)
	}
	if err := s.find(ctx, x); err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			return stopped(ctx)
		}
		return failed(err)
	}
	if x.payload.Dummy && x.person != nil {
		if sameName(x.person, x.payload.Candidate) {
			x.notef("the person with the dummy address has the candidate's name: an earlier attempt created it, and its record is lost")
			return outcome{}
		}
		return s.replaceDummy(ctx, x)
	}
	return outcome{}
}

// prove reads a recorded person without a proof that this service recorded it. If the person has
// another email, the record is ignored and the email is looked up.
func (s resolveStage) prove(ctx context.Context, x *export) error {
	p, err := s.finder.byID(ctx, x.personID)
	if err != nil {
		return err
	}
	if p != nil && strings.EqualFold(p.Email, x.payload.Candidate.Email) {
		x.personID = p.ID
		return nil
	}
	if p != nil {
		s.forged(ctx, store.ForgedExport, x.ref, "recorded person ignored: it has another e-mail")
		x.notef("person %d, recorded in Redis without proof, has another email, so the email is looked up", x.personID)
	}
	x.personID, x.personMade = 0, false
	return nil
}

// sameName distinguishes a person that this export created, before Redis lost the record, from a
// stranger with the same dummy address.
func sameName(p *icims.Person, c input.Candidate) bool {
	return strings.EqualFold(p.FirstName, c.FirstName) && strings.EqualFold(p.LastName, c.LastName)
}

// settleCreate finds out whether a POST with a lost response took effect. If so, the person found
// belongs to this export; otherwise the POST is repeated.
func (s resolveStage) settleCreate(ctx context.Context, x *export) outcome {
	f, err := s.lookups.one(ctx, x)
	if err != nil {
		return failed(err)
	}
	if why, spent := s.retries.spent(x.claim); f.none() && spent {
		x.notef("iCIMS has no person with this email: the lost POST did not take effect and is not repeated")
		return outcome{kind: dead, reason: why}
	}
	if f.none() {
		x.notef("iCIMS has no person with this email: the lost POST did not take effect and is repeated")
		return outcome{}
	}
	x.personID, x.personMade = f.people[0].ID, true
	x.notef("the lost POST created person %d, which is adopted", x.personID)
	// What was to be added after the create is added now. Not to a person who may be an employee:
	// somebody else may have entered that person meanwhile.
	if p := f.people[0]; p.Protected() || p.Folder.IsZero() && s.conn.MissingFolder != store.MissingFolderCandidate {
		x.unwarn(mapping.WarningIncomplete)
	}
	err = s.ledger.Step(ctx, x.claim, store.Step{
		To: store.Created, Lease: s.settings.Lease, Person: int64(x.personID), PersonMade: true, Warnings: x.warnings.Codes(),
		Entry: x.entry(s.now(), "resolved"),
	})
	if err != nil {
		return ledgerFault(err)
	}
	x.findings = nil // recorded
	return outcome{}
}

// find sets x.person from the cheapest source: the person recently known under this email, the
// look-up of the chunk, or a new look-up.
func (s resolveStage) find(ctx context.Context, x *export) error {
	if id := x.claim.KnownPerson; id != 0 {
		p, err := s.finder.byID(ctx, icims.PersonID(id))
		if err != nil {
			return err
		}
		// An administrator may have changed the person's email since. If iCIMS shows none, or the
		// person was merged, only a person that this service recorded is trusted: a search may
		// not show it yet.
		proven := x.claim.KnownProven
		switch {
		case p == nil:
		case strings.EqualFold(p.Email, x.payload.Candidate.Email), proven && (p.Email == "" || p.ID != icims.PersonID(id)):
			if p.ID != icims.PersonID(id) {
				x.notef("person %d was merged into person %d", id, p.ID)
				x.warn(mapping.WarningPersonMerged)
			}
			x.person = p
			return nil
		case !proven && p.Email != "":
			s.forged(ctx, store.ForgedExport, x.ref, "known person ignored: it has another e-mail")
		}
	}
	f, err := s.lookups.of(ctx, x)
	if err != nil {
		return err
	}
	if len(f.people) > 0 {
		x.person = f.people[0]
		x.notef("person %d already has this email", x.person.ID)
	}
	if len(f.people) > 1 {
		x.warn(mapping.WarningSeveralProfiles)
	}
	return nil
}

// replaceDummy gives the export another dummy address. The first one belongs to another person, who
// must not be overwritten.
func (s resolveStage) replaceDummy(ctx context.Context, x *export) outcome {
	for range maxDummies {
		p := x.payload
		p.Candidate.Email = input.DummyEmail(int32(uint32(s.retries.random()*(1<<32))), cmp.Or(s.conn.DummyDomain, s.settings.DummyDomain))
		free, err := s.ledger.Redraw(ctx, x.claim, s.ledger.Keys().EmailHash(x.ref.Customer, p.Candidate.Email), p.Encode())
		if err != nil {
			return ledgerFault(err)
		}
		if !free {
			continue
		}
		x.payload, x.person = p, nil
		x.notef("the dummy address was taken, so a new one was generated")
		f, err := s.lookups.one(ctx, x)
		if err != nil {
			return failed(err)
		}
		if f.none() {
			return outcome{}
		}
	}
	return outcome{kind: dead, reason: store.ReasonDummyTaken}
}
