package icims

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Class says what to do after a failed call.
type Class uint8

const (
	// ClassNone is the class of nil and of errors from other packages.
	ClassNone Class = iota
	// ClassRetry: safe to repeat. Nothing was sent, or the operation is idempotent.
	ClassRetry
	// ClassDefer: come back after RetryAfter. This was not an attempt.
	ClassDefer
	// ClassPermanent: the same call will fail again.
	ClassPermanent
	// ClassUnknown: a write that must not be repeated may or may not have taken effect. Find out
	// before repeating it.
	ClassUnknown
	// ClassCredentials: iCIMS does not accept the user or the password.
	ClassCredentials
	// ClassAccess: the user may not do this, or the caller's IP address is not allowed.
	ClassAccess
)

var classNames = [...]string{"none", "retry", "defer", "permanent", "unknown", "credentials", "access"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Reason is a stable code for why a call failed, for dead letters, metrics and remedies. The set is
// closed, except that a middleware may add its own with a [RefusedError].
type Reason string

// The reasons this package returns.
const (
	ReasonBadRequest      Reason = "icims_bad_request"       // the call was not made: its arguments are wrong
	ReasonRefused         Reason = "icims_refused"           // 4xx without a more specific code
	ReasonFieldRequired   Reason = "icims_field_required"    // code 1
	ReasonFieldRefused    Reason = "icims_field_refused"     // code 4
	ReasonNotFound        Reason = "icims_not_found"         // code 2; a 404 without it is a bad answer
	ReasonAccessDenied    Reason = "icims_access_denied"     // 403, or code 3
	ReasonCredentials     Reason = "icims_credentials"       // 401
	ReasonNotAuthorized   Reason = "icims_not_authorized"    // the user may not use the API at all
	ReasonSearchRefused   Reason = "icims_search_refused"    // a search for people was refused
	ReasonIntercepted     Reason = "icims_intercepted"       // 4xx that is not from iCIMS but from a proxy, firewall or gateway
	ReasonConflict        Reason = "icims_conflict"          // 409
	ReasonTooLarge        Reason = "icims_request_too_large" // 413
	ReasonRateLimited     Reason = "icims_rate_limited"      // 429 with calls left for the day
	ReasonQuotaExhausted  Reason = "icims_quota_exhausted"   // no calls left until midnight UTC
	ReasonServerError     Reason = "icims_server_error"      // 5xx
	ReasonNotSupported    Reason = "icims_not_supported"     // 501, 505: a bug in this client
	ReasonRedirected      Reason = "icims_redirected"        // 3xx; never followed
	ReasonTimeout         Reason = "icims_timeout"           // no response within the call timeout, or 408
	ReasonUnreachable     Reason = "icims_unreachable"       // no connection: name, address, port, proxy
	ReasonAddressRefused  Reason = "icims_address_refused"   // the host or its address may not be called
	ReasonTLS             Reason = "icims_tls"               // certificate or protocol version
	ReasonConnectionLost  Reason = "icims_connection_lost"   // the connection broke during the call
	ReasonBadAnswer       Reason = "icims_bad_answer"        // not an iCIMS response: HTML, truncated JSON, no Location
	ReasonAnswerTooLarge  Reason = "icims_answer_too_large"  // over the limit of WithMaxBody
	ReasonCanceled        Reason = "icims_canceled"          // the caller's context ended
	ReasonCallRefused     Reason = "icims_call_refused"      // a middleware refused without its own reason
	ReasonTokenServer     Reason = "icims_token_server"      // the OAuth host failed
	ReasonTokenThrottled  Reason = "icims_token_throttled"   // the OAuth host wants fewer token requests
	ReasonAuthUnavailable Reason = "icims_auth_unavailable"  // an Auth supplied by the caller failed
)

// Reasons returns the closed set, so that tests can check each for a remedy.
func Reasons() []Reason {
	return []Reason{
		ReasonBadRequest, ReasonRefused, ReasonFieldRequired, ReasonFieldRefused, ReasonNotFound, ReasonAccessDenied,
		ReasonCredentials, ReasonConflict, ReasonTooLarge, ReasonRateLimited, ReasonQuotaExhausted, ReasonServerError,
		ReasonNotSupported, ReasonRedirected, ReasonTimeout, ReasonUnreachable, ReasonTLS, ReasonConnectionLost,
		ReasonBadAnswer, ReasonAnswerTooLarge, ReasonCanceled, ReasonCallRefused, ReasonTokenServer,
		ReasonTokenThrottled, ReasonAuthUnavailable, ReasonAddressRefused, ReasonNotAuthorized, ReasonIntercepted, ReasonSearchRefused,
	}
}

// Error is the failure of one call. Its text is safe to log.
type Error struct {
	// Op is the name of the operation; see [Op.Name].
	Op     string
	Class  Class
	Reason Reason
	// Status is the HTTP status, or 0 without a response.
	Status int
	// Problems are the errors iCIMS reported, as far as they could be read.
	Problems []Problem
	// Transaction is iCIMS's ID of the call, for support tickets.
	Transaction string
	Rate        RateLimit
	// RetryAfter is how long to wait; set for ClassDefer.
	RetryAfter time.Duration
	// Sent says whether iCIMS can have received the request.
	Sent Sent
	// Err is the cause, for errors.Is and errors.As. It may be nil.
	Err error
}

// Error returns the operation, status, codes, field names and transaction, and nothing else that
// was sent or received.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "iCIMS %s: %s", e.Op, e.Reason)
	if e.Status != 0 {
		fmt.Fprintf(&b, ", status %d", e.Status)
	}
	for _, p := range e.Problems {
		b.WriteString(", " + p.String())
	}
	if e.Transaction != "" {
		b.WriteString(", transaction " + e.Transaction)
	}
	if d, ok := errors.AsType[detail](e.Err); ok {
		b.WriteString(", " + string(d))
	}
	if e.Status == 0 {
		b.WriteString(", sent: " + e.Sent.String())
	}
	fmt.Fprintf(&b, " (%s)", e.Class)
	return b.String()
}

// detail is a cause that is safe to print: it contains names, never values.
type detail string

func (d detail) Error() string { return string(d) }

// GoString keeps %#v as discreet as %v.
func (e *Error) GoString() string { return "&icims.Error{" + e.Error() + "}" }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Missing reports whether iCIMS says that the record does not exist: by its code, not by a status
// that a proxy may have set.
func (e *Error) Missing() bool {
	return e.Reason == ReasonNotFound && slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Code == codeNotFound })
}

// Gone is Missing, or iCIMS's own 404 without an error in its format. Use it only if another read
// confirms that the record does not exist.
func (e *Error) Gone() bool {
	return e.Missing() || e.Status == http.StatusNotFound && e.Transaction != "" && len(e.Problems) == 0
}

// RefusesSearch reports whether the account may not search people as the call did.
func (e *Error) RefusesSearch() bool {
	return e.Op == opSearchPeople.Name && e.Class == ClassAccess && e.Reason != ReasonNotAuthorized
}

// Fields returns the names of the fields iCIMS rejected.
func (e *Error) Fields() []string {
	var names []string
	for _, p := range e.Problems {
		if p.Field != "" {
			names = append(names, p.Field)
		}
	}
	return names
}

// ClassOf returns the class of the *Error in err's chain, or ClassNone.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ClassNone
}

// ReasonOf returns the reason of the *Error in err's chain, or "".
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// RefusedError is returned by a middleware to refuse a call before it is sent: no permit, lane
// paused, breaker open. The call fails with ClassDefer and counts as not sent.
type RefusedError struct {
	// Reason becomes [Error.Reason]; empty means [ReasonCallRefused].
	Reason Reason
	// Until or After say when to come back. After counts from now and applies if Until is zero.
	Until time.Time
	After time.Duration
	// Err is the cause, or nil.
	Err error
}

func (e *RefusedError) Error() string {
	return "call refused before it was sent: " + string(e.reason())
}

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

func (e *RefusedError) reason() Reason {
	if e.Reason == "" {
		return ReasonCallRefused
	}
	return e.Reason
}

func (e *RefusedError) wait(now time.Time) time.Duration {
	if e.Until.IsZero() {
		return max(e.After, 0)
	}
	return max(e.Until.Sub(now), 0)
}
