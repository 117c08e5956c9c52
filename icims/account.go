package icims

import (
	"bytes"
	"io"
	"net/http"
)

// AccountStatus returns what an answer says of the account: 401 for refused credentials and 403
// for denied access, whatever status iCIMS chose to say so (API sheet §3.2, §4). For all other
// answers it returns their own status. It leaves the body to be read.
func AccountStatus(answer *http.Response) int {
	switch status := answer.StatusCode; {
	case status < 400 || status >= 600, status == http.StatusUnauthorized, status == http.StatusTooManyRequests:
		return status
	}
	body, readErr := io.ReadAll(answer.Body)
	kept := &keptBody{Reader: bytes.NewReader(body), err: readErr}
	answer.Body = kept
	problems := readProblems(answer.Header, body, func() []byte { return nil })
	switch class, _ := judgeStatus(Op{Repeatable: true}, answer.StatusCode, problems, RateLimit{}); {
	case class == ClassCredentials:
		return http.StatusUnauthorized
	case class == ClassAccess && answer.StatusCode != http.StatusNotFound: // a 404 is about one record
		return http.StatusForbidden
	}
	return answer.StatusCode
}
