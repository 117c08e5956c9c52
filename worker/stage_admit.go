package worker

import (
	"context"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/limiter"
)

// admitStage checks whether calls for the customer are allowed now. The permits themselves are
// taken by the transport, one per call, so no code path can spend calls unseen.
type admitStage struct{ *lane }

func (s admitStage) exec(ctx context.Context, x *export) outcome {
	if !s.throttle.take(x.claim) {
		return outcome{kind: deferred, reason: store.ReasonRetryThrottled, after: s.settings.RetryMin}
	}
	// In such a tenant a look-up without hits proves nothing. The test candidate of a
	// verification detects when that changes.
	if s.conn.Profile.SeesPeople == store.No && !s.control {
		return outcome{kind: deferred, reason: store.ReasonPeopleHidden, after: probePause}
	}
	// A first verification is still looking for its test candidate.
	if held := time.UnixMilli(s.conn.Profile.HeldUntil).Sub(s.now()); held > 0 && !s.control {
		return outcome{kind: deferred, reason: store.ReasonPeopleHidden, after: held}
	}
	if refused := s.admits(ctx); refused != nil {
		return failed(refused)
	}
	return outcome{}
}

// closed returns why exports must not begin now: a closure of the limiter or an open breaker. The
// zero value means that they may.
func (l *lane) closed(express bool) store.Closure {
	if c := l.limiter.Closed(express); !c.Open() {
		return store.ClosureOf(c)
	}
	if refused := l.breaker.refusal(); refused != nil && !l.control {
		return store.Closure{Reason: store.ReasonBreakerOpen, Until: l.now().Add(refused.After)}
	}
	return store.Closure{}
}

// pausedPause bounds the delay of exports of a paused customer: the pause may end early.
const pausedPause = time.Minute

// admits returns why calls for the customer are not allowed now, as a client error, or nil.
func (l *lane) admits(ctx context.Context) error {
	c := l.closed(limiter.IsExpress(ctx))
	if c.Open() {
		return nil
	}
	refused := &icims.Error{Op: "admit", Class: icims.ClassDefer, Reason: icims.Reason(c.Reason)}
	if !c.Until.IsZero() {
		refused.RetryAfter = max(c.Until.Sub(l.now()), 0)
	}
	if c.Reason == store.ReasonPaused && (c.Until.IsZero() || refused.RetryAfter > pausedPause) {
		refused.RetryAfter = pausedPause
	}
	return refused
}
