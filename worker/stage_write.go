package worker

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
)

// writeStage creates or updates the person.
type writeStage struct{ *lane }

func (s writeStage) exec(ctx context.Context, x *export) outcome {
	switch {
	case x.personID != 0: // written by an earlier attempt
		return s.resume(ctx, x)
	case x.person != nil:
		return s.update(ctx, x)
	default:
		return s.create(ctx, x)
	}
}

// create posts the person. It records the intent before the request is sent, and the ID as soon
// as it is known.
func (s writeStage) create(ctx context.Context, x *export) outcome {
	// Everything is sent again, whatever an earlier attempt left out.
	x.forgetLeftOut()
	if err := s.recordCreating(ctx, x, nil); err != nil {
		return ledgerFault(err)
	}
	fields, ws := mapping.Person(x.payload.Candidate, s.conn)
	x.warn(ws...)
	held, err := s.sendFields(x, request{fields: fields}, func(r *request) (*icims.Response, error) {
		// A worker that dies after this create must not lose what it leaves out.
		if left := slices.Concat(r.held, r.dropped); len(left) > 0 {
			if err := s.recordCreating(ctx, x, left); err != nil {
				return nil, err
			}
		}
		id, answer, err := s.client.CreatePerson(ctx, r.fields)
		x.personID = id
		return answer, err
	})
	if err != nil {
		x.personID = 0
		if _, called := errors.AsType[*icims.Error](err); !called {
			return ledgerFault(err)
		}
		if addressTaken(err) {
			return s.useExisting(ctx, x, err)
		}
		return failed(err)
	}
	x.personMade, x.createdNow = true, true
	s.tenant.noteCreated(x.payload.Candidate.Email, x.personID)
	if doubted := s.doubted(x); len(held)+len(doubted) > 0 {
		return s.addEntries(ctx, x, held, doubted)
	}
	if !x.isJob() {
		return outcome{} // the record stage saves the person together with the end
	}
	// Record the person immediately. If the workflow's POST is next, record its intent too.
	to := store.Created
	if s.tenant.knownStatus().settled {
		to = store.Placing
	}
	return s.recordSurely(ctx, func(ctx context.Context) error {
		return s.ledger.Step(ctx, x.claim, store.Step{
			To: to, Lease: s.settings.Lease, Person: int64(x.personID), PersonMade: true, Warnings: x.warnings.Codes(),
		})
	})
}

// recordCreating records that a create is about to be sent, and what it leaves out for later.
func (s writeStage) recordCreating(ctx context.Context, x *export, left []request) error {
	ws := slices.Clone(x.warnings)
	if len(left) > 0 {
		ws.Add(mapping.WarningIncomplete)
		ws.Add(s.tenant.aboutRequests(left)...)
	}
	return s.ledger.Step(ctx, x.claim, store.Step{To: store.Creating, Lease: s.settings.Lease, Warnings: ws.Codes()})
}

// forgetLeftOut removes the warnings of an earlier attempt about what is not in iCIMS.
func (x *export) forgetLeftOut() {
	x.warnings = slices.DeleteFunc(x.warnings, func(w mapping.Warning) bool {
		return w.Code() == mapping.WarningFieldRefused || w == mapping.WarningIncomplete || w == mapping.WarningFolderDropped || (mapping.WarningSet{w}).Owes()
	})
}

// addressTaken reports whether iCIMS refuses a second person with the address. Whether it does so
// is not documented (API sheet §5.3).
func addressTaken(err error) bool {
	e, ok := errors.AsType[*icims.Error](err)
	if !ok || e.Class != icims.ClassPermanent {
		return false
	}
	return e.Reason == icims.ReasonConflict || e.Reason == icims.ReasonFieldRefused && slices.Equal(e.Fields(), []string{mapping.FieldEmail})
}

// conflictTries is how often the export looks for a person that exists according to iCIMS. Searches
// lag, but a profile hidden from the account never appears.
const conflictTries = 4

// useExisting continues with the person that the look-up missed.
func (s writeStage) useExisting(ctx context.Context, x *export, refusal error) outcome {
	if x.payload.Dummy {
		// Another person has it, who must not be overwritten: the next attempt finds that person
		// and generates another address.
		return outcome{kind: retry, reason: store.ReasonDummyTaken, err: refusal}
	}
	f, err := s.lookups.one(ctx, x)
	if err != nil {
		return failed(err)
	}
	if f.none() {
		o := failed(refusal)
		o.reason = store.Reason(icims.ReasonConflict)
		if x.claim.Attempts < conflictTries {
			o.kind = retry
		}
		return o
	}
	x.person = f.people[0]
	x.notef("iCIMS refused a second profile with this email; person %d has it", x.person.ID)
	step := store.Step{To: store.Created, Lease: s.settings.Lease, Person: int64(x.person.ID), Warnings: x.warnings.Codes()}
	if err := s.ledger.Step(ctx, x.claim, step); err != nil {
		return ledgerFault(err)
	}
	return s.update(ctx, x)
}

// update changes differing fields and adds missing phones. It leaves work experience and
// education alone. All its calls are repeatable, so it needs no intent.
func (s writeStage) update(ctx context.Context, x *export) outcome {
	id := x.person.ID
	x.forgetLeftOut() // of a create that was refused because the person exists
	hidden := x.person.Folder.IsZero() && s.conn.MissingFolder != store.MissingFolderCandidate
	if hidden || x.person.Protected() {
		x.warn(mapping.WarningNotUpdated)
		if hidden {
			x.warnings = slices.DeleteFunc(x.warnings, func(w mapping.Warning) bool { return w == mapping.WarningNotUpdated })
			x.warn(mapping.WarningFolderHidden)
		}
		x.warn(s.owed(x)...)
		x.personID = id
		return outcome{}
	}
	changes, phones, ws := mapping.Changes(x.payload.Candidate, s.conn, *x.person)
	x.warn(ws...)
	if len(changes) > 0 {
		_, err := s.sendFields(x, request{fields: changes, update: true}, func(r *request) (*icims.Response, error) { return s.client.PatchPerson(ctx, id, r.fields) })
		if err = s.toleratedUpdate(x, err); err != nil {
			return s.updateFailed(err)
		}
	}
	for _, phone := range phones {
		err := s.addEntry(ctx, x, id, request{collection: mapping.FieldPhones, fields: phone})
		if err = s.toleratedUpdate(x, err); err != nil {
			return s.updateFailed(err)
		}
	}
	if err := s.toleratedUpdate(x, s.fill(ctx, x, id, s.owed(x))); err != nil {
		return s.updateFailed(err)
	}
	x.personID = id
	return outcome{}
}

// toleratedUpdate returns nil for iCIMS's final refusal to change this person: it does not keep the
// person off the job.
func (s writeStage) toleratedUpdate(x *export, err error) error {
	e, ok := errors.AsType[*icims.Error](err)
	switch {
	case !ok, e.Reason == icims.ReasonNotFound:
		return err
	// A 403 is about the right to change people, unless other calls are refused as well.
	case e.Class == icims.ClassPermanent, e.Class == icims.ClassAccess && e.Status == http.StatusNotFound,
		e.Reason == icims.ReasonAccessDenied && s.limiter.SucceededRecently():
		x.notef("iCIMS refused to change person %d", x.person.ID)
		x.warn(mapping.WarningUpdateRefused)
		return nil
	}
	return err
}

// updateFailed retries if the person was merged or purged between the read and the write.
func (s writeStage) updateFailed(err error) outcome {
	o := failed(err)
	if icims.ReasonOf(err) == icims.ReasonNotFound {
		o.kind = retry
	}
	return o
}

// sendFields sends a request. If iCIMS refuses fields that the export does not need, it sends the
// rest again: a refused request has written nothing (API sheet §3.2). It returns the entries that
// have to be added one by one.
func (s writeStage) sendFields(x *export, r request, send func(*request) (*icims.Response, error)) (held []request, err error) {
	x.warn(s.tenant.prepare(&r)...)
	for {
		// Nothing is left to send.
		if len(r.fields) == 0 {
			x.warn(s.tenant.blame(&r)...)
			return r.held, nil
		}
		answer, err := send(&r)
		if err == nil {
			sent := r.fields
			if r.collection != "" {
				sent = icims.Fields{r.collection: []icims.Fields{r.fields}}
			}
			x.sentPerson = append(x.sentPerson, sent)
			s.tenant.accepted(r, x.warnAnswer(s.tenant, r, answer))
			x.warn(s.tenant.blame(&r)...)
			return r.held, nil
		}
		refusal, ok := errors.AsType[*icims.Error](err)
		var ws []mapping.Warning
		if ok {
			ws, ok = s.tenant.dropRefused(&r, refusal)
		}
		if !ok {
			// A create may have taken effect: what was left out of it is not in iCIMS then.
			if left := slices.Concat(r.held, r.dropped); icims.ClassOf(err) == icims.ClassUnknown && len(left) > 0 {
				x.warn(mapping.WarningIncomplete)
				x.warn(s.tenant.aboutRequests(left)...)
			}
			return nil, err
		}
		x.notef("iCIMS refused %s, so the rest was sent", cmp.Or(strings.Join(refusal.Fields(), ", "), "an unnamed field"))
		x.warn(ws...)
	}
}

// warnAnswer adds iCIMS's warnings about a saved record, and returns their fields. Such a field
// counts as refused: it may not have been stored.
func (x *export) warnAnswer(t *tenant, r request, answer *icims.Response) map[string]bool {
	if answer == nil {
		return nil
	}
	warned := map[string]bool{}
	for _, p := range answer.Warnings {
		name, child, held := r.locate(p.Field)
		warned[name] = held
		if !held || name == mapping.FieldSource || slices.Contains(requiredFields, name) {
			x.warn(mapping.WarningSaved.About(p.Field))
			continue
		}
		x.notef("iCIMS saved the record without %s", p.Field)
		x.savedWithout = append(x.savedWithout, name)
		x.warn(t.aboutField(name, child)...)
	}
	return warned
}
