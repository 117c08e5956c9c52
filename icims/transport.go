package icims

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"time"
)

// newTransport uses HTTP/1.1 only, since iCIMS answers anything else with 505, and TLS 1.2 or later
// (API sheet §1).
func newTransport(guard *dialGuard) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  guard.proxy, // from the settings; environment variables are ignored
		DialContext:            guard.dial,
		Protocols:              protocols,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: 256 << 10,
		// Short, since a write on a connection that the other side is closing has an unknown
		// outcome and must be looked up.
		IdleConnTimeout: 20 * time.Second,
	}
}

// deadlineLayer limits everything below it. The response has been read when it returns.
type deadlineLayer struct {
	timeout time.Duration
	next    http.RoundTripper
}

func (l *deadlineLayer) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), l.timeout)
	defer cancel()
	resp, err := l.next.RoundTrip(req.WithContext(ctx))
	if resp != nil {
		// The request sent below contains the credentials; hide it from the layers above.
		resp.Request = req
	}
	return resp, err
}

// wire is the innermost layer: it sends the request and reads the whole response.
type wire struct {
	base    http.RoundTripper
	guard   *dialGuard // nil if base is the caller's
	traced  bool
	maxBody int64
}

func newWire(base http.RoundTripper, guard *dialGuard, maxBody int64) *wire {
	_, traced := base.(*http.Transport)
	return &wire{base: base, guard: guard, traced: traced, maxBody: maxBody}
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if w.guard != nil {
		if err := w.guard.check(req.URL); err != nil {
			return nil, err
		}
	}
	sent := sentOf(ctx)
	if sent != nil {
		if w.traced {
			ctx = sent.trace(ctx)
		} else {
			sent.set(SentMaybe)
		}
	}
	resp, err := w.base.RoundTrip(unrepeatable(req.WithContext(ctx)))
	if err != nil {
		return nil, err
	}
	if sent != nil {
		sent.set(SentYes)
	}
	resp.Body = readBody(resp.Body, w.maxBody)
	resp.Request = req
	return resp, nil
}

// unrepeatable keeps net/http from sending a request twice. net/http replays idempotent requests
// when a kept-alive connection breaks before the response, although iCIMS may have counted the
// call. A body that cannot be rewound prevents that for reads; writes are replayed only with an
// idempotency header. net/http still retries requests with GetBody when nothing at all was written;
// that costs no call.
func unrepeatable(req *http.Request) *http.Request {
	if req.Body == nil || req.Body == http.NoBody {
		req.Body, req.GetBody, req.ContentLength = io.NopCloser(noBytes{}), nil, 0
	}
	if req.Header.Get("Idempotency-Key") != "" || req.Header.Get("X-Idempotency-Key") != "" {
		req.Header = req.Header.Clone()
		req.Header.Del("Idempotency-Key")
		req.Header.Del("X-Idempotency-Key")
	}
	return req
}

type noBytes struct{}

func (noBytes) Read([]byte) (int, error) { return 0, io.EOF }

// errTooLarge ends a body over the limit.
var errTooLarge error = detail("answer over the limit")

// readBody reads a body into memory. A read error is returned after the bytes that arrived, when
// the body is read again: the status alone may be enough.
func readBody(body io.ReadCloser, limit int64) io.ReadCloser {
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(data)) > limit {
		data, err = data[:limit], errTooLarge
	}
	return &keptBody{Reader: bytes.NewReader(data), err: err}
}

type keptBody struct {
	*bytes.Reader
	err error
}

func (b *keptBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}

// WriteTo hides the embedded reader's WriteTo, which would lose the error.
func (b *keptBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.Reader.WriteTo(w)
	if err == nil {
		err = b.err
	}
	return n, err
}

func (b *keptBody) Close() error { return nil }
