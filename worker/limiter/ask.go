package limiter

import (
	"context"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/store/quota"
)

// A limiter makes one request to Redis at a time. It returns all finished permits and asks for
// all wanted ones. Whatever comes up meanwhile goes into the next request.

const (
	// returnDelay is how long finished permits wait for a request.
	returnDelay = 5 * time.Millisecond
	// askEvery is the minimum time between two requests.
	askEvery = 5 * time.Millisecond
	// askTime bounds a request, retryAfter is the delay before a failed one is repeated.
	askTime    = 3 * time.Second
	retryAfter = 100 * time.Millisecond
	// failWait is how long calls wait while Redis fails, refusedFor how long they are then
	// refused.
	failWait   = time.Second
	refusedFor = 5 * time.Second
	// keptReturns bounds the permits kept for return while Redis does not answer. Dropped permits
	// expire.
	keptReturns = 2000
)

func (l *Limiter) wanted() int { return len(l.waiting[bulk]) + len(l.waiting[express]) }

// schedule makes sure that a request is made when one is due. The caller holds mu.
func (l *Limiter) schedule() {
	failing := !l.failing.IsZero()
	// A closing lane makes no requests to a failing Redis.
	if l.asking || l.stopped || failing && l.draining.Err() != nil || l.wanted()+len(l.returned) == 0 {
		return
	}
	now := time.Now()
	at := l.askAt
	switch {
	case failing:
	case l.unreported > 0, l.wanted() > 0 && l.full && len(l.returned) > 0:
		at = now
	case l.wanted() == 0:
		at = now.Add(returnDelay)
	case at.Before(l.asked.Add(askEvery)):
		at = l.asked.Add(askEvery)
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	if at.After(now) {
		l.timer = time.AfterFunc(at.Sub(now), l.wake)
		return
	}
	l.send()
}

// wake makes a request if one is wanted and none is in progress.
func (l *Limiter) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asking && !l.stopped && l.wanted()+len(l.returned) > 0 {
		l.send()
		return
	}
	l.config.Slots.put(0)
}

// send makes a request in the background, unless all waiting calls lack a slot of the process.
// The caller holds mu.
func (l *Limiter) send() {
	wanted := l.config.Slots.take(l.wanted(), l)
	if wanted == 0 && len(l.returned) == 0 {
		return
	}
	express := min(wanted, len(l.waiting[express]))
	r := l.request(express, wanted-express, l.returned)
	l.returned, l.asking, l.asked = nil, true, time.Now()
	l.asks.Go(func() {
		var answer quota.Answer
		err := panics.Logged(l.config.Log, "permits", func() (err error) {
			ctx, cancel := context.WithTimeout(context.Background(), askTime)
			defer cancel()
			answer, err = l.config.Quota.Ask(ctx, l.config.Customer, r)
			return err
		})
		l.receive(r, answer, err)
	})
}

func (l *Limiter) request(express, bulk int, returned []quota.Returned) quota.Request {
	c := l.config
	return quota.Request{
		Worker: c.Worker, Credentials: c.Credentials, Limits: l.limits, Hold: c.CallTimeout + HoldMargin, CallTimeout: c.CallTimeout, Control: c.Control,
		First: c.Slots.numbers(express + bulk), Express: express, Bulk: bulk, Returned: returned,
	}
}

// receive handles the answer or failure of a request.
func (l *Limiter) receive(r quota.Request, a quota.Answer, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.config.Slots.put(r.Express + r.Bulk - len(a.Permits))
	if err != nil {
		l.failed(r, err)
	} else {
		l.unreported -= countMayClose(r.Returned)
		l.granted(a)
	}
	l.asking = false
	l.schedule()
	l.config.Slots.put(0) // the limiter may have been woken meanwhile
}

// granted hands out permits. The caller holds mu.
func (l *Limiter) granted(a quota.Answer) {
	now := time.Now()
	l.failing = time.Time{}
	l.paused, l.revoked, l.answeredAt = a.Paused, a.Void, now
	l.closed = [2]quota.Closure{bulk: a.Closed, express: a.ClosedExpress}
	if a.LastSuccess.After(l.lastSuccess) {
		l.lastSuccess = a.LastSuccess
	}
	for _, p := range a.Permits {
		queue := &l.waiting[class(p.Express)]
		if len(*queue) == 0 { // its caller left
			l.returnPermit(quota.Unused(p))
			continue
		}
		w := (*queue)[0]
		*queue = (*queue)[1:]
		// Redis decided between the request and now. The slot counts from now and the lateness
		// from the request, if the round trip leaves time.
		late, slot := a.Limits.Lateness(), now.Add(p.After)
		w.permit = permit{Permit: p, slot: slot, latest: slot.Add(late - min(now.Sub(l.asked), late/2))}
		close(w.ready)
	}
	for c := range l.waiting {
		if !l.closed[c].Open() {
			l.refuse(c, closedError(l.closed[c]))
		}
	}
	l.askAt, l.full = time.Time{}, a.Full
	if a.AskAgain > 0 {
		l.askAt = now.Add(a.AskAgain)
	}
}

// failed handles a request that may or may not have been carried out. All its returned permits
// are returned again, together with those it may have been granted. The caller holds mu.
func (l *Limiter) failed(r quota.Request, err error) {
	now := time.Now()
	lost := r.Returned
	for i := range r.Express + r.Bulk {
		lost = append(lost, quota.Unused(quota.UnknownPermit(r.Worker, r.First+int64(i))))
	}
	l.returned = append(lost, l.returned...)
	l.returned = l.returned[:min(len(l.returned), keptReturns)]
	l.unreported = countMayClose(l.returned)
	if l.failing.IsZero() {
		l.failing = now
	}
	l.askAt = now.Add(retryAfter)
	if now.Sub(l.failing) < failWait {
		return
	}
	l.askAt = now.Add(failWait)
	for c := range l.waiting {
		l.refuse(c, &icims.RefusedError{Reason: ReasonNoPermit, After: refusedFor, Err: err})
	}
}

// refuse refuses all waiting calls of a class. The caller holds mu.
func (l *Limiter) refuse(class int, why *icims.RefusedError) {
	for _, w := range l.waiting[class] {
		w.err = why
		close(w.ready)
	}
	l.waiting[class] = nil
}

func countMayClose(returned []quota.Returned) int {
	n := 0
	for _, r := range returned {
		if mayClose(r) {
			n++
		}
	}
	return n
}
