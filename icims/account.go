package icims

import (
	"bytes"
	"io"
	"net/http"
)

// StatusNotAuthorized is what [AccountStatus] returns where iCIMS accepts the credentials and
// refuses the user every call. It is no HTTP status.
const StatusNotAuthorized = 1401

// StatusIntercepted is what [AccountStatus] returns for a refusal or redirect that is not
// iCIMS's.
const StatusIntercepted = http.StatusBadGateway

// AccountStatus returns what an answer says of the account: 401 for refused credentials, 403
// for denied access and [StatusNotAuthorized], whatever status iCIMS chose to say so (API sheet
// §3.2, §4). A refusal that is not iCIMS's says nothing of the account, so it is
// [StatusIntercepted]. For all other answers it returns their own status. It leaves the body
// to be read.
func AccountStatus(answer *http.Response) int {
	switch status := answer.StatusCode; {
	case status < 300 || status >= 600, status == http.StatusTooManyRequests:
		return status
	}
	body, readErr := io.ReadAll(answer.Body)
	kept := &keptBody{Reader: bytes.NewReader(body), err: readErr}
	answer.Body = kept
	problems := readProblems(answer.Header, body, func() []byte { return nil })
	own := isOwn(answer.Header, problems)
	switch class, reason := judgeStatus(Op{Repeatable: true}, answer.StatusCode, problems, RateLimit{}, own); {
	case !own && answer.StatusCode < 500:
		return StatusIntercepted
	case reason == ReasonNotAuthorized:
		return StatusNotAuthorized
	case class == ClassCredentials:
		return http.StatusUnauthorized
	case class == ClassAccess && answer.StatusCode != http.StatusNotFound: // a 404 is about one record
		return http.StatusForbidden
	}
	return answer.StatusCode
}
