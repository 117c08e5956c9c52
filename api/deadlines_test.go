package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// pipes is an in-process listener whose connections use the clock of a synctest bubble.
type pipes struct {
	connections chan net.Conn
	once        sync.Once
	closed      chan struct{}
}

func newPipes() *pipes { return &pipes{connections: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.connections:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// clockRig is an API with a fake clock and without Redis: its routes need no key.
type clockRig struct {
	*Server
	t        *testing.T
	listener *pipes
	stop     context.CancelFunc
	served   chan error
	clients  []net.Conn
	senders  sync.WaitGroup
}

func newClockRig(t *testing.T) *clockRig {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, Dialer: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("there is no Redis")
	}})
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(client, keys)
	server, err := New(Deps{Redis: client, Ledger: ledger, Producer: tasks.NewClient(client, ledger), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &clockRig{Server: server, t: t, listener: newPipes(), stop: stop, served: make(chan error, 1)}
	go func() { r.served <- server.Serve(ctx, r.listener, nil, 45*time.Second) }()
	return r
}

// end stops the API and checks that it ended cleanly.
func (r *clockRig) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.served; err != nil {
		r.t.Errorf("it ended with %v", err)
	}
	for _, c := range r.clients {
		c.Close()
	}
	r.senders.Wait()
	if err := r.Redis.Close(); err != nil {
		r.t.Error(err)
	}
}

func (r *clockRig) dial() net.Conn {
	client, server := net.Pipe()
	r.listener.connections <- server
	r.clients = append(r.clients, client)
	return client
}

// stream adds a streamed route.
func (r *clockRig) stream(path string, h http.HandlerFunc) {
	registerRaw(r.Server, op{ID: path, Method: http.MethodPost, Path: path, Summary: "Probe", Tags: []string{"probe"}}, huma.Operation{
		RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{"text/csv": {}}}, Responses: map[string]*huma.Response{"200": {Description: "OK"}},
	}, h)
}

// upload adds a route that reads its body and responds with its length.
func (r *clockRig) upload() {
	r.stream("/upload", func(w http.ResponseWriter, req *http.Request) {
		n, err := io.Copy(io.Discard, req.Body)
		if err != nil {
			r.refuse(w, req, err)
			return
		}
		fmt.Fprint(w, n)
	})
}

// answered reads the status and body of a response.
func answered(t *testing.T, c net.Conn) (status int, body string) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// send writes texts in the background with a pause between them, until a write fails.
func (r *clockRig) send(c net.Conn, pause time.Duration, texts ...string) {
	r.senders.Go(func() {
		for i, text := range texts {
			if i > 0 {
				time.Sleep(pause)
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	})
}

func repeated(text string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = text
	}
	return all
}

func uploadHead(length int) string {
	return fmt.Sprintf("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n", length)
}

func TestSlowUploadsAreAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newClockRig(t)
		defer r.end()
		r.upload()
		c := r.dial()
		const pieces, size = 1000, 10 << 10 // 10 KiB every five seconds: 83 minutes
		r.send(c, 5*time.Second, append([]string{uploadHead(pieces * size)}, repeated(strings.Repeat("x", size), pieces)...)...)
		if status, body := answered(t, c); status != http.StatusOK || body != fmt.Sprint(pieces*size) {
			t.Errorf("got %d %s", status, body)
		}
	})
}

func TestStalledUploadsEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		pause time.Duration
		texts []string
		most  time.Duration
	}{
		"a body that never begins":            {time.Hour, []string{uploadHead(1000), "x"}, 33 * time.Second},
		"a body that stops":                   {time.Hour, []string{uploadHead(1000) + "x", "x"}, 33 * time.Second},
		"a body that trickles":                {20 * time.Second, append([]string{uploadHead(100_000)}, repeated("x", 1000)...), 2 * time.Minute},
		"a body below a KiB a second":         {10 * time.Second, append([]string{uploadHead(100 << 20)}, repeated(strings.Repeat("x", 9<<10), 1000)...), 3 * time.Minute},
		"an answer is given before its end":   {20 * time.Second, append([]string{"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"}, repeated("x", 1000)...), time.Minute},
		"headers that trickle":                {4 * time.Second, append([]string{"POST /upload HTTP/1.1\r\n"}, repeated("X-A: b\r\n", 1000)...), 11 * time.Second},
		"a connection on which nothing comes": {time.Hour, []string{"", "x"}, 11 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newClockRig(t)
				defer r.end()
				r.upload()
				c := r.dial()
				began := time.Now()
				r.send(c, tt.pause, tt.texts...)
				if _, err := io.Copy(io.Discard, c); err != nil {
					t.Errorf("the connection broke: %v", err)
				}
				if took := time.Since(began); took > tt.most {
					t.Errorf("it was kept for %s", took)
				}
			})
		})
	}
}

func TestSlowResponsesAreAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newClockRig(t)
		defer r.end()
		r.stream("/events", func(w http.ResponseWriter, _ *http.Request) {
			for range 400 { // 100 minutes
				time.Sleep(15 * time.Second)
				fmt.Fprint(w, "event\n")
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
					return
				}
			}
		})
		c := r.dial()
		r.send(c, 0, "POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		if status, body := answered(t, c); status != http.StatusOK || strings.Count(body, "event\n") != 400 {
			t.Errorf("got %d with %d events", status, strings.Count(body, "event\n"))
		}
	})
}

func TestUnreadResponsesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newClockRig(t)
		defer r.end()
		ended := make(chan time.Duration, 1)
		began := time.Now()
		r.stream("/events", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := fmt.Fprint(w, strings.Repeat("x", 1<<16)); err != nil {
					ended <- time.Since(began)
					return
				}
			}
		})
		c := r.dial()
		r.send(c, 0, "POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		if took := <-ended; took > DefaultStallTimeout+time.Second {
			t.Errorf("it was tried for %s", took)
		}
	})
}

// A waiting request does not count as stalled.
func TestWaitingRequestsAreAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newClockRig(t)
		defer r.end()
		register(r.Server, op{ID: "wait", Method: http.MethodPut, Path: "/wait", Summary: "Wait", Tags: []string{"probe"}}, func(ctx context.Context, in *struct {
			Body struct{ Seconds int }
		},
		) (*healthOutput, error) {
			select {
			case <-time.After(time.Duration(in.Body.Seconds) * time.Second):
				return &healthOutput{Health{"ok"}}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		for seconds, want := range map[int]int{50: http.StatusOK, 3000: http.StatusServiceUnavailable} {
			c := r.dial()
			body := fmt.Sprintf(`{"Seconds":%d}`, seconds)
			began := time.Now()
			r.send(c, 0, fmt.Sprintf("PUT /wait HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			if status, text := answered(t, c); status != want || time.Since(began) > DefaultRequestTimeout+time.Second {
				t.Errorf("waiting %d s: got %d %s after %s", seconds, status, text, time.Since(began))
			}
		}
	})
}

func TestIdleConnectionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newClockRig(t)
		defer r.end()
		c := r.dial()
		r.send(c, time.Minute, repeated("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 3)...)
		began := time.Now()
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < 2*time.Minute || took > 5*time.Minute {
			t.Errorf("it was kept for %s", took)
		}
	})
}

func TestStopEndsStreamsAndFinishesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newClockRig(t)
		r.stream("/events", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "begin\n")
			_ = http.NewResponseController(w).Flush()
			<-r.closing()
			fmt.Fprint(w, "end\n")
		})
		r.stream("/slow", func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(20 * time.Second)
			fmt.Fprint(w, "done\n")
		})
		events, slow := r.dial(), r.dial()
		r.send(events, 0, "POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		r.send(slow, 0, "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		r.senders.Go(func() {
			if _, body := answered(t, events); body != "begin\nend\n" {
				t.Errorf("the stream was %q", body)
			}
		})
		r.senders.Go(func() {
			if _, body := answered(t, slow); body != "done\n" {
				t.Errorf("the answer was %q", body)
			}
		})
		synctest.Wait()
		began := time.Now()
		r.end()
		if took := time.Since(began); took > 21*time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
}

func TestStopEndsHangingRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newClockRig(t)
		r.stream("/stubborn", func(w http.ResponseWriter, req *http.Request) {
			fmt.Fprint(w, "begin\n")
			_ = http.NewResponseController(w).Flush()
			<-req.Context().Done()
		})
		c := r.dial()
		r.send(c, 0, "POST /stubborn HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		go io.Copy(io.Discard, c)
		synctest.Wait()
		began := time.Now()
		r.end()
		if took := time.Since(began); took > 50*time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
}
