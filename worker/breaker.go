package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"github.com/sony/gobreaker/v2"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// breaker suspends the calls of one customer while its iCIMS keeps failing. Only faults of iCIMS
// count: refused data, used-up limits and canceled calls say nothing about its health.
type breaker struct {
	circuit *gobreaker.TwoStepCircuitBreaker[any]
	outage  *outage
}

const (
	breakerWindow    = time.Minute
	breakerBucket    = 6 * time.Second
	breakerOpenFor   = 15 * time.Second
	breakerMinCalls  = 10
	breakerTripRatio = 0.6
)

// newBreaker returns a closed breaker. onChange is called with each new state and must not block.
func newBreaker(customer string, log zerolog.Logger, onChange func(state string)) *breaker {
	o := &outage{}
	return &breaker{outage: o, circuit: gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		Name:         customer,
		MaxRequests:  1,
		Interval:     breakerWindow,
		BucketPeriod: breakerBucket,
		Timeout:      breakerOpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			// Signed: a call and its result may fall into different buckets.
			judged := int64(c.Requests) - int64(c.TotalExclusions)
			return judged >= breakerMinCalls && float64(c.TotalFailures) >= breakerTripRatio*float64(judged)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNoVerdict) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			log.Warn().Stringer("from", from).Stringer("to", to).Msg("circuit breaker changed state")
			o.breakerChanged(to == gobreaker.StateClosed, time.Now())
			onChange(to.String())
		},
	})}
}

// errNoVerdict marks a call that says nothing about iCIMS's health.
var errNoVerdict = errors.New("the call does not count for the circuit breaker")

// reportBreaker returns the function that stores the state of a customer's breaker.
func (w *Worker) reportBreaker(customer string) func(state string) {
	return func(state string) {
		w.observer.BreakerIs(state)
		select {
		case <-w.ended: // Stop may be past waiting for the background
			return
		default:
		}
		spawn(&w.background, w.log, "circuit breaker", func() {
			ctx, cancel := context.WithTimeout(context.Background(), ackTime)
			defer cancel()
			if err := w.ledger.AuditLog.RecordBreaker(ctx, customer, w.id, state); err != nil {
				w.log.Warn().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("could not record the circuit breaker's state")
			}
		})
	}
}

func (b *breaker) refusal() *icims.RefusedError {
	if b.circuit.State() != gobreaker.StateOpen {
		return nil
	}
	return &icims.RefusedError{Reason: icims.Reason(store.ReasonBreakerOpen), After: breakerOpenFor}
}

// unreachable reports whether the customer's iCIMS keeps failing in this process, so that other
// processes should serve the customer if they can.
func (b *breaker) unreachable() bool {
	return b.circuit.State() != gobreaker.StateClosed
}

// middleware adds the breaker to the client's transport chain.
func (b *breaker) middleware(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		report, err := b.circuit.Allow()
		if err != nil {
			return nil, &icims.RefusedError{Reason: icims.Reason(store.ReasonBreakerOpen), After: breakerOpenFor, Err: err}
		}
		return judgedBy(report, next, req)
	})
}

// judgedBy makes a call and reports its result. A panic says nothing about iCIMS.
func judgedBy(report func(error), next http.RoundTripper, req *http.Request) (answer *http.Response, err error) {
	verdict := errNoVerdict
	defer func() { report(verdict) }()
	answer, err = next.RoundTrip(req)
	verdict = health(req, answer, err)
	return answer, err
}

// watch passes every call, and learns from those that the breaker would pass: control tasks have
// to find out how iCIMS is doing.
func (b *breaker) watch(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		report, err := b.circuit.Allow()
		if err != nil {
			return next.RoundTrip(req)
		}
		return judgedBy(report, next, req)
	})
}

// health judges one call: nil for a healthy iCIMS, errNoVerdict, or a fault.
func health(req *http.Request, answer *http.Response, err error) error {
	switch {
	case err == nil && (answer.StatusCode >= 500 || answer.StatusCode == http.StatusRequestTimeout):
		return fmt.Errorf("status %d", answer.StatusCode)
	case err == nil && icims.AccountStatus(icims.OpOf(req.Context()), answer) == icims.StatusIntercepted:
		return fmt.Errorf("status %d, not from iCIMS", answer.StatusCode)
	case err == nil && answer.StatusCode >= 400:
		return errNoVerdict
	case err == nil:
		return nil
	}
	// The call's own deadline is a timeout of iCIMS; the end of the caller's context is not.
	if _, refused := errors.AsType[*icims.RefusedError](err); refused || req.Context().Err() != nil || errors.Is(err, context.Canceled) {
		return errNoVerdict
	}
	return err
}
