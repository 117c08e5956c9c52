package worker

import (
	"context"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/limiter"
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
	if s.conn.Profile.SeesPeople == store.No && !s.control {
		return outcome{kind: deferred, reason: store.ReasonPeopleHidden, after: probePause}
	}
	if refused := s.admits(ctx); refused != nil {
		return failed(refused)
	}
	return outcome{}
}

// closed returns why no export should begin now: what the limiter knows, or an open
// breaker. Its zero value means that one may.
func (l *lane) closed(express bool) store.Closure {
	if c := l.limiter.Closed(express); !c.Open() {
		return store.ClosureOf(c)
	}
	if refused := l.breaker.refusal(); refused != nil && !l.control {
		return store.Closure{Reason: store.ReasonBreakerOpen, Until: l.now().Add(refused.After)}
	}
	return store.Closure{}
}

// pausedPause is when an export looks again at the latest whose customer is paused:
// a pause may be over before its end.
const pausedPause = time.Minute

// admits returns why calls for the customer make no sense now, as an error of
// the client, or nil.
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
