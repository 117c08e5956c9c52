package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// redisRetryAfter is the Retry-After while Redis does not respond, about the duration of a failover.
const redisRetryAfter = 5 * time.Second

// sentinels are the errors that map directly to a code.
var sentinels = []struct {
	err  error
	code Code
}{
	{store.ErrNoConnection, CodeNoConnection},
	{store.ErrConnectionExists, CodeConnectionExists},
	{store.ErrNoBatch, CodeNoBatch},
	{store.ErrBatchCancelled, CodeBatchCancelled},
	{store.ErrNotDead, CodeNotDead},
	{store.ErrNoSession, CodeNoSession},
	{store.ErrSealed, CodeCannotOpen},
}

// problemOf returns the problem for an error of the API, the store or the input. Any other error
// becomes an internal error without its text.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		copied := *p
		return &copied
	}
	if ended, ok := errors.AsType[*AccessEndedError](err); ok {
		return newProblem(CodeAccessEnded, ended.Detail)
	}
	if p := partialProblem(err); p != nil {
		return p
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return newProblem(s.code, "")
		}
	}
	if _, ok := errors.AsType[*admin.UnknownCustomerError](err); ok {
		return newProblem(CodeCustomerUnknown, "")
	}
	if changed, ok := errors.AsType[*store.ConnectionChangedError](err); ok {
		return newProblem(CodeConnectionChanged, changed.Error()+".")
	}
	if move, ok := errors.AsType[*store.ConnectionMoveError](err); ok {
		return newProblem(CodeConnectionState, move.Error()+".")
	}
	if invalid, ok := errors.AsType[*connections.InvalidError](err); ok {
		return newProblem(CodeConnectionInvalid, "", connectionFields(invalid)...)
	}
	if errors.Is(err, store.ErrAuditLogCursor) || errors.Is(err, store.ErrPlace) || errors.Is(err, jobs.ErrCursor) {
		return newProblem(CodeInvalid, "", FieldProblem{"query.cursor", "is not a valid cursor", "omit it, or pass the previous page's next unchanged"})
	}
	if p := limitProblem(err); p != nil {
		return p
	}
	if conflict, ok := errors.AsType[*store.BatchConflictError](err); ok {
		return conflictProblem(conflict)
	}
	if errors.Is(err, store.ErrRowsLost) {
		return newProblem(CodeUnavailable, store.ErrRowsLost.Error()+".").after(redisRetryAfter)
	}
	if batch, ok := errors.AsType[*input.BatchError](err); ok {
		return newProblem(CodeBatchInvalid, "", FieldProblem{batch.Field, batch.Message, batch.Remedy})
	}
	if p := inputProblem(err); p != nil {
		return p
	}
	if wrong, ok := errors.AsType[*store.KeysetError](err); ok {
		return newProblem(CodeCannotOpen, wrong.Error()+".")
	}
	if p := bodyProblem(err); p != nil {
		return p
	}
	if p := redisProblem(err); p != nil {
		return p
	}
	return newProblem(CodeInternal, "")
}

// limitRetryAfter is the Retry-After for candidates beyond the customer's limit.
const limitRetryAfter = time.Minute

// limitProblem returns the problem of candidates beyond the customer's limit; nil for other errors.
func limitProblem(err error) *Problem {
	if waiting, ok := errors.AsType[*store.TooManyWaitingError](err); ok {
		return newProblem(CodeTooManyWaiting, fmt.Sprintf("The limit is %s, including dead letters.", prose.Plural(waiting.Most, "waiting candidate"))).after(limitRetryAfter)
	}
	if reserved, ok := errors.AsType[*store.MemoryReservedError](err); ok {
		return newProblem(CodeStoreFull, reserved.Error()+".").after(limitRetryAfter)
	}
	return nil
}

// conflictProblem says how a batch differs from the one with the same idempotency key.
func conflictProblem(e *store.BatchConflictError) *Problem {
	const same, other = "send the same content as before", "or use another Idempotency-Key"
	var fields []FieldProblem
	field := func(name, problem string) {
		fields = append(fields, FieldProblem{name, problem, same + ", " + other})
	}
	switch e.Differs {
	case store.DiffersInJob:
		field("job", "differs from batch "+string(e.Batch))
	case store.DiffersInOptions:
		for _, option := range e.Options {
			field("options."+option, "differs from batch "+string(e.Batch))
		}
	case store.DiffersInRow:
		field(fmt.Sprintf("candidates[%d]", e.Row-1), fmt.Sprintf("differs from row %d of batch %s", e.Row, e.Batch))
	case store.HasMoreRows:
		field("candidates", fmt.Sprintf("are more than the %s of batch %s, which is complete", prose.Plural(e.Rows, "row"), e.Batch))
	case store.HasFewerRows:
		field("candidates", fmt.Sprintf("are fewer than the %s of batch %s", prose.Plural(e.Rows, "row"), e.Batch))
	}
	what := e.What()
	return newProblem(CodeBatchConflict, strings.ToUpper(what[:1])+what[1:]+". Nothing was accepted.", fields...)
}

// connectionProblems are the problems of codes whose message contains only the remedy. The messages
// of other codes begin with the problem.
var connectionProblems = map[string]string{
	"missing": "is missing", "wrong_customer": "is not a customer ID", "unknown_auth": "is not an authentication method",
	"control_character": "contains invisible characters", "unknown_capability": "contains an unknown word", "not_a_text": "is not a single line, or is too long",
	"not_a_field_name": "is not a field name", "not_a_domain": "is not a domain name", "out_of_range": "is out of range", "password_needed": "is required for this change",
	"other_customer": "cannot be used for this customer",
}

func connectionFields(invalid *connections.InvalidError) []FieldProblem {
	fields := make([]FieldProblem, len(invalid.Problems))
	for i, p := range invalid.Problems {
		f := FieldProblem{Field: p.Setting, Problem: connectionProblems[p.Code], Remedy: p.Message}
		if p.Setting == "portal_urls" {
			// The problem names the field; the message only needs to name the URL.
			f.Remedy = strings.TrimPrefix(p.Message, "job portal URLs: ")
			if entry, ok := strings.CutPrefix(p.Message, "job portal URL "); ok {
				number, rest, _ := strings.Cut(entry, ": ")
				f.Problem, f.Remedy = "entry "+number+" is invalid", rest
			}
		}
		if f.Problem == "" {
			f.Problem, f.Remedy, _ = strings.Cut(p.Message, "; ")
		}
		fields[i] = f
	}
	return fields
}

// bodyProblem returns the problem of an unreadable body; nil for other errors.
func bodyProblem(err error) *Problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return newProblem(CodeTooLarge, "")
	case errors.Is(err, errSlowBody), errors.Is(err, errReadBody) && errors.Is(err, os.ErrDeadlineExceeded):
		return newProblem(CodeTimeout, "")
	case errors.Is(err, errReadBody):
		return newProblem(CodeMalformed, "The body ended early.")
	}
	return nil
}

// redisProblem returns the problem of a Redis that does not respond or refuses; nil for other
// errors. A command that Redis rejects as invalid is a bug, and not included.
func redisProblem(err error) *Problem {
	if errors.Is(err, context.Canceled) {
		return newProblem(CodeUnavailable, "").after(redisRetryAfter)
	}
	d, ok := store.Diagnose(err)
	if !ok || d.Trouble == store.TroubleOther {
		return nil
	}
	return newProblem(CodeUnavailable, d.String()).after(redisRetryAfter)
}

// kindsOf returns the types in an error's chain, without any text.
func kindsOf(err error) string {
	var kinds []string
	const deepest = 10
	for e := err; e != nil && len(kinds) < deepest; e = errors.Unwrap(e) {
		kinds = append(kinds, fmt.Sprintf("%T", e))
	}
	return strings.Join(kinds, " < ")
}
