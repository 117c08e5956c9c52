package verify

import (
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
)

// fault is what an error of a call says of the connection, whatever the call was for.
// Empty: it is about what was asked for.
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
	case icims.ReasonNotFound, icims.ReasonRefused, icims.ReasonFieldRefused, icims.ReasonFieldRequired, icims.ReasonConflict:
		return ""
	default:
		return CodeHeldBack
	}
}

// passing are codes after which nothing can be said of the connection: it was not the
// time to verify.
func passing(c Code) bool {
	return slices.Contains([]Code{CodeQuotaExhausted, CodeSlowDown, CodeHeldBack, CodeFault}, c)
}

// denied reports whether iCIMS says that the account may not do this.
func denied(e *icims.Error) bool { return e.Reason == icims.ReasonAccessDenied }

// aboutAddress tells a refusal of the address that a call came from, by iCIMS's words:
// with which status it refuses addresses is not documented, and neither is a code
// (API sheet §1).
func aboutAddress(e *icims.Error) bool {
	return slices.ContainsFunc(e.Problems, func(p icims.Problem) bool {
		text := strings.ToLower(p.Text())
		return strings.Contains(text, "ip address") || strings.Contains(text, "ip-address") || strings.Contains(text, "allow-list") ||
			strings.Contains(text, "allowlist") || strings.Contains(text, "whitelist") || strings.Contains(text, "allow list")
	})
}

// codeless reports whether iCIMS gave no code that says what is refused.
func codeless(e *icims.Error) bool {
	return !slices.ContainsFunc(e.Problems, func(p icims.Problem) bool { return p.Code == codeDenied })
}

// codeDenied is iCIMS's code for "it exists, but you may not see it" (API sheet §3.2).
const codeDenied = 3

// settingsCause names the settings that are wrong.
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

// dialRefused is the guard's refusal to open a connection; nil for none.
func dialRefused(e *icims.Error) *icims.DialRefusedError {
	refused, ok := errors.AsType[*icims.DialRefusedError](error(e))
	if !ok {
		return nil
	}
	return refused
}
