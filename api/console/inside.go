package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/seekout/icims-export/api"
)

// Refusal is what the API refused a request with.
type Refusal struct {
	api.Problem

	// Status is the HTTP status.
	Status int
	// RetryAfter is in seconds; "" where the API says none.
	RetryAfter string
}

func (r *Refusal) Error() string { return "refused: " + r.Title }

// Of is what is wrong with a field, by its place in the API's body; nil if nothing is.
func (r *Refusal) Of(field string) *api.FieldProblem {
	if r == nil {
		return nil
	}
	for i := range r.Errors {
		if r.Errors[i].Field == field {
			return &r.Errors[i]
		}
	}
	return nil
}

// refusalOf is the refusal that an error holds, for a page that shows it beside what was
// entered; false for every other error.
func refusalOf(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// apiPath joins the parts of one of the API's paths; each is escaped.
func apiPath(parts ...string) string {
	var joined strings.Builder
	joined.WriteString("/v1")
	for _, p := range parts {
		joined.WriteString("/" + url.PathEscape(p))
	}
	return joined.String()
}

// customerPath is one of the API's paths below the visit's customer.
func (v *visit) customerPath(parts ...string) string {
	return apiPath(append([]string{"customers", v.Customer}, parts...)...)
}

// get asks the API, and reads its answer into out.
func (v *visit) get(path string, query url.Values, out any) error {
	return v.call(http.MethodGet, path, query, nil, out)
}

// post sends the API a body as JSON, and reads its answer into out, which may be nil.
func (v *visit) post(path string, body, out any) error {
	return v.call(http.MethodPost, path, nil, body, out)
}

// call makes a request. header are names and values in turn. A refusal is a *Refusal.
func (v *visit) call(method, path string, query url.Values, body, out any, header ...string) error {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		reader = bytes.NewReader(text)
		header = append([]string{"Content-Type", "application/json"}, header...)
	}
	return v.send(method, path, query, reader, out, header...)
}

// send makes a request whose body is a stream.
func (v *visit) send(method, path string, query url.Values, body io.Reader, out any, header ...string) error {
	r, err := v.request(method, path, query, body, header...)
	if err != nil {
		return err
	}
	a := &inner{header: http.Header{}}
	v.api.ServeHTTP(a, r)
	if a.status >= http.StatusMultipleChoices {
		return a.refusal()
	}
	if out == nil || a.status == http.StatusNoContent {
		return nil
	}
	if err := json.Unmarshal(a.body.Bytes(), out); err != nil {
		return fmt.Errorf("read the API's answer: %w", err)
	}
	return nil
}

// follow reads a stream of events until it ends or tell returns an error, which is then
// its own. header are names and values in turn.
func (v *visit) follow(path string, tell func(event) error, header ...string) error {
	r, err := v.request(http.MethodGet, path, nil, nil, header...)
	if err != nil {
		return err
	}
	a := &inner{header: http.Header{}, tell: tell}
	v.api.ServeHTTP(a, r)
	switch {
	case a.told != nil:
		return a.told
	case a.status >= http.StatusMultipleChoices:
		return a.refusal()
	}
	return nil
}

// request is one to the API in this process: it comes from where the browser's comes from.
func (v *visit) request(method, path string, query url.Values, body io.Reader, header ...string) (*http.Request, error) {
	target := path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(v.r.Context(), method, "http://console"+target, body) //nolint:gosec,nolintlint // it never leaves the process; not each run of gosec sees that
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	r.RequestURI, r.RemoteAddr, r.TLS = target, v.r.RemoteAddr, v.r.TLS
	for _, forwarded := range v.r.Header.Values("X-Forwarded-For") {
		r.Header.Add("X-Forwarded-For", forwarded)
	}
	r.Header.Set("Authorization", "Bearer "+v.token)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if r.ContentLength == 0 && body != nil {
		r.ContentLength = -1
	}
	return r, nil
}

// inner takes an answer of the API.
type inner struct {
	header http.Header
	status int
	body   bytes.Buffer
	// tell is told each event of a stream; nil where the answer is no stream.
	tell func(event) error
	told error
}

func (a *inner) Header() http.Header { return a.header }

func (a *inner) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

func (a *inner) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body.Write(p)
	if a.tell == nil || a.status != http.StatusOK {
		return len(p), nil
	}
	for {
		text, rest, whole := bytes.Cut(a.body.Bytes(), []byte("\n\n"))
		if !whole {
			return len(p), nil
		}
		e := parseEvent(text)
		a.body.Next(a.body.Len() - len(rest))
		if a.told = a.tell(e); a.told != nil {
			return 0, a.told
		}
	}
}

// Flush is for http.ResponseController: there is nothing to be flushed.
func (a *inner) Flush() {}

func (a *inner) refusal() error {
	r := &Refusal{Status: a.status, RetryAfter: a.header.Get("Retry-After")}
	if err := json.Unmarshal(a.body.Bytes(), &r.Problem); err != nil {
		return fmt.Errorf("read the API's problem: %w", err)
	}
	return r
}
