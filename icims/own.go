package icims

import (
	"net/http"
	"slices"
	"strings"
)

// isOwn reports whether a response that is not a success comes from iCIMS: it has the transaction
// header seen in recorded responses, an error in iCIMS's format, or a challenge with iCIMS's
// scheme. One of these is enough, since it is not documented which responses have the header.
func isOwn(h http.Header, problems []Problem) bool {
	// A three-digit code is an HTTP status set by a gateway.
	mark := func(p Problem) bool {
		return p.Code != CodeUnknown && p.Code < 100 || p.Code == CodeUnknown && p.Text() != ""
	}
	if h.Get("X-Transaction") != "" || slices.ContainsFunc(problems, mark) {
		return true
	}
	return slices.ContainsFunc(h.Values("Www-Authenticate"), func(v string) bool { return strings.Contains(strings.ToLower(v), "x-icims-") })
}

// notAuthorized reports whether iCIMS accepts the user and the password, but says that the user may
// not use the API. Only the message tells; its status and code are not documented (API sheet §0.5).
func notAuthorized(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool {
		return strings.Contains(strings.ToLower(p.Text()), "not authorized to access web services")
	})
}
