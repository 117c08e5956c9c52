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

// CodeUnknown is the code of a problem without a readable code.
const CodeUnknown = -1

// The error codes with a known meaning (API sheet §3.2).
const (
	codeInternal     = 0
	codeRequired     = 1
	codeNotFound     = 2
	codeAccessDenied = 3
	codeRefused      = 4
	codeCredentials  = 6
)

// Problem is one error or warning of iCIMS (API sheet §3.1). It prints only its code and field,
// because iCIMS's message may contain what was sent.
type Problem struct {
	// Code is iCIMS's code, or CodeUnknown.
	Code int `json:"code"`
	// Field is the field's API name, or empty.
	Field string `json:"field,omitempty"`

	// A pointer, so that no fmt verb prints it, even when a Problem is nested in another value.
	message *string
}

// Text returns iCIMS's message without the field's name. It may contain personal data: store it
// encrypted only.
func (p Problem) Text() string {
	if p.message == nil {
		return ""
	}
	return *p.message
}

// Required reports whether the field is missing rather than invalid.
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

// problemReader collects problems without duplicates: iCIMS reports the same problem in a header
// and in the body.
type problemReader struct {
	// sent returns the request's body, to check field names against.
	sent     func() []byte
	problems []Problem
}

// readProblems reads all errors and warnings of a response. sent returns the request's body. It is
// called only when a problem needs it.
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

// addHeader parses "code:detail" or "code:field:detail".
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

// addBody parses the arrays "errors" and "warnings". From a truncated body or one that is not JSON
// it reads only the codes.
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
		list = []json.RawMessage{raw} // a single problem without an array
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

// add splits "field: detail" and drops duplicates.
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

// isField reports whether the start of a message is a field name. Field names are printed, and a
// message may start with the rejected value instead. So the name must either be one that was sent,
// or look like iCIMS's own names, which are lower case (API sheet §1), and not be part of a sent
// value.
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
	// A path below a sent field, as in rcf3211.school or education[1].school.
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
	// Names of filters and of collections' children contain dots. So does the local part of an
	// email address, hence the closed set of prefixes.
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
