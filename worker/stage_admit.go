package worker

import (
	"context"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// admitStage asks whether calls for the customer make sense now. The permits
// themselves are taken by the transport, one for each call, so that no code
// path can spend unseen. A job that is not there is not tried with each candidate
// of a batch, which would leave a profile of each in iCIMS.
type admitStage struct{ *lane }

func (s admitStage) exec(ctx context.Context, x *export) outcome {
	if s.fresh(x) && s.tenant.lacksJob(x.job, s.now()) {
		x.tellf("iCIMS has just refused job %d to several candidates, so no profile was made for this one", x.job)
		return outcome{kind: dead, reason: store.ReasonJobNotFound}
	}
	if !s.throttle.take(x.claim) {
		return outcome{kind: deferred, reason: store.ReasonRetryThrottled, after: s.settings.RetryMin}
	}
	// Whoever has taken one of the day's last calls is not sent away because there are
	// no more.
	if refused := s.admits(ctx); refused != nil && (icims.ReasonOf(refused) != icims.ReasonQuotaExhausted || !x.reserved.good()) {
		return failed(refused)
	}
	return outcome{}
}

// fresh reports whether nothing was done for an export yet. Whatever was begun is gone
// on with, an operator's retry is a real one, and a verification asks iCIMS.
func (s admitStage) fresh(x *export) bool {
	c := x.claim
	return !s.errand && x.task.Generation == 0 && x.personID == 0 && c.Intent == store.NoIntent && c.Attempts == 0
}
