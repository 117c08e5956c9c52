package worker

import (
	"context"
	"net/http"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/limiter"
)

// closed returns why no export should begin now: what the limiter knows, or an open
// breaker. Its zero value means that one may.
func (l *lane) closed(express bool) store.Closure {
	if c := l.limiter.Closed(express); !c.Open() {
		return store.ClosureOf(c)
	}
	if refused := l.breaker.refusal(); refused != nil && !l.errand {
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

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
