package api

import (
	"net/http"
	"time"
)

// response is a response writer that knows how far the response is, and gives streams a deadline for
// each write. Between writes they have no deadline: over HTTP/2 a deadline ends a stream when it
// passes, even while nothing is written.
type response struct {
	http.ResponseWriter

	control *http.ResponseController
	status  int
	written int64
	// stall is the time limit of a write; 0 for the deadline of the whole response.
	stall time.Duration
	// returned means that the handler has returned. What it wrote may still be in transit.
	returned bool
	after    []func() // called in order after the handler has returned
}

func newResponse(w http.ResponseWriter) *response {
	return &response{ResponseWriter: w, control: http.NewResponseController(w)}
}

func (a *response) begun() bool { return a.status != 0 }

func (a *response) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.extend()
	a.ResponseWriter.WriteHeader(status)
	a.relax(nil)
}

func (a *response) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.extend()
	n, err := a.ResponseWriter.Write(p)
	a.written += int64(n)
	a.relax(err)
	return n, err
}

// Flush sends buffered data.
func (a *response) Flush() { _ = a.FlushError() }

// FlushError sends buffered data, for http.ResponseController.
func (a *response) FlushError() error {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.extend()
	err := a.control.Flush()
	a.relax(err)
	return err
}

func (a *response) extend() {
	if a.stall > 0 {
		_ = a.control.SetWriteDeadline(time.Now().Add(a.stall)) // connections of tests have no deadlines
	}
}

// relax removes the deadline after a successful write.
func (a *response) relax(err error) {
	if a.stall > 0 && err == nil && !a.returned {
		_ = a.control.SetWriteDeadline(time.Time{}) // as above
	}
}

// stream sets a time limit per write, and none for the whole response.
func (a *response) stream(stall time.Duration) {
	a.stall = stall
	a.relax(nil)
}

// Unwrap returns the underlying writer, for http.ResponseController.
func (a *response) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *response) finish() {
	a.returned = true
	a.extend()
	for _, f := range a.after {
		f()
	}
}
