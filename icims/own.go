package icims

import (
	"net/http"
	"slices"
	"strings"
)

// isOwn reports whether an answer that is not a success comes from iCIMS: it has
// the transaction header that was recorded on iCIMS's answers, an error in
// iCIMS's form, or a challenge that names iCIMS's scheme. Each of them suffices,
// since no page says which answers carry the header.
func isOwn(h http.Header, problems []Problem) bool {
	// A code of three digits is an HTTP status, which gateways put there.
	mark := func(p Problem) bool {
		return p.Code != CodeUnknown && p.Code < 100 || p.Code == CodeUnknown && p.Text() != ""
	}
	if h.Get("X-Transaction") != "" || slices.ContainsFunc(problems, mark) {
		return true
	}
	return slices.ContainsFunc(h.Values("Www-Authenticate"), func(v string) bool { return strings.Contains(strings.ToLower(v), "x-icims-") })
}

// notAuthorized reports whether iCIMS accepts the user and its password, and
// says that the user may not use the API at all. Only the message tells: its
// status and code are not documented (API sheet §0.5).
func notAuthorized(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool {
		return strings.Contains(strings.ToLower(p.Text()), "not authorized to access web services")
	})
}
