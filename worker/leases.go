package worker

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// leases renews the claims of the exports that run in a lane. It cancels an export that another
// worker has taken over.
type leases struct {
	ledger *store.Ledger
	lease  time.Duration
	// trusted is how long after a renewal a write may begin. A worker that takes over waits the
	// settle time from the last renewal. By then a write begun in time has timed out, and iCIMS
	// had as long again to complete it.
	trusted time.Duration
	now     func() time.Time

	mu   sync.Mutex
	held map[*store.Claim]*holding
}

// holding is a claim held by this worker.
type holding struct {
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	renewed time.Time // when the last successful renewal was requested
}

func (h *holding) renewedAt(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.renewed = t
}

func (h *holding) age(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Sub(h.renewed)
}

func newLeases(ledger *store.Ledger, s Settings, now func() time.Time) *leases {
	return &leases{
		ledger: ledger, lease: s.Lease, trusted: max(min(s.Lease, s.SettleTime-2*s.CallTimeout), s.CallTimeout/10, 10*time.Millisecond), now: now,
		held: map[*store.Claim]*holding{},
	}
}

type holdingKey struct{}

// begin returns a context for the calls of one export, and the holding of its claim.
func (l *leases) begin(ctx context.Context) (context.Context, *holding) {
	h := &holding{}
	ctx, h.cancel = context.WithCancelCause(ctx)
	return context.WithValue(ctx, holdingKey{}, h), h
}

// hold starts renewing a claim that was requested at a time.
func (l *leases) hold(c *store.Claim, h *holding, asked time.Time) {
	h.renewedAt(asked)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[c] = h
}

func (l *leases) release(c *store.Claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, c)
}

// renew renews the claims until ctx ends.
func (l *leases) renew(ctx context.Context) {
	// A third leaves two more tries before the claim is no longer trusted.
	ticker := time.NewTicker(l.trusted / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		l.mu.Lock()
		held := maps.Clone(l.held)
		l.mu.Unlock()
		for claim, h := range held {
			asked := l.now()
			err := l.ledger.Renew(ctx, claim, l.lease)
			switch {
			case err == nil:
				h.renewedAt(asked)
			case errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrGone):
				h.cancel(err)
			default: // faults of Redis: try again in the next round
			}
		}
	}
}

// errUntrusted is the cause of a deferred write.
var errUntrusted = errors.New("the claim was not renewed recently")

// untrustedPause is the delay before a deferred write is tried again.
const untrustedPause = time.Second

// middleware defers writes that must not be repeated unless the claim was renewed recently. A
// process that was frozen, or that waited long for a permit during an outage of Redis, may have
// lost its export to another worker.
func (l *leases) middleware(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		h, held := req.Context().Value(holdingKey{}).(*holding)
		if held && !icims.OpOf(req.Context()).Repeatable && h.age(l.now()) > l.trusted {
			return nil, &icims.RefusedError{Reason: icims.Reason(store.ReasonClaimUnrenewed), After: untrustedPause, Err: errUntrusted}
		}
		return next.RoundTrip(req)
	})
}
