package worker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// gate grants the permits for calls of one customer, for this process: rate,
// calls in flight, and what the account allows. It sits in the transport, so that
// no call is made without a permit.
type gate struct {
	account  *account
	rate     *rate.Limiter
	inFlight chan struct{}
	perDay   int

	draining context.Context    //nolint:containedctx // the lane's life, not that of a call; ends when the worker stops
	drain    context.CancelFunc // refuses all further calls and wakes those that wait
}

func newGate(a *account, limits store.Limits) *gate {
	draining, drain := context.WithCancel(context.Background())
	return &gate{
		account:  a,
		rate:     rate.NewLimiter(rate.Limit(limits.CallsPerSecond), limits.Burst),
		inFlight: make(chan struct{}, limits.InFlight),
		perDay:   limits.CallsPerDay,
		draining: draining, drain: drain,
	}
}

// refusal returns why no call may be made now, or nil.
func (g *gate) refusal() *icims.RefusedError {
	if g.draining.Err() != nil {
		return &icims.RefusedError{Reason: icims.Reason(store.ReasonShuttingDown)}
	}
	return g.account.refusal(g.perDay)
}

// enter waits for a permit. The error is a refusal, or the context's.
func (g *gate) enter(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.draining, cancel)()
	if err := g.wait(ctx); err != nil {
		if refused := g.refusal(); refused != nil {
			return refused
		}
		return err
	}
	return nil
}

func (g *gate) wait(ctx context.Context) error {
	if refused := g.refusal(); refused != nil {
		return refused
	}
	select {
	case g.inFlight <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := g.rate.Wait(ctx); err != nil {
		g.leave()
		return err
	}
	// The wait may have been long enough for the gate to close.
	if refused := g.refusal(); refused != nil {
		g.leave()
		return refused
	}
	g.account.spend()
	return nil
}

func (g *gate) leave() { <-g.inFlight }

// middleware puts the gate into the client's transport chain.
func (g *gate) middleware(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if err := g.enter(req.Context()); err != nil {
			return nil, err
		}
		answer, err := next.RoundTrip(req)
		if err != nil {
			g.leave()
			return nil, err
		}
		g.account.observe(answer.StatusCode, answer.Header)
		answer.Body = &leavingBody{ReadCloser: answer.Body, leave: sync.OnceFunc(g.leave)}
		return answer, nil
	})
}

// leavingBody gives the permit back when the answer has been read.
type leavingBody struct {
	io.ReadCloser
	leave func()
}

func (b *leavingBody) Close() error {
	defer b.leave()
	return b.ReadCloser.Close()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// admits returns why calls for the customer make no sense now, as an error of
// the client, or nil.
func (l *lane) admits() error {
	if refused := l.gate.refusal(); refused != nil {
		return notNow(refused)
	}
	if refused := l.breaker.refusal(); refused != nil {
		return notNow(refused)
	}
	return nil
}

// notNow makes a refusal look as if the transport had given it.
func notNow(r *icims.RefusedError) error {
	after := r.After
	if !r.Until.IsZero() {
		after = time.Until(r.Until)
	}
	return &icims.Error{Op: "admit", Class: icims.ClassDefer, Reason: r.Reason, RetryAfter: max(after, 0), Err: errors.Unwrap(r)}
}
