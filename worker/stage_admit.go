package worker

import (
	"context"

	"github.com/seekout/icims-export/store"
)

// admitStage asks whether calls for the customer make sense now. The permits
// themselves are taken by the transport, one for each call, so that no code
// path can spend unseen.
type admitStage struct{ *lane }

func (s admitStage) exec(ctx context.Context, x *export) outcome {
	if !s.throttle.take(x.claim) {
		return outcome{kind: deferred, reason: store.ReasonRetryThrottled, after: s.settings.RetryMin}
	}
	// A look-up that finds nobody proves nothing there. The test candidate of a verification finds out
	// when that has changed.
	if s.conn.Profile.SeesPeople == store.No && !s.errand {
		return outcome{kind: deferred, reason: store.ReasonPeopleHidden, after: probePause}
	}
	if refused := s.admits(ctx); refused != nil {
		return failed(refused)
	}
	return outcome{}
}
