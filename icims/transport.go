package icims

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"time"
)

// newTransport speaks HTTP/1.1 only, since iCIMS answers anything else with
// 505, and TLS 1.2 or later (API sheet §1).
func newTransport(guard *dialGuard) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  guard.proxy, // that of the settings; those of the environment are not looked at
		DialContext:            guard.dial,
		Protocols:              protocols,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: 256 << 10,
		// Short, since a write on a connection that the other side is just
		// closing is a write whose fate has to be looked up.
		IdleConnTimeout: 20 * time.Second,
	}
}

// deadlineLayer bounds everything below it. The answer has been read by the
// time it returns.
type deadlineLayer struct {
	timeout time.Duration
	next    http.RoundTripper
}

func (l *deadlineLayer) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), l.timeout)
	defer cancel()
	resp, err := l.next.RoundTrip(req.WithContext(ctx))
	if resp != nil {
		// What was sent below holds the credentials; nobody above gets it.
		resp.Request = req
	}
	return resp, err
}

// wire is the innermost layer: it sends, and reads the answer completely.
type wire struct {
	base    http.RoundTripper
	guard   *dialGuard // nil where base is the caller's
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

// unrepeatable keeps net/http from sending a request twice on its own: it
// replays whatever it holds for idempotent when a kept-alive connection breaks
// before the answer, even though iCIMS may have counted the call. A body that
// cannot be rewound prevents that for reads; writes are replayed only with an
// idempotency header. What is left is a second try after nothing at all was
// written, which net/http does for requests with GetBody and which costs no
// call.
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

// errTooLarge ends a body that is over the limit.
var errTooLarge error = detail("answer over the limit")

// readBody reads a body into memory. What went wrong is told to whoever reads
// it again, after the bytes that did come: the status may decide all the same.
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

// WriteTo hides the reader's own, which would hide the error.
func (b *keptBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.Reader.WriteTo(w)
	if err == nil {
		err = b.err
	}
	return n, err
}

func (b *keptBody) Close() error { return nil }
