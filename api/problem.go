package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Problem is an error response, as application/problem+json (RFC 9457). It repeats no request data,
// which may be personal or a password.
type Problem struct {
	Type   string `json:"type" format:"uri-reference" doc:"Documentation of the code." example:"https://github.com/seekout/icims-export/blob/main/docs/api.md#invalid_request"`
	Title  string `json:"title" doc:"Summary of the code, the same for every occurrence."`
	Status int    `json:"status" doc:"The HTTP status." example:"422"`
	Detail string `json:"detail,omitempty" doc:"Details of this occurrence."`
	Code   Code   `json:"code" doc:"A stable code for programs, listed in docs/api.md." example:"invalid_request"`
	// Errors are the invalid fields.
	Errors []FieldProblem `json:"errors,omitempty" doc:"The invalid fields."`
	// Receipt is the result for the candidates that were processed before the error.
	Receipt   *Sent  `json:"receipt,omitempty" doc:"For an interrupted export: the result for the candidates before the interruption."`
	RequestID string `json:"request_id" doc:"The request's ID in the service's log." example:"abcdefgh234567ij"`

	retryAfter time.Duration
	header     http.Header
}

// FieldProblem is an invalid field.
type FieldProblem struct {
	Field   string `json:"field" doc:"The field's path in the body, or query., path. or header. and a parameter's name." example:"limits.in_flight"`
	Problem string `json:"problem" doc:"The problem. Never contains the value." example:"is too large"`
	Remedy  string `json:"remedy,omitempty" doc:"The remedy." example:"use at most 1000"`
}

const problemType = "https://github.com/seekout/icims-export/blob/main/docs/api.md#"

// problem returns an error with the code. The detail must not contain request data.
func problem(code Code, detail string, fields ...FieldProblem) error {
	return newProblem(code, detail, fields...)
}

func newProblem(code Code, detail string, fields ...FieldProblem) *Problem {
	info := code.Info()
	return &Problem{Type: problemType + string(code), Title: info.Title, Status: info.Status, Detail: detail, Code: code, Errors: fields}
}

// after sets the time to retry after.
func (p *Problem) after(d time.Duration) *Problem {
	p.retryAfter = max(d, time.Second)
	return p
}

// with adds a response header.
func (p *Problem) with(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

func (p *Problem) Error() string { return string(p.Code) + ": " + p.Title }

// GetStatus returns the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the content type of problems, for huma.
func (p *Problem) ContentType(string) string { return problemContentType }

// GetHeaders returns the response headers, for huma.
func (p *Problem) GetHeaders() http.Header {
	header := p.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if p.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
	return header
}

const problemContentType = "application/problem+json"

// writeProblem responds with a problem, unless the response has begun.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	if a, ok := w.(*response); ok && a.begun() {
		return
	}
	req := requestOf(r.Context())
	req.code, p.RequestID = p.Code, req.id
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", problemContentType)
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(convertTimes(p)); err != nil {
		return // the client is gone
	}
}
