package worker

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// jobStage reads the job before the first export of a batch writes anything: otherwise a profile
// would remain whose workflow cannot be created. One call serves all processes. The stage follows
// the look-up, so that a missing right to read jobs is not mistaken for a refused account.
type jobStage struct{ *lane }

const (
	// jobPoll is the polling interval while another export reads the job.
	jobPoll = 100 * time.Millisecond
	// jobReadTries is how many attempts of an export wait for an unreadable job. Then the export
	// continues: the response to the workflow shows a missing job as well.
	jobReadTries = 3
)

func (s jobStage) exec(ctx context.Context, x *export) outcome {
	// An open write has to be resolved first.
	if !x.isJob() || x.claim.Intent != store.NoIntent {
		return outcome{}
	}
	state := x.claim.JobState
	if state == store.JobUnread || state == store.JobReading {
		var o outcome
		if state, o = s.learn(ctx, x); o.kind != proceed {
			return o
		}
	}
	if state == store.JobMissing {
		x.notef("iCIMS says that job %d does not exist, so nothing was written for this candidate", x.job)
		return outcome{kind: dead, reason: store.ReasonJobNotFound}
	}
	return outcome{}
}

// learn reads the job, or waits for the process that reads it. It waits no longer than a call may
// take, since that process may have died.
func (s jobStage) learn(ctx context.Context, x *export) (store.JobState, outcome) {
	for waited := time.Duration(0); ; waited += jobPoll {
		state, err := s.ledger.BeginJobRead(ctx, x.ref.Customer, int64(x.job))
		switch {
		case ctx.Err() != nil:
			return state, stopped(ctx)
		case err != nil:
			return state, ledgerFault(err)
		case state == store.JobUnread, state == store.JobReading && waited >= s.settings.CallTimeout:
			return s.read(ctx, x)
		case state != store.JobReading:
			return state, outcome{}
		}
		if sleep(ctx, jobPoll) != nil {
			return state, stopped(ctx)
		}
	}
}

func (s jobStage) read(ctx context.Context, x *export) (store.JobState, outcome) {
	state, err := s.readJob(ctx, x.job)
	s.noteJob(ctx, x, state)
	if err == nil {
		return state, outcome{}
	}
	if o := failed(err); o.kind != retry || x.claim.Attempts < jobReadTries {
		return state, o
	}
	x.notef("job %d could not be read; the export continues without it", x.job)
	return state, outcome{}
}

// readJob reads a job from iCIMS. An error says nothing about the job.
func (l *lane) readJob(ctx context.Context, job icims.JobID) (store.JobState, error) {
	_, _, err := l.client.Job(ctx, job, "jobtitle")
	refusal, ok := errors.AsType[*icims.Error](err)
	switch {
	case err == nil:
		return store.JobThere, nil
	case !ok:
		return store.JobUnread, err
	case refusal.Missing():
		return store.JobMissing, nil
	case refusal.Class == icims.ClassAccess, refusal.Class == icims.ClassPermanent:
		return store.JobUnreadable, nil
	}
	return store.JobUnread, err
}

// noteJob records the job's state for all processes. If that fails, the job is read again.
func (l *lane) noteJob(ctx context.Context, x *export, state store.JobState) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	if err := l.ledger.RecordJob(ctx, x.ref.Customer, int64(x.job), state); err != nil {
		l.log.Warn().Err(err).Fields(store.LogFields(err)).Msg("could not record the state of a job")
	}
}
