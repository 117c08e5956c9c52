package icims

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
)

// judgeStatus classifies a response that is not a success. iCIMS refuses a search for people because
// of the account or the tenant: the search says nothing about the person who is looked for.
func judgeStatus(op Op, status int, problems []Problem, rate RateLimit, own bool) (Class, Reason) {
	class, reason := judgeProblems(op, status, problems, rate, own)
	record := class == ClassPermanent || class == ClassAccess && status == http.StatusNotFound && reason == ReasonAccessDenied
	nobody := status == http.StatusNotFound && onlyCode(problems, codeNotFound)
	if op == opSearchPeople && record && !nobody {
		return ClassAccess, ReasonSearchRefused
	}
	return class, reason
}

// judgeProblems classifies a response that is not a success, by its status first and then by iCIMS's
// code (API sheet §3.2, §4). own reports whether the response comes from iCIMS. Any other response
// comes from a proxy, firewall or gateway. It counts as a network fault and says nothing about the
// request.
func judgeProblems(op Op, status int, problems []Problem, rate RateLimit, own bool) (Class, Reason) {
	exhausted := rate.Known && rate.Remaining == 0
	// A write that failed on iCIMS's side may have taken effect, whatever its code.
	refused := status >= 400 && status < 500 || status >= 500 && status < 600 && op.lostClass() != ClassUnknown
	has := func(code int) bool {
		return slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == code })
	}
	switch {
	case status == http.StatusTooManyRequests && rate.Known && !exhausted:
		return ClassDefer, ReasonRateLimited
	case status == http.StatusTooManyRequests,
		exhausted && status >= 400 && status < 500,
		// The last call of the day may be a create that took effect before it failed.
		exhausted && status == http.StatusServiceUnavailable && op.Repeatable:
		return ClassDefer, ReasonQuotaExhausted
	case status >= 300 && status < 400 && !own:
		return op.lostClass(), ReasonRedirected
	case status == http.StatusSeeOther:
		// A create that succeeded may also answer with a redirect.
		return permanentUnlessLost(op), ReasonRedirected
	case status >= 300 && status < 400:
		return ClassPermanent, ReasonRedirected
	case status == http.StatusRequestTimeout:
		return op.lostClass(), ReasonTimeout
	case status >= 400 && status < 500 && !own:
		return op.lostClass(), ReasonIntercepted
	case refused && notAuthorized(problems):
		return ClassAccess, ReasonNotAuthorized
	case status == http.StatusUnauthorized, refused && has(codeCredentials):
		return ClassCredentials, ReasonCredentials
	case status == http.StatusForbidden, refused && has(codeAccessDenied):
		return ClassAccess, ReasonAccessDenied
	case status == http.StatusNotFound && !has(codeNotFound):
		// iCIMS reports a missing record by a code. A page or JSON of a proxy or gateway proves
		// nothing.
		return op.lostClass(), ReasonBadAnswer
	case status == http.StatusNotFound:
		return ClassPermanent, ReasonNotFound
	case status == http.StatusConflict:
		return ClassPermanent, ReasonConflict
	case status == http.StatusRequestEntityTooLarge:
		return ClassPermanent, ReasonTooLarge
	case status >= 400 && status < 500:
		switch {
		case has(codeRequired):
			return ClassPermanent, ReasonFieldRequired
		case has(codeRefused):
			return ClassPermanent, ReasonFieldRefused
		case has(codeNotFound):
			return ClassPermanent, ReasonNotFound
		}
		return ClassPermanent, ReasonRefused
	case own && (status == http.StatusNotImplemented || status == http.StatusHTTPVersionNotSupported):
		return ClassPermanent, ReasonNotSupported
	case status >= 500 && status < 600:
		return op.lostClass(), ReasonServerError
	}
	return op.lostClass(), ReasonBadAnswer
}

func permanentUnlessLost(op Op) Class {
	if op.lostClass() == ClassUnknown {
		return ClassUnknown
	}
	return ClassPermanent
}

// judgeTransport classifies a call without a response.
func judgeTransport(op Op, sent Sent, err error) (Class, Reason) {
	class := op.lostClass()
	if sent == SentNo {
		class = ClassRetry
	}
	return class, transportReason(sent, err)
}

func transportReason(sent Sent, err error) Reason {
	if _, refused := errors.AsType[*DialRefusedError](err); refused {
		return ReasonAddressRefused
	}
	switch {
	case errors.Is(err, context.Canceled):
		return ReasonCanceled
	case isTimeout(err):
		return ReasonTimeout
	case isTLS(err):
		return ReasonTLS
	case sent == SentNo:
		return ReasonUnreachable
	}
	return ReasonConnectionLost
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	// A TLS alert of either side, for example for a refused protocol version.
	if e, ok := errors.AsType[*net.OpError](err); ok && (e.Op == "remote error" || e.Op == "local error") {
		return true
	}
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}

// discreet wraps the cause of a failure: errors.Is and errors.As work, but its text is hidden.
// Texts of net/http and of a middleware may contain URLs, addresses and parts of a response.
func discreet(err error) error {
	if err == nil {
		return nil
	}
	if _, done := errors.AsType[*discreetError](err); done {
		return err
	}
	return &discreetError{err}
}

type discreetError struct{ err error }

func (e *discreetError) Error() string      { return fmt.Sprintf("%T (text withheld)", e.err) }
func (e *discreetError) GoString() string   { return e.Error() }
func (e *discreetError) Is(t error) bool    { return errors.Is(e.err, t) }
func (e *discreetError) As(target any) bool { return errors.As(e.err, target) }
