package icimstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"syscall"
	"testing/iotest"
)

// Transport calls the simulator without a network, for tests under testing/synctest and for
// benchmarks. A reset is an error that wraps ECONNRESET. Everything else is as over HTTP/1.1,
// except that a slow body arrives in one piece.
func (s *Simulator) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Simulator }

// recorder is an in-memory http.ResponseWriter. It cannot be hijacked, so a fault that breaks the
// connection panics with http.ErrAbortHandler.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	broken bool // the body ends too early
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// RoundTrip runs the handler in its own goroutine, so that a canceled caller returns at once.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(context.WithValue(r.Context(), serverKey{}, context.WithoutCancel(r.Context())))
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	} else {
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		in.Body = io.NopCloser(bytes.NewReader(body))
		if in.ContentLength == 0 && len(body) > 0 {
			in.ContentLength = -1 // net/http would send such a body in chunks
		}
	}
	if r.URL.Scheme == "https" {
		in.Header.Set("X-Forwarded-Proto", "https")
	}
	in.RequestURI = r.URL.RequestURI()
	answered := make(chan *recorder, 1)
	go func() {
		w := &recorder{header: http.Header{}}
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				w = nil
			}
			answered <- w
		}()
		t.s.ServeHTTP(w, in)
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case w := <-answered:
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		if w == nil {
			return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Host, syscall.ECONNRESET)
		}
		return w.response(r), nil
	}
}

func (w *recorder) response(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	res := &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(bytes.NewReader(w.body.Bytes())), ContentLength: int64(w.body.Len()), Request: r,
	}
	if w.header.Get("Content-Length") == "" && w.body.Len() > 0 {
		res.ContentLength = -1
	}
	if w.broken {
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(w.body.Bytes()), iotest.ErrReader(io.ErrUnexpectedEOF)))
	}
	return res
}
