package worker

import "github.com/seekout/icims-export/store"

// doubt is the error of a question to iCIMS whose answer tells neither yes nor no:
// nothing is created on it.
type doubt struct {
	reason store.Reason
	// passes is set where asking again may help.
	passes bool
	err    error // the cause, or nil
}

func (d *doubt) Error() string { return "in doubt: " + d.reason.Info().Title }

// Unwrap returns the cause.
func (d *doubt) Unwrap() error { return d.err }

// outcome retries what may pass, and gives up the rest.
func (d *doubt) outcome() outcome {
	o := outcome{kind: dead, reason: d.reason, err: d}
	if d.passes {
		o.kind = retry
	}
	return o
}
