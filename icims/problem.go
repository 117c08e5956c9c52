package icims

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// CodeUnknown is the code of a problem that came without a readable one.
const CodeUnknown = -1

// The error codes whose meaning is known (API sheet §3.2).
const (
	codeInternal     = 0
	codeRequired     = 1
	codeNotFound     = 2
	codeAccessDenied = 3
	codeRefused      = 4
	codeCredentials  = 6
)

// Problem is one error or warning of iCIMS (API sheet §3.1). It prints as its
// code and field only: iCIMS's message may repeat what was sent.
type Problem struct {
	// Code is iCIMS's, or CodeUnknown.
	Code int `json:"code"`
	// Field is the API name of the field meant, or empty.
	Field string `json:"field,omitempty"`

	// message is behind a pointer so that no verb of fmt prints it, not even
	// when a Problem is nested in something else.
	message *string
}

// Text returns iCIMS's message without the field's name. It may hold personal
// data: keep it sealed.
func (p Problem) Text() string {
	if p.message == nil {
		return ""
	}
	return *p.message
}

// Required reports whether the field is missing, rather than wrong.
func (p Problem) Required() bool { return p.Code == codeRequired }

func (p Problem) String() string {
	code := "no code"
	if p.Code != CodeUnknown {
		code = "code " + strconv.Itoa(p.Code)
	}
	if p.Field == "" {
		return code
	}
	return code + " on " + p.Field
}

// GoString keeps %#v as discreet as %v.
func (p Problem) GoString() string { return "icims.Problem{" + p.String() + "}" }

// problemReader collects problems without doubles: iCIMS names the same one in
// a header and in the body.
type problemReader struct {
	// sent returns the request's body, against which field names are checked.
	sent     func() []byte
	problems []Problem
}

// readProblems reads all errors and warnings of an answer. sent returns the
// body of the request; few answers have a problem to check against it.
func readProblems(h http.Header, body []byte, sent func() []byte) []Problem {
	r := &problemReader{sent: sent}
	for _, name := range []string{"X-Error", "X-Warning"} {
		for _, v := range h.Values(name) {
			r.addHeader(v)
		}
	}
	r.addBody(body)
	return r.problems
}

// addHeader reads "code:detail" or "code:field:detail".
func (r *problemReader) addHeader(v string) {
	v = strings.TrimSpace(v)
	if v == "" {
		return
	}
	code, rest, found := strings.Cut(v, ":")
	n, err := strconv.ParseUint(strings.TrimSpace(code), 10, 16)
	if err != nil {
		r.add(CodeUnknown, v)
		return
	}
	if !found {
		rest = ""
	}
	r.add(int(n), rest)
}

// addBody reads the arrays "errors" and "warnings". Of a body that was cut or
// is no JSON it saves the codes.
func (r *problemReader) addBody(body []byte) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' {
		return
	}
	var doc struct {
		Errors   json.RawMessage `json:"errors"`
		Warnings json.RawMessage `json:"warnings"`
	}
	if json.Unmarshal(body, &doc) != nil {
		for _, m := range strayCode.FindAllSubmatch(body, -1) {
			r.add(parseCode(m[1]), "")
		}
		return
	}
	r.addList(doc.Errors)
	r.addList(doc.Warnings)
}

var strayCode = regexp.MustCompile(`"errorCode"\s*:\s*("?\d{1,5}"?)`)

func (r *problemReader) addList(raw json.RawMessage) {
	if len(raw) == 0 || string(raw) == "null" {
		return
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw} // one problem without an array around it
	}
	for _, item := range list {
		var p struct {
			Message json.RawMessage `json:"errorMessage"`
			Code    json.RawMessage `json:"errorCode"`
		}
		if json.Unmarshal(item, &p) != nil {
			p.Message = item
		}
		var text string
		if json.Unmarshal(p.Message, &text) != nil {
			text = ""
		}
		r.add(parseCode(p.Code), text)
	}
}

// parseCode accepts 4 and "4".
func parseCode(raw []byte) int {
	n, err := strconv.ParseUint(strings.Trim(string(raw), `" `), 10, 16)
	if err != nil {
		return CodeUnknown
	}
	return int(n)
}

// add splits "field: detail" and drops doubles.
func (r *problemReader) add(code int, text string) {
	text = strings.TrimSpace(text)
	field := ""
	if before, after, ok := strings.Cut(text, ":"); ok {
		if name := strings.TrimSpace(before); r.isField(name) {
			field, text = name, strings.TrimSpace(after)
		}
	}
	for _, p := range r.problems {
		if p.Code == code && p.Field == field && (text == "" || p.Text() == text) {
			return
		}
	}
	r.problems = append(r.problems, Problem{Code: code, Field: field, message: &text})
}

// isField reports whether the start of a message may be taken for a field's
// name. Field names are printed, and a message may just as well start with the
// value it complains about. So a name that was sent is one; any other must look
// like iCIMS's own, which are lower case (API sheet §1), and be no part of a
// value that was sent.
func (r *problemReader) isField(name string) bool {
	if len(name) > 64 {
		return false
	}
	var doc any
	if sent := r.sent(); len(sent) > 0 && json.Unmarshal(sent, &doc) != nil {
		return false
	}
	key, value := false, false
	lower := strings.ToLower(name)
	walk(doc, func(k string) { key = key || k == name }, func(v string) {
		value = value || strings.Contains(strings.ToLower(v), lower)
	})
	// A path below a field that was sent, as in rcf3211.school or education[1].school.
	first, rest, _ := strings.Cut(strings.ReplaceAll(name, "[", "."), ".")
	below := false
	if fields, ok := doc.(map[string]any); ok && rest != "" {
		_, below = fields[first]
	}
	switch {
	case key:
		return anyName.MatchString(name)
	case value:
		return false
	case below:
		return pathName.MatchString(name)
	}
	return plainName.MatchString(name) || dottedName.MatchString(name)
}

var (
	anyName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	plainName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	pathName  = regexp.MustCompile(`^[a-z][a-z0-9_]*(\[[0-9]+\])?(\.[a-z0-9_]+)*$`)
	// Dots occur in the names of filters and of collections' children. An
	// e-mail's local part has them too, hence the closed set of first parts.
	dottedName = regexp.MustCompile(`^(person|job|applicantworkflow|phones|addresses|education|workexperience)(\.[a-z0-9_]+)+$`)
)

// walk calls onKey for every member name and onValue for every scalar.
func walk(v any, onKey, onValue func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			onKey(k)
			walk(e, onKey, onValue)
		}
	case []any:
		for _, e := range v {
			walk(e, onKey, onValue)
		}
	case nil:
	default:
		onValue(fmt.Sprint(v))
	}
}
