package api

import (
	"net/http"
	"time"
)

// answer is the writer of an answer: it knows how far it is, and gives streams a
// deadline for each write.
type answer struct {
	http.ResponseWriter

	control *http.ResponseController
	status  int
	written int64
	// stall is how long a write may take; 0: the deadline of the whole holds.
	stall time.Duration
	after []func() // run in turn once the handler has returned
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
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.extend()
	n, err := a.ResponseWriter.Write(p)
	a.written += int64(n)
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
	return a.control.Flush()
}

func (a *answer) extend() {
	if a.stall > 0 {
		_ = a.control.SetWriteDeadline(time.Now().Add(a.stall)) // tests have connections without
	}
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) finish() {
	for _, f := range a.after {
		f()
	}
}
