package worker

import (
	"context"
	"errors"
	"slices"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
)

// attachStage links the person to the job once: iCIMS has one workflow for each person and job
// (API sheet §9.2).
type attachStage struct{ *lane }

func (s attachStage) exec(ctx context.Context, x *export) outcome {
	if !x.isJob() {
		return outcome{kind: done}
	}
	// An existing person may be linked to the job already. So may one created by an earlier
	// attempt: another export with the same email may have run in between.
	if !x.createdNow {
		id, err := s.existing(ctx, x)
		if err != nil {
			return failed(err)
		}
		if id != 0 {
			x.notef("workflow %d already links the person to the job", id)
			s.recheckStatus(ctx, x, id)
			return outcome{kind: done, workflow: id}
		}
		if why, spent := s.retries.spent(x.claim); x.claim.Intent == store.IntentWorkflow && spent {
			x.notef("the lost POST created no workflow and is not repeated")
			return outcome{kind: dead, reason: why}
		}
		if x.claim.Intent == store.IntentWorkflow {
			x.notef("the lost POST created no workflow and is repeated")
		}
	}
	// Wait here before the intent is recorded, so that waiting exports have no open write.
	known, end, err := s.tenant.beginStatus(ctx)
	if err != nil {
		return stopped(ctx)
	}
	defer end()
	x.status = known
	if x.claim.State != store.Placing {
		step := store.Step{
			To: store.Placing, Lease: s.settings.Lease, Person: int64(x.personID), PersonMade: x.personMade, Warnings: x.warnings.Codes(),
		}
		if err := s.ledger.Step(ctx, x.claim, step); err != nil {
			return ledgerFault(err)
		}
	}
	return s.createWorkflow(ctx, x)
}

// existing returns the workflow that links the person to the job, or 0. It is not documented
// whether a search finds every workflow, so it also reads the workflow of the pair.
func (s attachStage) existing(ctx context.Context, x *export) (icims.WorkflowID, error) {
	// Searches may not show a new workflow yet.
	if id := x.claim.KnownWorkflows[int64(x.job)]; id != 0 && x.claim.KnownPerson == int64(x.personID) {
		return icims.WorkflowID(id), nil
	}
	ids, _, err := s.client.SearchWorkflows(ctx, icims.PersonJobQuery(x.personID, x.job))
	searched := s.conn.Profile.FindsPair != store.No
	if e, ok := errors.AsType[*icims.Error](err); ok && denied(e) { // the account may still read the pair
		searched = false
	} else if err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return s.ofPair(ctx, x, searched)
	}
	return slices.Min(ids), nil
}

// ofPair reads the workflow of the person and job (API sheet §9.3), unless the tenant does not
// support that. In that case it returns the workflow of an earlier export. If searches do not
// show workflows either (searched is false), the result is a doubt.
func (s attachStage) ofPair(ctx context.Context, x *export, searched bool) (icims.WorkflowID, error) {
	if s.tenant.pairUnsupported(s.conn.Profile.ReadsPair) {
		if m := x.claim.Marker; m != nil && m.Person == int64(x.personID) && m.Workflows[int64(x.job)] != 0 {
			return icims.WorkflowID(m.Workflows[int64(x.job)]), nil
		}
		if !searched {
			return 0, &doubt{reason: store.ReasonLinkUnreadable}
		}
		return 0, nil
	}
	w, _, err := s.client.PairWorkflow(ctx, x.personID, x.job)
	e, ok := errors.AsType[*icims.Error](err)
	switch {
	case err == nil:
		s.tenant.pairAnswered()
		return w.ID, nil
	case ok && e.Missing():
		s.tenant.pairAnswered()
		return 0, nil
	case !ok || !noAnswer(e):
		return 0, err
	}
	s.tenant.pairFailed()
	return 0, &doubt{reason: store.ReasonLinkUnreadable, passes: true, err: err}
}

// noAnswer reports whether a route may be missing or forbidden for this account, rather than
// failing temporarily.
func noAnswer(e *icims.Error) bool {
	switch e.Reason {
	case icims.ReasonBadAnswer, icims.ReasonIntercepted, icims.ReasonRedirected:
		return true
	default:
		return denied(e)
	}
}

// denied reports whether iCIMS refuses the call whatever its record.
func denied(e *icims.Error) bool {
	return e.Class == icims.ClassPermanent || e.Class == icims.ClassAccess
}

// createWorkflow posts the workflow. It sends it again without a refused source, and with another
// status or none if the status is refused.
func (s attachStage) createWorkflow(ctx context.Context, x *export) outcome {
	known := x.status
	status, source := known.ref, s.tenant.takesSource(s.conn)
	for {
		fields := mapping.Workflow(x.personID, x.job, s.conn, status)
		if !source {
			delete(fields, mapping.FieldSource)
			x.warn(mapping.WarningFieldRefused.About(mapping.FieldSource))
		}
		id, answer, err := s.client.CreateWorkflow(ctx, fields)
		if err == nil {
			x.sentWorkflow = append(x.sentWorkflow, fields)
			s.checkStatus(ctx, x, id, status, known, x.warnWorkflow(answer))
			return outcome{kind: done, workflow: id}
		}
		refusal, ok := errors.AsType[*icims.Error](err)
		if !ok || refusal.Class != icims.ClassPermanent {
			return failed(err)
		}
		unnamed := refusal.Reason == icims.ReasonFieldRefused && len(refusal.Fields()) == 0
		if unnamed && !x.createdNow { // it may mean that the workflow exists
			if o := s.linked(ctx, x); o.kind != proceed {
				return o
			}
		}
		switch {
		case (isAbout(refusal, mapping.FieldStatus) || unnamed) && !status.IsZero():
			if status, err = s.nextStatus(ctx, status, known); err != nil {
				return failed(err)
			}
		case (isAbout(refusal, mapping.FieldSource) || unnamed) && source:
			s.tenant.refuseSource(s.conn)
			source = false
		default:
			return s.refused(ctx, x, refusal)
		}
	}
}

// refused distinguishes an existing workflow from a true refusal. How iCIMS answers a second POST
// for a pair is not documented (API sheet §9.2).
func (s attachStage) refused(ctx context.Context, x *export, refusal *icims.Error) outcome {
	if refusal.Status == 400 || refusal.Status == 409 {
		if o := s.linked(ctx, x); o.kind != proceed {
			return o
		}
	}
	if refusal.Reason != icims.ReasonNotFound {
		return failed(refusal)
	}
	return s.notFound(ctx, x, refusal)
}

// linked ends the export if a workflow links the person to the job, and proceeds otherwise.
func (s attachStage) linked(ctx context.Context, x *export) outcome {
	id, err := s.existing(ctx, x)
	switch {
	case err != nil:
		return failed(err)
	case id != 0:
		x.notef("iCIMS refused a second workflow; workflow %d already exists", id)
		return outcome{kind: done, workflow: id}
	}
	return outcome{}
}

// notFound finds out whether the person or the job is gone.
func (s attachStage) notFound(ctx context.Context, x *export, refusal *icims.Error) outcome {
	p, err := s.finder.byID(ctx, x.personID)
	switch {
	case err != nil:
		return failed(err)
	case p == nil:
		x.notef("person %d no longer exists in iCIMS, so the email is looked up again", x.personID)
		o := failed(refusal)
		o.kind, o.forget = retry, true
		return o
	case p.ID != x.personID:
		return s.merged(ctx, x, p.ID)
	}
	o := failed(refusal)
	switch state, err := s.readJob(ctx, x.job); {
	case err != nil:
		return failed(err)
	case state == store.JobThere:
		x.notef("iCIMS knows both the person and job %d, so the workflow is retried", x.job)
		o.kind = retry
	default:
		// The person exists, so the job must be missing, even if the account may not read jobs.
		o.reason = store.ReasonJobNotFound
		s.noteJob(ctx, x, store.JobMissing)
	}
	return o
}

// merged continues with the person that the export's person was merged into. The recorded intent
// covers this POST too: if its response is lost, the next attempt follows the merge again.
func (s attachStage) merged(ctx context.Context, x *export, into icims.PersonID) outcome {
	x.notef("person %d was merged into person %d", x.personID, into)
	x.warn(mapping.WarningPersonMerged)
	x.personID, x.personMade, x.createdNow = into, false, false
	id, err := s.existing(ctx, x)
	if err != nil {
		return failed(err)
	}
	if id != 0 {
		x.notef("workflow %d already links the person to the job", id)
		return outcome{kind: done, workflow: id}
	}
	return s.createWorkflow(ctx, x)
}
