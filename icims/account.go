package icims

import (
	"bytes"
	"io"
	"net/http"
)

// StatusNotAuthorized is returned by [AccountStatus] when iCIMS accepts the credentials but the
// user may not use the API at all. It is not an HTTP status.
const StatusNotAuthorized = 1401

// StatusSearchRefused is returned by [AccountStatus] when iCIMS refuses a search for people. It is
// not an HTTP status.
const StatusSearchRefused = 1403

// StatusIntercepted is returned by [AccountStatus] for a refusal or redirect that does not come
// from iCIMS.
const StatusIntercepted = http.StatusBadGateway

// AccountStatus returns what a response says about the account: 401 for refused credentials, 403
// for denied access, [StatusNotAuthorized] for a user without API rights and [StatusSearchRefused]
// for a refused search for people, whatever HTTP status
// iCIMS used (API sheet §3.2, §4). A refusal that does not come from iCIMS says nothing about the
// account and returns [StatusIntercepted]. Other responses return their own status. The body can
// still be read afterwards.
func AccountStatus(op Op, answer *http.Response) int {
	switch status := answer.StatusCode; {
	case status < 300 || status >= 600, status == http.StatusTooManyRequests:
		return status
	}
	body, readErr := io.ReadAll(answer.Body)
	kept := &keptBody{Reader: bytes.NewReader(body), err: readErr}
	answer.Body = kept
	problems := readProblems(answer.Header, body, func() []byte { return nil })
	own := isOwn(answer.Header, problems)
	if op != opSearchPeople {
		op = Op{Repeatable: true}
	}
	switch class, reason := judgeStatus(op, answer.StatusCode, problems, RateLimit{}, own); {
	case !own && answer.StatusCode < 500:
		return StatusIntercepted
	case reason == ReasonNotAuthorized:
		return StatusNotAuthorized
	case reason == ReasonSearchRefused:
		return StatusSearchRefused
	case class == ClassCredentials:
		return http.StatusUnauthorized
	case class == ClassAccess && answer.StatusCode != http.StatusNotFound: // a 404 is about one record
		return http.StatusForbidden
	}
	return answer.StatusCode
}
