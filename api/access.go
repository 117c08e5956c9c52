package api

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
)

// AccessEndedError is the cause with which a request's context ends when its caller has
// lost access.
type AccessEndedError struct {
	// Detail says what has ended, as a sentence.
	Detail string
}

func (e *AccessEndedError) Error() string { return "access has ended: " + e.Detail }

// openRequests are the requests that are being answered. Each caller is checked once per
// round, however many requests it has open. Nothing is checked while there are none.
type openRequests struct {
	every time.Duration
	life  context.Context //nolint:containedctx // it is the server's life, not a call's

	mu      sync.Mutex
	open    map[*openRequest]bool
	running bool
}

type openRequest struct {
	// who is the same for requests that check answers alike.
	who   string
	check func(context.Context) error
	end   func(*AccessEndedError)
}

func newOpenRequests(life context.Context, every time.Duration) *openRequests {
	return &openRequests{every: every, life: life, open: map[*openRequest]bool{}}
}

// add watches a request until the returned function is called.
func (o *openRequests) add(r *openRequest) func() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open[r] = true
	if !o.running {
		o.running = true
		go o.run()
	}
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.open, r)
	}
}

func (o *openRequests) run() {
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for {
		select {
		case <-o.life.Done():
			return // the server stops, and every stream ends
		case <-tick.C:
		}
		callers := o.callers()
		if callers == nil {
			return
		}
		o.check(callers)
	}
}

// check ends the requests of callers that have lost access. It gives up when Redis does
// not answer; the next round tries again.
func (o *openRequests) check(callers map[string][]*openRequest) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(o.life, patience)
	defer cancel()
	for _, requests := range callers {
		err := requests[0].check(ctx)
		if ended, ok := errors.AsType[*AccessEndedError](err); ok {
			for _, r := range requests {
				r.end(ended)
			}
		} else if err != nil {
			return
		}
	}
}

// callers returns the open requests of each caller. It returns nil if there are none,
// which ends the checks.
func (o *openRequests) callers() map[string][]*openRequest {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.open) == 0 {
		o.running = false
		return nil
	}
	callers := map[string][]*openRequest{}
	for r := range o.open {
		callers[r.who] = append(callers[r.who], r)
	}
	return callers
}

// WhileAllowed ends a request when its caller loses access: its context ends with an
// *AccessEndedError as the cause, and its body is read no further. check returns that error
// once the caller has lost access; requests with the same who share a check. Call the
// returned function when the request is answered.
func (s *Server) WhileAllowed(r *http.Request, who string, check func(context.Context) error) (*http.Request, func()) {
	ctx, cancel := context.WithCancelCause(r.Context())
	forget := s.openRequests.add(&openRequest{who: who, check: check, end: func(ended *AccessEndedError) {
		cancel(ended)
		if b, ok := r.Body.(*body); ok {
			b.cut(ended)
		}
	}})
	return r.WithContext(ctx), func() { forget(); cancel(nil) }
}

// whileKeyGood is WhileAllowed for the request's API key. Operations that need no key go on.
func (s *Server) whileKeyGood(r *http.Request) (*http.Request, func()) {
	p := requestOf(r.Context()).principal
	if p.Key == "" {
		return r, func() {}
	}
	return s.WhileAllowed(r, "key "+p.Key, s.keyGood(r))
}

// keyGood returns a check of the request's API key.
func (s *Server) keyGood(r *http.Request) func(context.Context) error {
	token, _ := bearerToken(r)
	expires := requestOf(r.Context()).principal.Expires
	return func(ctx context.Context) error { return s.KeyGood(ctx, token, &expires) }
}

// KeyGood returns an *AccessEndedError if the API key was revoked or has expired. expires
// is when the key expires, or nil.
func (s *Server) KeyGood(ctx context.Context, token string, expires *time.Time) error {
	_, err := s.Ledger.Access.CheckAPIKey(ctx, token, s.Now())
	switch {
	case !errors.Is(err, store.ErrAPIKeyRefused):
		return err
	case expires != nil && !expires.IsZero() && !s.Now().Before(*expires):
		return &AccessEndedError{"The API key has expired."}
	}
	return &AccessEndedError{"The API key was revoked."}
}

// accessEnded returns why a request's caller has lost access, or nil.
func accessEnded(ctx context.Context) *AccessEndedError {
	ended, _ := errors.AsType[*AccessEndedError](context.Cause(ctx))
	return ended
}
