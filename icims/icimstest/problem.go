package icimstest

import "strconv"

// The error codes of iCIMS. Codes above 6 are not public; codeOther represents them.
const (
	codeInternal     = 0
	codeRequired     = 1
	codeNotFound     = 2
	codeAccessDenied = 3
	codeInvalid      = 4
	codeCredentials  = 6
	codeOther        = 7
)

// problem is one entry of errors or warnings. The message about a field starts with the field's ID
// and a colon.
type problem struct {
	code   int
	field  string
	detail string
}

func (p problem) message() string {
	if p.field == "" {
		return p.detail
	}
	return p.field + ": " + p.detail
}

// header returns the form used in X-Error and X-Warning.
func (p problem) header() string {
	if p.field == "" {
		return strconv.Itoa(p.code) + ":" + p.detail
	}
	return strconv.Itoa(p.code) + ":" + p.field + ":" + p.detail
}

type problemJSON struct {
	ErrorMessage string `json:"errorMessage"`
	ErrorCode    int    `json:"errorCode"`
}

func problemsJSON(ps []problem) []problemJSON {
	out := make([]problemJSON, len(ps))
	for i, p := range ps {
		out[i] = problemJSON{ErrorMessage: p.message(), ErrorCode: p.code}
	}
	return out
}

func invalid(field, detail string) problem {
	return problem{code: codeInvalid, field: field, detail: detail}
}
