package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker/control"
)

// by is the name of verifications in the ledger.
const by = "verification"

// test sends the test candidate as a normal export, so that it proves what exports do.
func (x *run) test(ctx context.Context) verdict {
	workflow := x.place(CheckTestWorkflow)
	if x.args.NoTestCandidate {
		x.set(workflow, verdict{state: Skipped, code: CodeNotAsked}, 0)
		return verdict{state: Skipped, code: CodeNotAsked}
	}
	for _, c := range x.report.Checks {
		// Without these the export would fail, or go to a job that was not seen.
		if c.State == Failed && slices.Contains([]Name{CheckPortal, CheckSearch, CheckPerson, CheckWorkflow}, c.Name) {
			return verdict{state: Skipped, code: CodeNeedsEarlier}
		}
	}
	if x.report.Job = x.args.Job; x.report.Job == 0 {
		x.report.Job = x.job
	}
	batch, ref, err := tasks.AcceptTest(ctx, x.Ledger(), x.Conn, x.DummyDomain(), x.report.Job, by+" "+x.ID)
	if err != nil {
		return failed(CodeFault, err)
	}
	x.report.Batch = batch
	x.sent = x.now()
	err = x.Export(ctx, ref, x.ExportSettled())
	if err != nil && !errors.Is(err, control.ErrExportWaits) {
		return failed(CodeFault, err)
	}
	outcomes, err := x.Ledger().Batches.Outcomes(ctx, batch, 0, 1)
	if err != nil || len(outcomes) == 0 {
		return failed(CodeFault, err)
	}
	o := outcomes[0]
	x.report.Person, x.report.Workflow = o.Person, o.Workflow
	x.there = o.Person != 0 && o.State.Ended()
	x.made = x.there && o.Counter == store.CountCreated
	candidate, onJob := x.judgeTest(o)
	x.set(workflow, onJob, 0)
	if err := x.cleanUp(ctx, batch, ref, o); err != nil {
		return failed(CodeFault, err)
	}
	return candidate
}

// judgeTest returns how the test candidate's export ended, for the person and for the workflow.
func (x *run) judgeTest(o store.Outcome) (candidate, onJob verdict) {
	onJob = verdict{state: Skipped, code: CodeNeedsEarlier}
	if x.report.Job == 0 {
		onJob.code = CodeNoJob
	}
	info := o.Reason.Info()
	switch {
	case o.State == store.Done:
		candidate = ok("created as person %d", o.Person)
		if o.Counter == store.CountUpdated {
			candidate = ok("person %d already existed and is up to date", o.Person)
		}
		if x.report.Job != 0 {
			onJob = ok("workflow %d on job %d", o.Workflow, x.report.Job)
		}
	case o.State == store.Dead && o.Person != 0 && x.report.Job != 0:
		candidate = ok("person %d", o.Person)
		onJob = verdict{state: Failed, code: CodeTestRefused, cause: capital(info.Title) + ".", remedy: sentence(info.Hint)}
		if o.Reason == store.ReasonJobNotFound {
			onJob = failed(CodeJobUnknown, nil)
		} else if o.Reason == store.Reason(icims.ReasonAccessDenied) {
			onJob = verdict{state: Failed, code: CodeRightMissing, cause: "The account may not add people to jobs (create recruiting workflows)."}
		}
		return candidate, onJob
	case o.State == store.Dead && o.Reason == store.ReasonJobNotFound:
		// Jobs are read before a person is created.
		return verdict{state: Skipped, code: CodeJobUnknown, cause: "The candidate was not sent because the job does not exist."}, failed(CodeJobUnknown, nil)
	case o.State == store.Dead && o.Reason == store.Reason(icims.ReasonAccessDenied):
		return verdict{state: Failed, code: CodeRightMissing, cause: "The account may not create or update people."}, onJob
	case o.State == store.Dead:
		return verdict{state: Failed, code: CodeTestRefused, cause: capital(info.Title) + ".", remedy: sentence(info.Hint)}, onJob
	default:
		code := CodeTestWaits
		switch icims.Reason(o.Reason) { //nolint:exhaustive // the others say no more than that it waits
		case icims.ReasonQuotaExhausted:
			code = CodeQuotaExhausted
		case icims.ReasonCredentials:
			code = CodeCredentials
		case icims.ReasonNotAuthorized:
			code = CodeNotAuthorized
		case icims.ReasonAccessDenied:
			code = CodeAccountDenied
		}
		v := failed(code, nil)
		if code == CodeTestWaits && o.Reason != "" {
			v.cause = fmt.Sprintf("%s It waits: %s.", CodeTestWaits.Info().Cause, info.Title)
		}
		return v, onJob
	}
	var texts []string
	for _, w := range mapping.ParseWarnings(o.Warnings) {
		if w.Code() == mapping.WarningStatusLater {
			x.statusLater = true
			continue
		}
		if w.Code() == mapping.WarningStatusDropped {
			onJob.state, onJob.code = Warned, CodeStatusRefused
			x.statusRefused = true
			continue
		}
		texts = append(texts, w.Text())
	}
	if len(texts) > 0 {
		candidate.state, candidate.code, candidate.cause = Warned, CodeTestPartly, strings.Join(texts, " ")
	}
	return candidate, onJob
}

func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// cleanUp leaves neither a dead letter nor a pending export: the next verification sends a new one. A
// write that may have taken effect stays to be resolved, as for any export.
func (x *run) cleanUp(ctx context.Context, batch store.BatchID, ref store.Ref, o store.Outcome) error {
	const why = "the test candidate of a verification"
	switch {
	case o.State == store.Dead:
		err := x.Ledger().DeadLetters.Discard(ctx, ref, by, why)
		if errors.Is(err, store.ErrNotDead) {
			return nil
		}
		return err
	case o.State.Ended(), o.State == store.Unknown:
		return nil
	default:
		_, err := x.Ledger().Cancel(ctx, batch, store.CancelOptions{Who: by, Why: why})
		return err
	}
}
