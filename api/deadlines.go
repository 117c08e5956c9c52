package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Bodies and answers may take long, but not stand still. Bodies have a deadline for
// each read and must come faster than slowestBody on the whole; answers that are
// streams have one for each write.
const (
	slowestBody = 1 << 10 // bytes a second
	// bodyGrace is for how long a body may be slower.
	bodyGrace = 20 * time.Second
	// drainTime is for how long the rest of a body is read that nobody wanted.
	drainTime = 2 * time.Second
	// writeGrace is how long an answer may be written once its request has timed out.
	writeGrace = 15 * time.Second
)

var (
	errReadBody = errors.New("the body cannot be read")
	errSlowBody = errors.New("the body comes too slowly")
)

// body is a request's body that can neither be endless nor stand still.
type body struct {
	io.ReadCloser

	control *http.ResponseController
	stall   time.Duration
	until   time.Time     // by when all of it has to be there; zero: whenever
	waited  time.Duration // for the other side
	read    int64
	ended   bool
	cutBy   atomic.Pointer[AccessEndedError] // nil: nobody has cut it off
}

// readBody is the request's body with its bounds.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, most int64) io.ReadCloser {
	if r.Body == nil || r.Body == http.NoBody {
		return http.NoBody
	}
	b := &body{
		ReadCloser: http.MaxBytesReader(w, r.Body, most), control: http.NewResponseController(w), stall: s.Settings.StallTimeout,
	}
	if a, ok := w.(*answer); ok {
		a.after = append(a.after, b.drain)
		b.relax()
	}
	return b
}

func (b *body) Read(p []byte) (int, error) {
	if b.waited > bodyGrace && b.read < int64(b.waited.Seconds()*slowestBody) {
		return 0, errSlowBody
	}
	began := time.Now()
	deadline := began.Add(b.stall)
	if !b.until.IsZero() && b.until.Before(deadline) {
		deadline = b.until
	}
	_ = b.control.SetReadDeadline(deadline) // tests have connections without
	if ended := b.cutBy.Load(); ended != nil {
		return 0, fmt.Errorf("%w: %w", errReadBody, ended)
	}
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(began)
	b.read += int64(n)
	switch {
	case err == nil:
		b.relax()
	case errors.Is(err, io.EOF):
		b.ended = true
		// From here on the server watches whether the connection breaks; a deadline
		// would look like that.
		b.relax()
	default:
		if ended := b.cutBy.Load(); ended != nil {
			err = ended
		}
		err = fmt.Errorf("%w: %w", errReadBody, err)
	}
	return n, err
}

// cut ends the current read and every later one with the error. It may be called while
// another goroutine reads.
func (b *body) cut(ended *AccessEndedError) {
	b.cutBy.Store(ended)
	_ = b.control.SetReadDeadline(time.Now().Add(-time.Second))
}

// relax takes the deadline away while nobody reads: over HTTP/2 it would end the body of
// a handler that is busy.
func (b *body) relax() {
	if b.cutBy.Load() != nil {
		return
	}
	_ = b.control.SetReadDeadline(time.Time{})
}

// drain bounds how long the server waits for what nobody has read.
func (b *body) drain() {
	if !b.ended {
		_ = b.control.SetReadDeadline(time.Now().Add(drainTime))
	}
}
