package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/seekout/icims-export/store"
)

// Note is what a handler may add to the audit log entry of its change.
type Note struct {
	// Object names what was changed: a batch, an export, or a candidate's reference. The default
	// comes from the path.
	Object string
	// Why is the given reason. The default is the body's field Why.
	Why string
}

// noteOf returns the note of the current request. It goes into the entry after the change.
func noteOf(ctx context.Context) *Note { return &requestOf(ctx).note }

// logTimeout limits how long an entry may take, even after its request has ended.
const logTimeout = 5 * time.Second

// logged runs a handler. If its operation changes something, it records that in the audit log
// before and after. If the first entry fails, nothing is changed.
func logged[I, O any](ctx context.Context, s *Server, o op, in *I, h func(context.Context, *I) (*O, error)) (*O, error) {
	if dry, ok := any(in).(interface{ changesNothing() bool }); !o.Changes || ok && dry.changesNothing() {
		return h(ctx, in)
	}
	requestOf(ctx).note.Why = whyOf(in)
	return loggedAct(ctx, s, func() (*O, error) { return h(ctx, in) })
}

// loggedAct runs act and records it in the audit log before and after. If the first entry fails,
// act is not run.
func loggedAct[O any](ctx context.Context, s *Server, act func() (*O, error)) (*O, error) {
	req := requestOf(ctx)
	if err := s.enter(ctx, req, store.JournalAsked, ""); err != nil {
		return nil, err
	}
	done := false
	defer func() {
		if !done { // it panicked
			s.logOutcome(ctx, req, newProblem(CodeInternal, ""))
		}
	}()
	out, err := act()
	done = true
	s.logOutcome(ctx, req, err)
	return out, err
}

// loggedRaw is logged for a handler that writes its own response.
func (s *Server) loggedRaw(w http.ResponseWriter, r *http.Request, o op, h func(http.ResponseWriter, *http.Request)) error {
	if !o.Changes || o.Spares != nil && o.Spares(r) {
		h(w, r)
		return nil
	}
	req := requestOf(r.Context())
	if err := s.enter(r.Context(), req, store.JournalAsked, ""); err != nil {
		return err
	}
	err := error(newProblem(CodeInternal, ""))
	defer func() { s.logOutcome(r.Context(), req, err) }()
	h(w, r)
	err = nil
	if req.code != "" {
		err = newProblem(req.code, "")
	}
	return nil
}

// enter adds an entry to the audit log.
func (s *Server) enter(ctx context.Context, req *request, outcome store.AuditLogOutcome, code Code) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logTimeout)
	defer cancel()
	return s.Ledger.AuditLog.Append(ctx, store.AuditLogEntry{
		At: s.Now(), Request: req.id, Outcome: outcome, Who: req.principal.Name, Key: req.principal.Key,
		What: req.op.ID, Customer: req.customer, Object: req.note.Object, Why: req.note.Why, Code: string(code),
	})
}

// logOutcome records the outcome of a change. The request is already recorded, so a failure here
// hides nothing.
func (s *Server) logOutcome(ctx context.Context, req *request, err error) {
	outcome, code := store.JournalDone, Code("")
	if err != nil {
		code = problemOf(err).Code
		outcome = store.JournalRefused
		// Part of it may be done.
		if code.Info().Status >= http.StatusInternalServerError || code == CodeAccessEnded {
			outcome = store.JournalFailed
		}
	}
	if err := s.enter(ctx, req, outcome, code); err != nil {
		s.Log.Error().Str("request", req.id).Str("op", req.op.ID).Str("outcome", string(outcome)).Msg("writing the outcome of a change to the audit log failed; the request itself is recorded")
	}
}

// objectOf returns the object that a path names. A candidate is named by a reference, since the
// audit log outlasts an erasure.
func (s *Server) objectOf(r *http.Request) string {
	if candidate := r.PathValue("candidate"); candidate != "" {
		return s.Ledger.Candidates.CandidateReference(r.PathValue("customer"), candidate)
	}
	for _, name := range []string{"batch", "export", "verification"} {
		if value := r.PathValue(name); value != "" {
			return value
		}
	}
	return ""
}

// whyOf returns the field Why of an input or of its body.
func whyOf(in any) string {
	v := reflect.ValueOf(in).Elem()
	for _, holder := range []reflect.Value{v, v.FieldByName("Body")} {
		for holder.Kind() == reflect.Pointer && !holder.IsNil() {
			holder = holder.Elem()
		}
		if holder.Kind() != reflect.Struct {
			continue
		}
		if why := holder.FieldByName("Why"); why.Kind() == reflect.String {
			return why.String()
		}
	}
	return ""
}
