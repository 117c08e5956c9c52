package icims

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Fields is the body of a create or patch, by field name. Names are lower case at every level (API
// sheet §1). A nil or "" clears a field.
type Fields map[string]any

// params are the values of a pattern's placeholders.
type params map[string]string

// newRequest builds the request of one operation. It fails only for arguments that cannot be sent.
func (c *Client) newRequest(ctx context.Context, op Op, p params, query string, body any) (*http.Request, error) {
	u := *c.root
	path, raw := u.Path, u.EscapedPath()
	var pathSb27 strings.Builder
	var rawSb27 strings.Builder
	for segment := range strings.SplitSeq(strings.TrimPrefix(op.Pattern, "/"), "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			if name == "customer" {
				segment = c.customer
			} else {
				segment = p[name]
			}
			if segment == "" || segment == "." || segment == ".." {
				return nil, badRequest(op, detail(name+" is missing"))
			}
		}
		pathSb27.WriteString("/" + segment)
		rawSb27.WriteString("/" + url.PathEscape(segment))
	}
	path += pathSb27.String()
	raw += rawSb27.String()
	u.Path, u.RawPath, u.RawQuery = path, raw, query

	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, badRequest(op, detail("body cannot be written as JSON"))
		}
		// A bytes.Reader sets the Content-Length, which iCIMS requires (API sheet §1).
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(context.WithValue(ctx, opKey{}, op), op.Method, u.String(), reader)
	if err != nil {
		return nil, badRequest(op, discreet(err))
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	return req, nil
}

func badRequest(op Op, err error) *Error {
	return &Error{Op: op.Name, Class: ClassPermanent, Reason: ReasonBadRequest, Sent: SentNo, Err: err}
}

// fieldsBody checks the body of a create or patch.
func fieldsBody(op Op, f Fields) error {
	if len(f) == 0 {
		return badRequest(op, detail("no fields to write"))
	}
	upper := ""
	err := eachName(map[string]any(f), func(name string) {
		if strings.ToLower(name) != name && (upper == "" || name < upper) {
			upper = name
		}
	})
	if err != nil {
		return badRequest(op, detail("fields cannot be written as JSON"))
	}
	if upper != "" {
		return badRequest(op, detail("field name "+upper+" must be lower case"))
	}
	return nil
}

// eachName calls on for every member name of v's JSON, at any depth. The common types are walked
// directly, because encoding and decoding costs more than the rest of a call.
func eachName(v any, on func(string)) error {
	switch v := v.(type) {
	case nil, bool, string, int, int64, float64, json.Number:
		return nil
	case Fields:
		return eachName(map[string]any(v), on)
	case map[string]any:
		for name, value := range v {
			on(name)
			if err := eachName(value, on); err != nil {
				return err
			}
		}
		return nil
	case []Fields:
		for _, value := range v {
			if err := eachName(value, on); err != nil {
				return err
			}
		}
		return nil
	case []any:
		for _, value := range v {
			if err := eachName(value, on); err != nil {
				return err
			}
		}
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var doc any
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	return eachName(doc, on)
}

var readField = regexp.MustCompile(`^[a-z][a-z0-9_.]*$`)

// fieldsQuery returns the query that selects fields.
func fieldsQuery(op Op, fields []string) (string, error) {
	if len(fields) == 0 {
		return "", nil
	}
	for _, f := range fields {
		if !readField.MatchString(f) {
			return "", badRequest(op, detail("field names must be lower case letters and digits"))
		}
	}
	return "fields=" + strings.Join(fields, ","), nil
}

// attempt collects the results of one pass through the chain.
type attempt struct {
	sent          sentTracker
	authorization string
}

type attemptKey struct{}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// answer is a success whose body is not decoded yet.
type answer struct {
	*Response
	// body is what could be read; bodyErr says why it is incomplete.
	body    []byte
	bodyErr error
	// location is the Location header as received.
	location string
	op       Op
}

// bareDo sends a request through the chain. It returns the answer of any 2xx and an *Error for
// everything else. The Response is set whenever iCIMS answered.
func (c *Client) bareDo(req *http.Request) (*answer, *Response, error) {
	ans, resp, authorization, err := c.try(req)
	// Only a refused token is worth a retry. A 401 without iCIMS's marks may come from a gateway
	// that checks tokens: the next call gets a new token, and this one is repeated if it is
	// repeatable.
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusUnauthorized && e.Reason != ReasonNotAuthorized {
		r, ok := c.auth.(renewer)
		sure := e.Class == ClassCredentials || OpOf(req.Context()).Repeatable
		if ok && r.renew(authorization) && sure {
			if req.GetBody != nil {
				req.Body, _ = req.GetBody() // of a bytes.Reader: cannot fail
			}
			ans, resp, _, err = c.try(req)
		}
	}
	return ans, resp, err
}

func (c *Client) try(req *http.Request) (*answer, *Response, string, error) {
	op := OpOf(req.Context())
	a := new(attempt)
	ctx := context.WithValue(req.Context(), attemptKey{}, a)
	ctx = context.WithValue(ctx, sentKey{}, &a.sent)

	r, err := c.chain.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, nil, a.authorization, c.transportError(op, a.sent.get(), err)
	}
	defer r.Body.Close()
	body, bodyErr := io.ReadAll(io.LimitReader(r.Body, c.maxBody+1))
	resp := newResponse(r, c.now())
	problems := readProblems(r.Header, body, func() []byte { return requestBody(req) })

	if r.StatusCode >= 200 && r.StatusCode < 300 {
		resp.Warnings = problems
		ans := &answer{Response: resp, body: body, bodyErr: bodyErr, location: r.Header.Get("Location"), op: op}
		return ans, resp, a.authorization, nil
	}
	class, reason := judgeStatus(op, r.StatusCode, problems, resp.Rate, isOwn(r.Header, problems))
	named := slices.ContainsFunc(problems, func(p Problem) bool { return p.Field != "" })
	unexplained := reason == ReasonFieldRefused || reason == ReasonFieldRequired || reason == ReasonRefused && len(problems) == 0
	if r.StatusCode >= 400 && unexplained && !named && (bodyErr != nil || cutOff(body)) {
		class, reason = ClassRetry, ReasonBadAnswer // the name of the field is missing
	}
	e := &Error{
		Op: op.Name, Class: class, Reason: reason, Status: r.StatusCode, Problems: problems,
		Transaction: resp.Transaction, Rate: resp.Rate, Sent: SentYes,
	}
	if class == ClassDefer {
		e.RetryAfter = deferFor(r.Header, resp.Rate, c.now())
	}
	return nil, resp, a.authorization, e
}

func (c *Client) transportError(op Op, sent Sent, err error) *Error {
	e := &Error{Op: op.Name, Sent: sent, Err: discreet(err)}
	if refused, ok := errors.AsType[*RefusedError](err); ok && sent == SentNo {
		e.Class, e.Reason, e.RetryAfter = ClassDefer, refused.reason(), refused.wait(c.now())
		return e
	}
	if auth, ok := errors.AsType[*AuthError](err); ok && sent == SentNo {
		e.Class, e.Reason, e.RetryAfter = auth.Class, auth.Reason, auth.RetryAfter
		return e
	}
	e.Class, e.Reason = judgeTransport(op, sent, err)
	return e
}

// cutOff reports whether part of a JSON object is missing.
func cutOff(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) > 0 && body[0] == '{' && !json.Valid(body)
}

func requestBody(req *http.Request) []byte {
	if req.GetBody == nil {
		return nil
	}
	r, err := req.GetBody()
	if err != nil {
		return nil
	}
	data, _ := io.ReadAll(r)
	return data
}

// do sends a read and decodes its answer into v.
func (c *Client) do(req *http.Request, v any) (*Response, error) {
	ans, resp, err := c.bareDo(req)
	if err != nil {
		return resp, err
	}
	return resp, ans.decode(v)
}

// decode reads a JSON object into v.
func (a *answer) decode(v any) error {
	switch {
	case errors.Is(a.bodyErr, errTooLarge):
		return a.bad(ReasonAnswerTooLarge, a.bodyErr)
	case a.bodyErr != nil:
		return a.bad(transportReason(SentYes, a.bodyErr), a.bodyErr)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return a.bad(ReasonBadAnswer, err)
	}
	return nil
}

// bad returns the error for an unusable 2xx response.
func (a *answer) bad(reason Reason, err error) *Error {
	return &Error{
		Op: a.op.Name, Class: a.op.lostClass(), Reason: reason, Status: a.Status, Problems: a.Warnings,
		Transaction: a.Transaction, Rate: a.Rate, Sent: SentYes, Err: discreet(err),
	}
}

// isHTML reports whether the body is a page, as a proxy or login sends, rather than an API
// response.
func (a *answer) isHTML() bool {
	return bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("<")) ||
		strings.HasPrefix(a.Header.Get("Content-Type"), "text/html")
}

// doPatch sends a write that returns nothing. Any 2xx except a page is a success (API sheet §5.5).
func (c *Client) doPatch(req *http.Request) (*Response, error) {
	ans, resp, err := c.bareDo(req)
	if err == nil && ans.isHTML() {
		err = ans.bad(ReasonBadAnswer, detail("a page instead of an answer"))
	}
	return resp, err
}

// doCreate sends a write that returns the ID of the new record, as the last segment of Location
// below parent.
func (c *Client) doCreate(req *http.Request, parent string) (int64, *Response, error) {
	ans, resp, err := c.bareDo(req)
	if err != nil {
		return 0, resp, err
	}
	id, ok := locationID(ans.location, parent)
	if !ok {
		return 0, resp, ans.bad(ReasonBadAnswer, detail("no usable Location"))
	}
	return id, resp, nil
}

// locationID parses ".../<parent>/<id>". The rest of the URL is ignored; it is never called.
func locationID(location, parent string) (int64, bool) {
	u, err := url.Parse(location)
	if err != nil {
		return 0, false
	}
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	if n := len(segments); n < 2 || !strings.EqualFold(segments[n-2], parent) {
		return 0, false
	}
	id, err := parseID([]byte(segments[len(segments)-1]))
	return id, err == nil && id > 0
}
