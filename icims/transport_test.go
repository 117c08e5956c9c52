package icims

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func callOf(t *testing.T, op Op) call {
	t.Helper()
	for _, k := range calls {
		if k.op == op {
			return k
		}
	}
	t.Fatalf("no call of %s", op.Name)
	return call{}
}

// TestNoCallIsRepeatedByTheTransport: net/http repeats a read if a kept-alive connection breaks
// after the request was written.
func TestNoCallIsRepeatedByTheTransport(t *testing.T) {
	for _, k := range calls {
		t.Run(k.op.Name, func(t *testing.T) {
			var seen atomic.Int32
			c, mux := setup(t)
			mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if seen.Add(1) == 2 {
					panic(http.ErrAbortHandler)
				}
				k.succeed(w)
			})
			if _, err := k.do(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			_, err := k.do(t.Context(), c)
			if e := wantError(t, err); e.Sent != SentMaybe || e.Class != k.op.lostClass() {
				t.Errorf("got %v, want %s, sent maybe", e, k.op.lostClass())
			}
			if n := seen.Load(); n != 2 {
				t.Errorf("%d requests reached the server, want 2", n)
			}
		})
	}
}

func TestNoCallIsRepeatedForAnIdempotencyHeader(t *testing.T) {
	var seen atomic.Int32
	mark := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			r.Header.Set("Idempotency-Key", "1")
			return next.RoundTrip(r)
		})
	}
	k := callOf(t, opCreatePerson)
	c, mux := setup(t, WithMiddleware(mark))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if seen.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		k.succeed(w)
	})
	if _, err := k.do(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := k.do(t.Context(), c); ClassOf(err) != ClassUnknown {
		t.Errorf("got %v, want unknown", err)
	}
	if n := seen.Load(); n != 2 {
		t.Errorf("%d requests reached the server, want 2", n)
	}
}

// brokenConn refuses writes once broken, without having written a byte.
type brokenConn struct {
	net.Conn
	broken *atomic.Bool
}

func (c brokenConn) Write(b []byte) (int, error) {
	if c.broken.Load() {
		return 0, errors.New("broken pipe")
	}
	return c.Conn.Write(b)
}

func TestAWriteOfWhichNothingWentOut(t *testing.T) {
	for _, redial := range []bool{true, false} {
		name := "is sent on a new connection, once"
		if !redial {
			name = "was not sent if there is no new connection"
		}
		t.Run(name, func(t *testing.T) {
			var seen, dialed atomic.Int32
			var broken atomic.Bool
			dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
				first := dialed.Add(1) == 1
				if !first && !redial {
					return nil, errors.New("no route")
				}
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				if first && err == nil {
					return brokenConn{conn, &broken}, nil
				}
				return conn, err
			}
			k := callOf(t, opCreatePerson)
			c, mux := setup(t, withDial(dial))
			mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { seen.Add(1); k.succeed(w) })
			if _, err := k.do(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			broken.Store(true)
			_, err := k.do(t.Context(), c)
			if redial {
				if err != nil || seen.Load() != 2 {
					t.Errorf("%v after %d requests, want success after 2", err, seen.Load())
				}
				return
			}
			if e := wantError(t, err); e.Class != ClassRetry || e.Sent != SentNo || seen.Load() != 1 {
				t.Errorf("got %v after %d requests, want retry, not sent", e, seen.Load())
			}
		})
	}
}

func TestTLS(t *testing.T) {
	start := func(t *testing.T, change func(*httptest.Server)) (*httptest.Server, *http.Transport) {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"id":1234,"name":%q}`, r.Proto)
		}))
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		change(srv)
		srv.StartTLS()
		t.Cleanup(srv.Close)
		base := newTransport(&dialGuard{hosts: hostsOf(t, srv.URL)})
		base.TLSClientConfig.RootCAs = x509.NewCertPool()
		base.TLSClientConfig.RootCAs.AddCert(srv.Certificate())
		return srv, base
	}
	t.Run("HTTP/1.1 is used even if the server offers HTTP/2", func(t *testing.T) {
		srv, base := start(t, func(s *httptest.Server) { s.EnableHTTP2 = true })
		v, _, err := newClient(t, srv.URL, Basic("u", "p"), WithBaseTransport(base)).Customer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if v.Name != "HTTP/1.1" {
			t.Errorf("spoke %s", v.Name)
		}
	})
	t.Run("a server without TLS 1.2 is refused before anything is sent", func(t *testing.T) {
		srv, base := start(t, func(s *httptest.Server) {
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		})
		_, _, err := newClient(t, srv.URL, Basic("u", "p"), WithBaseTransport(base)).CreatePerson(t.Context(), personFields)
		if e := wantError(t, err); e.Class != ClassRetry || e.Reason != ReasonTLS || e.Sent != SentNo {
			t.Errorf("got %v, want retry for TLS, not sent", e)
		}
	})
	t.Run("another host's certificate is refused before anything is sent", func(t *testing.T) {
		srv, _ := start(t, func(*httptest.Server) {})
		_, _, err := newClient(t, srv.URL, Basic("u", "p")).CreatePerson(t.Context(), personFields)
		if e := wantError(t, err); e.Class != ClassRetry || e.Reason != ReasonTLS || e.Sent != SentNo {
			t.Errorf("got %v, want retry for TLS, not sent", e)
		}
	})
}

// pipeListener connects a client and a server without sockets, so that time in a synctest bubble
// advances when both wait.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestTimeouts(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	cutBody := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_, _ = io.WriteString(w, `{"id":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		op      Op
		class   Class
		sent    Sent
	}{
		{"a create without an answer is unknown", hang, opCreatePerson, ClassUnknown, SentMaybe},
		{"a workflow without an answer is unknown", hang, opCreateWorkflow, ClassUnknown, SentMaybe},
		{"a patch without an answer may be repeated", hang, opPatchPerson, ClassRetry, SentMaybe},
		{"a read without an answer may be repeated", hang, opPerson, ClassRetry, SentMaybe},
		{"a read whose body hangs may be repeated", cutBody, opPerson, ClassRetry, SentYes},
		{"a create that cannot connect was not sent", nil, opCreatePerson, ClassRetry, SentNo},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipeListener()
				if tt.handler != nil {
					srv := &http.Server{Handler: tt.handler}
					go func() { _ = srv.Serve(l) }()
					defer srv.Close()
				}
				c := newClient(t, "http://api.example.com", Basic("u", "p"), withDial(l.dial), WithCallTimeout(7*time.Second))
				start := time.Now()
				_, err := callOf(t, tt.op).do(t.Context(), c)
				if e := wantError(t, err); e.Class != tt.class || e.Reason != ReasonTimeout || e.Sent != tt.sent {
					t.Errorf("got %v, want %s, sent %s", e, tt.class, tt.sent)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error("error is not context.DeadlineExceeded")
				}
				if d := time.Since(start); d != 7*time.Second {
					t.Errorf("took %s, want the call timeout", d)
				}
				c.CloseIdleConnections()
			})
		})
	}
}

func TestWaitingInAMiddlewareIsNotPartOfTheCallTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				time.Sleep(time.Hour) // in the bubble
				return next.RoundTrip(r)
			})
		}
		var deadline time.Duration
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			d, _ := r.Context().Deadline()
			deadline = time.Until(d)
			return answering(204, nil, "")(r)
		})
		c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithMiddleware(wait), WithBaseTransport(base))
		if _, err := c.PatchPerson(t.Context(), 1, personFields); err != nil {
			t.Fatal(err)
		}
		if deadline != DefaultCallTimeout {
			t.Errorf("iCIMS had %s to answer, want %s", deadline, DefaultCallTimeout)
		}
	})
}

func TestACallerThatGivesUpDuringAWrite(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, mux := setup(t)
	mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	_, _, err := c.CreatePerson(ctx, personFields)
	if e := wantError(t, err); e.Class != ClassUnknown || e.Reason != ReasonCanceled || e.Sent != SentMaybe {
		t.Errorf("got %v, want unknown, canceled, sent maybe", e)
	}
	if !errors.Is(err, context.Canceled) {
		t.Error("error is not context.Canceled")
	}
}

// rawServer answers every request with the same bytes and closes the connection.
func rawServer(t *testing.T, answer string) *Client {
	t.Helper()
	srv := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = buf.WriteString(strings.ReplaceAll(answer, "\n", "\r\n"))
		_ = buf.Flush()
	}))
	return clientOf(t, srv)
}

func TestBrokenAnswers(t *testing.T) {
	const location = "Location: https://api.icims.com/customers/1234/people/90210\n"
	tests := []struct {
		name   string
		op     Op
		answer string
		class  Class
		reason Reason
	}{
		{"a read that was cut", opPerson, "HTTP/1.1 200 OK\nContent-Length: 100\n\n{\"firstname\":", ClassRetry, ReasonConnectionLost},
		{"a read in chunks that was cut", opPerson, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\n{\"fir", ClassRetry, ReasonConnectionLost},
		{"a read that is no JSON", opPerson, "HTTP/1.1 200 OK\nContent-Length: 2\n\n{]", ClassRetry, ReasonBadAnswer},
		{"a read without a body", opPerson, "HTTP/1.1 200 OK\nContent-Length: 0\n\n", ClassRetry, ReasonBadAnswer},
		{"a status line that was cut", opCreatePerson, "HTTP/1.1 2", ClassUnknown, ReasonConnectionLost},
		{"a response that is not HTTP", opCreatePerson, "hello\n\n", ClassUnknown, ReasonConnectionLost},
		{"a create whose body was cut but whose id came", opCreatePerson, "HTTP/1.1 201 Created\n" + location + "Content-Length: 100\n\n{", ClassNone, ""},
		{"a create without Location", opCreatePerson, "HTTP/1.1 201 Created\nContent-Length: 0\n\n", ClassUnknown, ReasonBadAnswer},
		{"a create with the Location of something else", opCreatePerson, "HTTP/1.1 201 Created\nLocation: /login/7\nContent-Length: 0\n\n", ClassUnknown, ReasonBadAnswer},
		{"a create with a Location without a number", opCreatePerson, "HTTP/1.1 201 Created\nLocation: /customers/1234/people/new\nContent-Length: 0\n\n", ClassUnknown, ReasonBadAnswer},
		{"a create with a relative Location", opCreatePerson, "HTTP/1.1 201 Created\nLocation: people/90210/\nContent-Length: 0\n\n", ClassNone, ""},
		{"a patch with a cut body", opPatchPerson, "HTTP/1.1 200 OK\nContent-Length: 100\n\n{", ClassNone, ""},
		{"a 404 whose body was cut after the code", opPerson, "HTTP/1.1 404 Not Found\nContent-Length: 100\n\n{\"errors\":[{\"errorCode\":3,", ClassAccess, ReasonAccessDenied},
		{"an entry without Location", opAddEntry, "HTTP/1.1 200 OK\nContent-Length: 0\n\n", ClassNone, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := callOf(t, tt.op).do(t.Context(), rawServer(t, tt.answer))
			if ClassOf(err) != tt.class || ReasonOf(err) != tt.reason || (err == nil) != (tt.class == ClassNone) {
				t.Errorf("got %v, want %s %s", err, tt.class, tt.reason)
			}
		})
	}
}

func TestAnswersAreReadThroughALimit(t *testing.T) {
	body := `{"firstname":"` + strings.Repeat("a", 100) + `"}`
	for _, tt := range []struct {
		name  string
		limit int64
		class Class
	}{
		{"an answer of the limit is read", int64(len(body)), ClassNone},
		{"one byte more is no answer, and may be one the next time", int64(len(body)) - 1, ClassRetry},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, mux := setup(t, WithMaxBody(tt.limit))
			mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
			_, _, err := c.Person(t.Context(), 1)
			if ClassOf(err) != tt.class || (err == nil) != (tt.class == ClassNone) {
				t.Errorf("got %v, want %s", err, tt.class)
			}
			if err != nil && ReasonOf(err) != ReasonAnswerTooLarge {
				t.Errorf("reason %s", ReasonOf(err))
			}
		})
	}
}

func TestTheChain(t *testing.T) {
	var order []string
	layer := func(name string) Middleware {
		return func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				order = append(order, name)
				if r.Header.Get("Authorization") != "" {
					t.Errorf("%s sees the credentials", name)
				}
				resp, err := next.RoundTrip(r)
				if err == nil && resp.Request.Header.Get("Authorization") != "" {
					t.Errorf("%s sees the credentials on the answer", name)
				}
				return resp, err
			})
		}
	}
	sign := authFunc(func(r *http.Request, body []byte) error {
		order = append(order, "auth")
		if !strings.Contains(string(body), `"firstname"`) {
			t.Errorf("auth got the body %q", body)
		}
		r.Header.Set("Authorization", "secret")
		return nil
	})
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		order = append(order, "wire")
		if r.Header.Get("Authorization") != "secret" {
			t.Error("not signed")
		}
		return answering(204, nil, "")(r)
	})
	c := newClient(t, "https://api.icims.com", sign,
		WithMiddleware(layer("permit"), layer("breaker")), WithMiddleware(layer("log")), WithBaseTransport(base))
	if _, err := c.PatchPerson(t.Context(), 1, personFields); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(order, " "), "permit breaker log auth wire"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}

type authFunc func(*http.Request, []byte) error

func (f authFunc) Authorize(r *http.Request, body []byte) error { return f(r, body) }

func TestAMiddlewareThatReplacesTheBody(t *testing.T) {
	replace := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil {
				resp.Body = struct {
					io.Reader
					io.Closer
				}{bufio.NewReader(resp.Body), resp.Body}
			}
			return resp, err
		})
	}
	c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithMiddleware(replace),
		WithBaseTransport(answering(200, nil, `{"firstname":"Ana"}`)))
	p, _, err := c.Person(t.Context(), 7)
	if err != nil || p.FirstName != "Ana" || p.ID != 7 {
		t.Errorf("got %v, %v", p, err)
	}
}
