package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// guard authenticates and authorizes a request, then runs the handler.
func (s *Server) guard(w http.ResponseWriter, r *http.Request, o op, h http.HandlerFunc) {
	req := requestOf(r.Context())
	req.op = o
	done, err := s.admit(r, req)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer done()
	req.note.Object = s.objectOf(r)
	r, cancel := s.bounded(w, r, o)
	defer cancel()
	h(w, r)
}

// admit checks the caller and the limits. Call the returned function when the request is done.
func (s *Server) admit(r *http.Request, req *request) (func(), error) {
	if s.stopping.Err() != nil {
		return nil, newProblem(CodeStopping, "").after(redisRetryAfter)
	}
	if !s.guards.slots.enter() {
		return nil, newProblem(CodeBusy, "").after(time.Second)
	}
	leave := s.guards.slots.leave
	if req.op.Scope == scopeNone {
		return leave, nil
	}
	leaveKey, err := s.admitKey(r, req)
	if err != nil {
		leave()
		return nil, err
	}
	return func() { leaveKey(); leave() }, nil
}

// admitKey checks that the request's key is valid for the operation and the customer.
func (s *Server) admitKey(r *http.Request, req *request) (func(), error) {
	var err error
	if req.principal, err = s.authenticate(r); err != nil {
		return nil, err
	}
	upload := req.op.Uploads && (r.ContentLength < 0 || r.ContentLength > s.Settings.MaxBody)
	leave, refused := s.guards.keys.admit(req.principal.Key, upload)
	if refused != nil {
		return nil, refused
	}
	if !req.principal.Has(req.op.Scope) {
		err = problem(CodeScopeMissing, "The operation requires the "+string(req.op.Scope)+" scope.")
	} else {
		err = s.bind(r, req)
	}
	if err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// bind checks that the key is valid for the customer in the path. Other keys get the same response
// whether or not the customer exists.
func (s *Server) bind(r *http.Request, req *request) error {
	if !strings.Contains(req.op.Path, "{customer}") {
		return nil
	}
	customer := r.PathValue("customer")
	if !input.ValidCustomer(customer) || !req.principal.May(customer) {
		return problem(CodeCustomerUnknown, "")
	}
	if !req.op.handlesUnknown() {
		if err := s.Admin.Known(r.Context(), customer); err != nil {
			return err
		}
	}
	req.customer = customer
	if strings.Contains(req.op.Path, "{batch}") {
		// A batch ID contains its customer.
		batch, err := store.ParseBatchID(r.PathValue("batch"))
		if err != nil || batch.Customer() != customer {
			return problem(CodeNoBatch, "")
		}
	}
	return nil
}

// authenticate returns the caller by its key.
func (s *Server) authenticate(r *http.Request) (Principal, error) {
	token, ok := bearerToken(r)
	from := s.guards.addressOf(r)
	refused := newProblem(CodeUnauthenticated, "").with("WWW-Authenticate", `Bearer realm="icims-export"`)
	if ok {
		// A caller whose key was valid recently is not blocked by failures of others at the same
		// address.
		if wait := s.guards.failures.closed(from); wait > 0 && !s.guards.known.has(token) {
			return Principal{}, newProblem(CodeTooManyFailures, "").after(wait)
		}
		key, err := s.Ledger.Access.CheckAPIKey(r.Context(), token, s.Now())
		if err == nil {
			s.guards.known.add(token)
			return principalOfKey(key), nil
		}
		if !errors.Is(err, store.ErrAPIKeyRefused) {
			return Principal{}, err
		}
		s.guards.known.remove(token)
	}
	if s.guards.failures.count(from) {
		s.Log.Warn().Str("address", from).Msg("too many requests without a valid API key from this address: requests are refused for a while")
	}
	return Principal{}, refused
}

// bearerToken returns the request's API key.
func bearerToken(r *http.Request) (string, bool) {
	const longest = 200
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= longest
}

// bounded returns the request with the time and size limits of its operation.
func (s *Server) bounded(w http.ResponseWriter, r *http.Request, o op) (*http.Request, context.CancelFunc) {
	if o.raw {
		if a, ok := w.(*response); ok {
			a.stream(s.Settings.StallTimeout)
		}
		r.Body = s.readBody(w, r, or(o.MaxBody, s.Settings.MaxUpload))
		return s.whileKeyGood(r)
	}
	// The handler times out before its connection does, so that it can still respond.
	ctx, cancel := context.WithTimeout(r.Context(), s.Settings.RequestTimeout)
	r = r.WithContext(ctx)
	r.Body = s.readBody(w, r, or(o.MaxBody, s.Settings.MaxBody)+1) // huma counts too
	r, done := s.whileKeyGood(r)
	return r, func() { done(); cancel() }
}
