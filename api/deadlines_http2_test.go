package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// http2Client serves the API over TLS, and returns a client that uses HTTP/2.
func (r *clockRig) http2Client(pair tls.Certificate) *http.Client {
	cert, listener := &Certificate{}, newPipes()
	cert.current.Store(&pair)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, listener, cert, 45*time.Second) }()
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			listener.connections <- server
			return client, nil
		},
	}
	r.t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		if err := <-served; err != nil {
			r.t.Errorf("it ended with %v", err)
		}
	})
	return &http.Client{Transport: transport}
}

// testCertificate returns a self-signed certificate.
func testCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return server.TLS.Certificates[0]
}

func TestSlowUploadsOverHTTP2AreAllowed(t *testing.T) {
	pair := testCertificate(t)
	for name, tt := range map[string]struct{ pause, busy time.Duration }{
		"for longer than other requests": {5 * time.Second, 0},
		"to a handler that is busy":      {0, 3 * DefaultRequestTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newClockRig(t)
				t.Cleanup(r.end)
				r.stream("/upload", func(w http.ResponseWriter, req *http.Request) {
					time.Sleep(tt.busy)
					var n int64
					for {
						read, err := io.CopyN(io.Discard, req.Body, 10<<10)
						if n += read; err == io.EOF {
							break
						} else if err != nil {
							r.refuse(w, req, err)
							return
						}
						time.Sleep(tt.busy)
					}
					w.WriteHeader(http.StatusAccepted)
					fmt.Fprint(w, n)
				})
				client := r.http2Client(pair)
				const pieces, size = 50, 10 << 10
				from, to := io.Pipe()
				r.senders.Go(func() {
					for range pieces {
						time.Sleep(tt.pause)
						if _, err := to.Write(bytes.Repeat([]byte("x"), size)); err != nil {
							return
						}
					}
					to.Close()
				})
				began := time.Now()
				response, err := client.Post("https://x/upload", "text/csv", from)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				if err != nil || response.ProtoMajor != 2 || response.StatusCode != http.StatusAccepted || string(text) != fmt.Sprint(pieces*size) {
					t.Errorf("got %s %d %s, %v", response.Proto, response.StatusCode, text, err)
				}
				if took := time.Since(began); took < 2*DefaultRequestTimeout {
					t.Errorf("it took only %s", took)
				}
			})
		})
	}
}

func TestStalledUploadsOverHTTP2End(t *testing.T) {
	pair := testCertificate(t)
	synctest.Test(t, func(t *testing.T) {
		r := newClockRig(t)
		t.Cleanup(r.end)
		r.upload()
		client := r.http2Client(pair)
		from, to := io.Pipe()
		r.senders.Go(func() { _, _ = io.WriteString(to, "x") })
		began := time.Now()
		response, err := client.Post("https://x/upload", "text/csv", from)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if took := time.Since(began); response.StatusCode < http.StatusBadRequest || took > DefaultStallTimeout+time.Second {
			t.Errorf("got %d after %s", response.StatusCode, took)
		}
	})
}

// Events may be further apart than the time limit of a write.
func TestResponsesOverHTTP2MayPause(t *testing.T) {
	pair := testCertificate(t)
	synctest.Test(t, func(t *testing.T) {
		r := newClockRig(t)
		t.Cleanup(r.end)
		r.stream("/events", func(w http.ResponseWriter, _ *http.Request) {
			for range 5 {
				fmt.Fprint(w, "event\n")
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(3 * DefaultStallTimeout)
			}
		})
		response, err := r.http2Client(pair).Post("https://x/events", "text/csv", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, err := io.ReadAll(response.Body); err != nil || strings.Count(string(text), "event\n") != 5 {
			t.Errorf("got %q, %v", text, err)
		}
	})
}
