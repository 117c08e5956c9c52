package verify

import (
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
)

// fault returns what a call's error says about the connection, whatever the call was for. Empty:
// the error is about the call's subject.
func fault(e *icims.Error) Code {
	switch e.Reason {
	case icims.ReasonTimeout:
		if e.Sent == icims.SentNo {
			return CodeUnreachable
		}
		return CodeNoAnswer
	case icims.ReasonUnreachable, icims.ReasonConnectionLost:
		if _, dns := errors.AsType[*net.DNSError](e); dns {
			return CodeNameUnknown
		}
		return CodeUnreachable
	case icims.ReasonAddressRefused:
		return CodeAddressForbidden
	case icims.ReasonTLS:
		return CodeTLS
	case icims.ReasonRedirected:
		return CodeRedirected
	case icims.ReasonIntercepted:
		return CodeIntercepted
	case icims.ReasonNotAuthorized:
		return CodeNotAuthorized
	case icims.ReasonServerError, icims.ReasonBadAnswer, icims.ReasonAnswerTooLarge, icims.ReasonNotSupported:
		return CodeFailing
	case icims.ReasonTokenServer, icims.ReasonTokenThrottled:
		return CodeSignIn
	case icims.ReasonQuotaExhausted:
		return CodeQuotaExhausted
	case icims.ReasonRateLimited:
		return CodeSlowDown
	case icims.ReasonCredentials, icims.ReasonAuthUnavailable:
		if aboutAddress(e) {
			return CodeAddressRefused
		}
		return CodeCredentials
	case icims.ReasonAccessDenied:
		if aboutAddress(e) {
			return CodeAddressRefused
		}
		return ""
	case icims.ReasonNotFound, icims.ReasonSearchRefused, icims.ReasonRefused, icims.ReasonFieldRefused, icims.ReasonFieldRequired, icims.ReasonConflict:
		return ""
	default:
		return CodeHeldBack
	}
}

// passing reports whether the code is temporary, so that the connection could not be verified.
func passing(c Code) bool {
	return slices.Contains([]Code{CodeQuotaExhausted, CodeSlowDown, CodeHeldBack, CodeFault}, c)
}

// ofAccount are the codes of refusals that apply to all calls.
var ofAccount = []Code{CodeCredentials, CodeAddressRefused, CodeNotAuthorized}

// denied reports whether iCIMS says that the account may not do this.
func denied(e *icims.Error) bool { return e.Reason == icims.ReasonAccessDenied || e.RefusesSearch() }

// aboutAddress reports whether iCIMS's message refuses the caller's IP address. The status and code
// of such refusals are not documented (API sheet §1).
func aboutAddress(e *icims.Error) bool {
	return slices.ContainsFunc(e.Problems, func(p icims.Problem) bool {
		text := strings.ToLower(p.Text())
		return strings.Contains(text, "ip address") || strings.Contains(text, "ip-address") || strings.Contains(text, "allow-list") ||
			strings.Contains(text, "allowlist") || strings.Contains(text, "whitelist") || strings.Contains(text, "allow list")
	})
}

// codeless reports whether iCIMS gave no code that says what it refused.
func codeless(e *icims.Error) bool {
	return !slices.ContainsFunc(e.Problems, func(p icims.Problem) bool { return p.Code == codeDenied })
}

// codeDenied is iCIMS's code for "it exists, but you may not see it" (API sheet §3.2).
const codeDenied = 3

// settingsCause names the invalid settings.
func settingsCause(err error) string {
	invalid, ok := errors.AsType[*connections.InvalidError](err)
	if !ok {
		return ""
	}
	texts := make([]string, len(invalid.Problems))
	for i, p := range invalid.Problems {
		texts[i] = p.Error()
	}
	return strings.Join(texts, "; ") + "."
}

// dialRefused returns the guard's refusal to open a connection, or nil.
func dialRefused(e *icims.Error) *icims.DialRefusedError {
	refused, ok := errors.AsType[*icims.DialRefusedError](error(e))
	if !ok {
		return nil
	}
	return refused
}
