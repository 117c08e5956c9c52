package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Request bodies and responses may take long, but must not stall. Bodies have a deadline for each
// read and a minimum average rate, slowestBody; streamed responses have a deadline for each write.
const (
	slowestBody = 1 << 10 // bytes per second
	// bodyGrace is how long a body may be slower.
	bodyGrace = 20 * time.Second
	// drainTime is how long the unread rest of a body is read.
	drainTime = 2 * time.Second
	// writeGrace is how long a response may be written after its request has timed out.
	writeGrace = 15 * time.Second
)

var (
	errReadBody = errors.New("the body cannot be read")
	errSlowBody = errors.New("the body comes too slowly")
)

// body is a request body with a size limit and deadlines.
type body struct {
	io.ReadCloser

	control *http.ResponseController
	stall   time.Duration
	until   time.Time     // when all of it must have arrived; zero for no limit
	waited  time.Duration // for the client
	read    int64
	ended   bool
	cutBy   atomic.Pointer[AccessEndedError] // set when access has ended
}

// readBody returns the request's body with its limits.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, most int64) io.ReadCloser {
	if r.Body == nil || r.Body == http.NoBody {
		return http.NoBody
	}
	b := &body{
		ReadCloser: http.MaxBytesReader(w, r.Body, most), control: http.NewResponseController(w), stall: s.Settings.StallTimeout,
	}
	if a, ok := w.(*response); ok {
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
	_ = b.control.SetReadDeadline(deadline) // connections of tests have no deadlines
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
		// The server now watches for a broken connection; a deadline would look like one.
		b.relax()
	default:
		if ended := b.cutBy.Load(); ended != nil {
			err = ended
		}
		err = fmt.Errorf("%w: %w", errReadBody, err)
	}
	return n, err
}

// cut makes the current and all later reads return the error. It is safe to call during a read.
func (b *body) cut(ended *AccessEndedError) {
	b.cutBy.Store(ended)
	_ = b.control.SetReadDeadline(time.Now().Add(-time.Second))
}

// relax removes the deadline between reads: over HTTP/2 it would end the body while the handler is
// busy.
func (b *body) relax() {
	if b.cutBy.Load() != nil {
		return
	}
	_ = b.control.SetReadDeadline(time.Time{})
}

// drain limits how long the server waits for the unread rest.
func (b *body) drain() {
	if !b.ended {
		_ = b.control.SetReadDeadline(time.Now().Add(drainTime))
	}
}
