package limiter

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store/quota"
)

// waiter is a call waiting for a permit.
type waiter struct {
	class int
	ready chan struct{} // closed when the permit or err is set
	permit
	err error
}

// permit is a granted permit.
type permit struct {
	quota.Permit
	slot   time.Time // when the call may start
	latest time.Time // when it must have started
}

// acquire waits for a permit and for its slot. It returns a refusal or the context's error.
func (l *Limiter) acquire(ctx context.Context) (permit, error) {
	began := time.Now()
	p, err := l.await(ctx)
	if _, refused := errors.AsType[*icims.RefusedError](err); err == nil || refused {
		l.config.Observer.Permitted(IsExpress(ctx), time.Since(began), err == nil)
	}
	return p, err
}

func (l *Limiter) await(ctx context.Context) (permit, error) {
	w := &waiter{class: class(IsExpress(ctx))}
	for first := true; ; first = false {
		// A call that lost its permit goes first.
		if err := l.enqueue(w, !first); err != nil {
			return permit{}, err
		}
		select {
		case <-w.ready:
		case <-ctx.Done():
			l.abandon(w)
			return permit{}, context.Cause(ctx)
		case <-l.draining.Done():
			l.abandon(w)
			return permit{}, refusal(ReasonShuttingDown)
		}
		if w.err != nil {
			return permit{}, w.err
		}
		if err := l.untilSlot(ctx, w.permit); err != nil {
			l.abandon(w)
			return permit{}, err
		}
		if l.usable(w.permit) {
			return w.permit, nil
		}
		l.abandon(w)
	}
}

func refusal(reason icims.Reason) *icims.RefusedError { return &icims.RefusedError{Reason: reason} }

// closedError is the refusal of closed calls.
func closedError(c quota.Closure) *icims.RefusedError {
	return &icims.RefusedError{Reason: icims.Reason(c.Reason), Until: c.Until}
}

func (l *Limiter) enqueue(w *waiter, front bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining.Err() != nil {
		return refusal(ReasonShuttingDown)
	}
	if closed := l.closed[w.class].At(time.Now()); !closed.Open() {
		return closedError(closed)
	}
	w.ready = make(chan struct{})
	if front {
		l.waiting[w.class] = slices.Insert(l.waiting[w.class], 0, w)
	} else {
		l.waiting[w.class] = append(l.waiting[w.class], w)
	}
	if w.class == express && len(l.waiting[express]) == 1 && !l.full {
		l.askAt = time.Time{} // express may get what bulk was refused
	}
	l.schedule()
	return nil
}

// abandon removes a call from the queue, or returns its permit.
func (l *Limiter) abandon(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting[w.class], w); i >= 0 {
		l.waiting[w.class] = slices.Delete(l.waiting[w.class], i, i+1)
		return
	}
	if w.err == nil {
		l.returnPermit(quota.Unused(w.Permit))
	}
}

func (l *Limiter) untilSlot(ctx context.Context, p permit) error {
	wait := time.Until(p.slot)
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.draining.Done():
		return refusal(ReasonShuttingDown)
	}
}

// usable reports whether a call may be made with a permit now. After a stall, a late call would
// exceed the rate together with calls of other processes.
func (l *Limiter) usable(p permit) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unreported == 0 && !l.revoked && !time.Now().After(p.latest)
}

// release returns a permit after its call.
func (l *Limiter) release(r quota.Returned) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Status >= 200 && r.Status < 300 {
		l.lastSuccess = time.Now()
	}
	l.returnPermit(r)
}

// returnPermit queues a permit for return. The caller holds mu.
func (l *Limiter) returnPermit(r quota.Returned) {
	l.returned = append(l.returned, r)
	l.config.Slots.put(1)
	if mayClose(r) {
		l.unreported++
	}
	l.schedule()
}
