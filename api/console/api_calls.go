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

// Refusal is an error response of the API.
type Refusal struct {
	api.Problem

	// Status is the HTTP status.
	Status int
	// RetryAfter is in seconds; "" if the API sends none.
	RetryAfter string
}

func (r *Refusal) Error() string { return "refused: " + r.Title }

// Of returns the problem of a field, by its name in the API's body, or nil.
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

// refusalOf returns the Refusal in an error, for a page that shows it next to the input; false for
// other errors.
func refusalOf(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// apiPath joins and escapes the parts of an API path.
func apiPath(parts ...string) string {
	var joined strings.Builder
	joined.WriteString("/v1")
	for _, p := range parts {
		joined.WriteString("/" + url.PathEscape(p))
	}
	return joined.String()
}

// customerPath returns an API path below the visit's customer.
func (v *visit) customerPath(parts ...string) string {
	return apiPath(append([]string{"customers", v.Customer}, parts...)...)
}

// get makes a GET request to the API, and decodes the response into out.
func (v *visit) get(path string, query url.Values, out any) error {
	return v.call(http.MethodGet, path, query, nil, out)
}

// post sends a JSON body to the API, and decodes the response into out, which may be nil.
func (v *visit) post(path string, body, out any) error {
	return v.call(http.MethodPost, path, nil, body, out)
}

// call makes a request. header alternates names and values. An error response is a *Refusal.
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

// send makes a request with a streamed body.
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

// follow reads a stream of events until it ends or tell returns an error, which it returns. header
// alternates names and values.
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

// request creates a request to the API in this process, with the browser's address.
func (v *visit) request(method, path string, query url.Values, body io.Reader, header ...string) (*http.Request, error) {
	target := path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(v.r.Context(), method, "http://console"+target, body) //nolint:gosec,nolintlint // stays in this process
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

// inner records a response of the API.
type inner struct {
	header http.Header
	status int
	body   bytes.Buffer
	// tell is called for each event of a stream; nil for other responses.
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

// Flush does nothing; http.ResponseController needs it.
func (a *inner) Flush() {}

func (a *inner) refusal() error {
	r := &Refusal{Status: a.status, RetryAfter: a.header.Get("Retry-After")}
	if err := json.Unmarshal(a.body.Bytes(), &r.Problem); err != nil {
		return fmt.Errorf("read the API's problem: %w", err)
	}
	return r
}
