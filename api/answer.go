package api

import (
	"net/http"
	"time"
)

// answer is the writer of an answer: it knows how far it is, and gives streams a
// deadline for each write. Between writes they have none: over HTTP/2 a deadline cuts a
// stream off when it passes, whether something is being written or not.
type answer struct {
	http.ResponseWriter

	control *http.ResponseController
	status  int
	written int64
	// stall is how long a write may take; 0: the deadline of the whole holds.
	stall time.Duration
	// returned: the handler has. What it wrote is sent to its end after that.
	returned bool
	after    []func() // run in turn once the handler has returned
}

func newAnswer(w http.ResponseWriter) *answer {
	return &answer{ResponseWriter: w, control: http.NewResponseController(w)}
}

func (a *answer) begun() bool { return a.status != 0 }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.extend()
	a.ResponseWriter.WriteHeader(status)
	a.relax(nil)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.extend()
	n, err := a.ResponseWriter.Write(p)
	a.written += int64(n)
	a.relax(err)
	return n, err
}

// Flush sends what was written.
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError sends what was written. http.ResponseController asks for it.
func (a *answer) FlushError() error {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.extend()
	err := a.control.Flush()
	a.relax(err)
	return err
}

func (a *answer) extend() {
	if a.stall > 0 {
		_ = a.control.SetWriteDeadline(time.Now().Add(a.stall)) // tests have connections without
	}
}

// relax takes the deadline of a write away that has ended well.
func (a *answer) relax(err error) {
	if a.stall > 0 && err == nil && !a.returned {
		_ = a.control.SetWriteDeadline(time.Time{}) // as above
	}
}

// stream gives each write so long, and the whole no end.
func (a *answer) stream(stall time.Duration) {
	a.stall = stall
	a.relax(nil)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) finish() {
	a.returned = true
	a.extend()
	for _, f := range a.after {
		f()
	}
}
