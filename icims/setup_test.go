package icims

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// basePath is not empty, so that a client that drops the path of its root fails.
const basePath = "/some/base"

const testCustomer = "1234"

// setup starts a server for the API below basePath and a client of it. A
// request outside the base path fails the test.
func setup(t *testing.T, opts ...Option) (*Client, *http.ServeMux) {
	t.Helper()
	mux := http.NewServeMux()
	handler := http.NewServeMux()
	handler.Handle(basePath+"/", http.StripPrefix(basePath, mux))
	handler.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("request outside the base path: %s", r.URL.Path)
		w.WriteHeader(http.StatusInternalServerError)
	})
	return clientOf(t, newServer(t, handler), opts...), mux
}

func newServer(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

func clientOf(t *testing.T, srv *httptest.Server, opts ...Option) *Client {
	t.Helper()
	return newClient(t, srv.URL+basePath, Basic("integration", "pass-word"), opts...)
}

func newClient(t *testing.T, root string, auth Auth, opts ...Option) *Client {
	t.Helper()
	u, err := url.Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	origins := []string{origin(u)}
	if a, ok := auth.(*oauth); ok && a.tokenURL != "" {
		origins = append(origins, origin(mustURL(t, a.tokenURL)))
	}
	c, err := New(u, testCustomer, auth, append([]Option{WithHosts(hostsOf(t, origins...))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// hostsOf returns the policy that allows the origins.
func hostsOf(t *testing.T, origins ...string) HostPolicy {
	t.Helper()
	policy, err := ParseHostPolicy(strings.Join(origins, ","))
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// withDial replaces the dialer, without a guard.
func withDial(dial func(ctx context.Context, network, addr string) (net.Conn, error)) Option {
	base := newTransport(&dialGuard{})
	base.DialContext = dial
	return WithBaseTransport(base)
}

// call is one use of one operation and the response that makes it succeed.
type call struct {
	op       Op
	do       func(context.Context, *Client) (*Response, error)
	status   int
	location string
	body     string
}

var (
	personFields = Fields{"firstname": "Ana", "lastname": "Duarte", "email": "ana.duarte@example.com"}
	phoneFields  = Fields{"phonenumber": "+1 425 555 0143", "phonetype": Fields{"value": "Mobile"}}
)

// calls uses every operation once.
var calls = []call{
	{opCustomer, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.Customer(ctx)
		return r, err
	}, 200, "", `{"id":1234,"name":"Acme"}`},
	{opSearchPeople, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.SearchPeople(ctx, EmailQuery(OpExact, "ana.duarte@example.com"))
		return r, err
	}, 200, "", `{"searchResults":[]}`},
	{opSearchWorkflows, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.SearchWorkflows(ctx, PersonJobQuery(90210, 1709))
		return r, err
	}, 200, "", `{"searchResults":[]}`},
	{opSearchPortal, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.SearchPortal(ctx, "101", 0)
		return r, err
	}, 200, "", `{"searchResults":[]}`},
	{opPerson, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.Person(ctx, 90210)
		return r, err
	}, 200, "", `{"firstname":"Ana"}`},
	{opCreatePerson, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.CreatePerson(ctx, personFields)
		return r, err
	}, 201, "/customers/1234/people/90210", ""},
	{opPatchPerson, func(ctx context.Context, c *Client) (*Response, error) {
		return c.PatchPerson(ctx, 90210, personFields)
	}, 204, "", ""},
	{opAddEntry, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.AddCollectionEntry(ctx, 90210, "phones", phoneFields)
		return r, err
	}, 201, "/customers/1234/people/90210/fields/phones/5310", ""},
	{opWorkflow, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.Workflow(ctx, 21282)
		return r, err
	}, 200, "", `{"source":"SeekOut"}`},
	{opPairWorkflow, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.PairWorkflow(ctx, 90210, 1709)
		return r, err
	}, 200, "", `{"id":21282}`},
	{opCreateWorkflow, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.CreateWorkflow(ctx, Fields{"baseprofile": 1709, "associatedprofile": 90210})
		return r, err
	}, 201, "/customers/1234/applicantworkflows/21282", ""},
	{opPatchWorkflow, func(ctx context.Context, c *Client) (*Response, error) {
		return c.PatchWorkflow(ctx, 21282, Fields{"status": Fields{"id": "C36951"}})
	}, 204, "", ""},
	{opJob, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.Job(ctx, 1709)
		return r, err
	}, 200, "", `{"jobtitle":"Data Engineer"}`},
	{opSchema, func(ctx context.Context, c *Client) (*Response, error) {
		_, r, err := c.Schema(ctx, SchemaPerson)
		return r, err
	}, 200, "", `{"properties":{}}`},
}

// succeed writes the response that makes the call succeed.
func (k call) succeed(w http.ResponseWriter) {
	if k.location != "" {
		w.Header().Set("Location", k.location)
	}
	w.WriteHeader(k.status)
	_, _ = io.WriteString(w, k.body)
}

func TestCallsUseEveryOperationOnce(t *testing.T) {
	used := map[string]int{}
	for _, k := range calls {
		used[k.op.Name]++
	}
	for _, op := range Ops() {
		if used[op.Name] != 1 {
			t.Errorf("%s is used %d times, want once", op.Name, used[op.Name])
		}
	}
	if len(used) != len(Ops()) {
		t.Errorf("%d operations used, %d exist", len(used), len(Ops()))
	}
}

// wantError returns err as an *Error, or fails.
func wantError(t *testing.T, err error) *Error {
	t.Helper()
	e, ok := err.(*Error)
	if !ok {
		t.Fatalf("error is %T (%v), want *Error", err, err)
	}
	return e
}

// testRequestFailures runs one operation through the failures common to all operations.
func testRequestFailures(t *testing.T, k call) {
	t.Helper()
	check := func(t *testing.T, err error, class Class, reason Reason, sent Sent) {
		t.Helper()
		e := wantError(t, err)
		if e.Op != k.op.Name || e.Class != class || e.Reason != reason || e.Sent != sent {
			t.Errorf("got %s %s %s sent %s, want %s %s %s sent %s", e.Op, e.Class, e.Reason, e.Sent, k.op.Name, class, reason, sent)
		}
	}
	lost := k.op.lostClass()

	t.Run("a context that ended before the call", func(t *testing.T) {
		c, mux := setup(t)
		mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { t.Error("the call was made") })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		resp, err := k.do(ctx, c)
		check(t, err, ClassRetry, ReasonCanceled, SentNo)
		if resp != nil {
			t.Errorf("got response %v without a call", resp)
		}
	})
	t.Run("a refusal by a middleware", func(t *testing.T) {
		refuse := func(http.RoundTripper) http.RoundTripper {
			return roundTripper(func(*http.Request) (*http.Response, error) {
				return nil, fmt.Errorf("wrapped: %w", &RefusedError{Reason: "lane_paused", After: 90e9})
			})
		}
		c, mux := setup(t, WithMiddleware(refuse))
		mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { t.Error("the call was made") })
		_, err := k.do(t.Context(), c)
		check(t, err, ClassDefer, "lane_paused", SentNo)
		if e := wantError(t, err); e.RetryAfter != 90e9 {
			t.Errorf("retry after %s, want 1m30s", e.RetryAfter)
		}
	})
	t.Run("no server", func(t *testing.T) {
		srv := newServer(t, http.NotFoundHandler())
		srv.Close()
		_, err := k.do(t.Context(), clientOf(t, srv))
		check(t, err, ClassRetry, ReasonUnreachable, SentNo)
	})
	t.Run("a connection closed instead of an answer", func(t *testing.T) {
		c, mux := setup(t)
		mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		_, err := k.do(t.Context(), c)
		check(t, err, lost, ReasonConnectionLost, SentMaybe)
	})
	t.Run("a 500", func(t *testing.T) {
		c, mux := setup(t)
		mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Transaction", "{2A06CCC7-D2CC-5C91-2591-89CF1FF4F939}")
			w.WriteHeader(500)
		})
		resp, err := k.do(t.Context(), c)
		check(t, err, lost, ReasonServerError, SentYes)
		if resp == nil || resp.Status != 500 || resp.Transaction != "{2A06CCC7-D2CC-5C91-2591-89CF1FF4F939}" {
			t.Errorf("got response %v, want the 500 and its transaction", resp)
		}
	})
	t.Run("a page of HTML on a 200", func(t *testing.T) {
		c, mux := setup(t)
		mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>Maintenance</html>")
		})
		_, err := k.do(t.Context(), c)
		check(t, err, lost, ReasonBadAnswer, SentYes)
	})
	t.Run("a redirect is not followed", func(t *testing.T) {
		var seen int
		c, mux := setup(t)
		mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			seen++
			w.Header().Set("Location", "http://elsewhere.example.com/?token=1")
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		_, err := k.do(t.Context(), c)
		check(t, err, lost, ReasonRedirected, SentYes)
		if seen != 1 {
			t.Errorf("%d requests, want 1", seen)
		}
	})
}

func TestRequestFailures(t *testing.T) {
	for _, k := range calls {
		t.Run(k.op.Name, func(t *testing.T) { testRequestFailures(t, k) })
	}
}

func TestEveryCallOnTheWire(t *testing.T) {
	for _, k := range calls {
		t.Run(k.op.Name, func(t *testing.T) {
			var labeled Op
			label := func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					labeled = OpOf(r.Context())
					return next.RoundTrip(r)
				})
			}
			c, mux := setup(t, WithMiddleware(label))
			reached := false
			mux.HandleFunc(k.op.Method+" "+k.op.Pattern, func(w http.ResponseWriter, r *http.Request) {
				reached = true
				if r.PathValue("customer") != testCustomer {
					t.Errorf("customer %q in the path, want %s", r.PathValue("customer"), testCustomer)
				}
				if user, pass, ok := r.BasicAuth(); !ok || user != "integration" || pass != "pass-word" {
					t.Error("credentials missing")
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				if r.ContentLength != int64(len(body)) || len(r.TransferEncoding) > 0 {
					t.Errorf("content length %d, transfer encoding %q for %d bytes", r.ContentLength, r.TransferEncoding, len(body))
				}
				if hasBody := k.op.Method != http.MethodGet; hasBody != (r.Header.Get("Content-Type") == "application/json") || hasBody != (len(body) > 0) {
					t.Errorf("content type %q for a body of %d bytes", r.Header.Get("Content-Type"), len(body))
				}
				if strings.Contains(k.op.Pattern, "/search/") && r.URL.Query().Get("staleness") != "0" {
					t.Errorf("search without staleness=0: %s", r.URL.RawQuery)
				}
				if r.Header.Get("Cookie") != "" {
					t.Error("cookie sent")
				}
				w.Header().Set("Set-Cookie", "JSESSIONID=1")
				k.succeed(w)
			})
			for range 2 { // the second would send a cookie, if one had been kept
				resp, err := k.do(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				if resp.Status != k.status || resp.Header.Get("Set-Cookie") != "" {
					t.Errorf("status %d, cookie %q", resp.Status, resp.Header.Get("Set-Cookie"))
				}
			}
			if !reached {
				t.Fatal("the route was not reached")
			}
			if labeled != k.op {
				t.Errorf("middleware saw %+v, want %+v", labeled, k.op)
			}
		})
	}
}

// roundTripper is a function as transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering is a base transport that returns the same response to every request.
func answering(status int, header http.Header, body string) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		h := header.Clone()
		if h == nil {
			h = http.Header{}
		}
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
		}, nil
	}
}

var errSecret = errors.New("s3cret-of-a-middleware")

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
