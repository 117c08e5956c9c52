package worker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seekout/icims-export/store"
)

// vitals are what this process notes about itself.
type vitals struct {
	scanStarted atomic.Int64 // Unix ms of the last look at who has work
	scanned     atomic.Int64 // of the last that succeeded
	leads       atomic.Bool  // it reconciles
}

// Vitals are how a worker process does.
type Vitals struct {
	// Open lanes, those that are closing, and customers that wait for one.
	Open, Closing, Waiting int
	MaxLanes               int
	// Refused are customers with work that it has no usable connection for.
	Refused int
	// Breakers counts the circuit breakers that it knows by their state.
	Breakers map[string]int
	// Calls in flight, and the most there may be.
	Calls, MaxCalls int
	// Control tasks that it runs, by kind.
	Control map[store.ControlKind]int
	// Leads: it is the process that reconciles.
	Leads bool
}

// Vitals tells how this process does.
func (w *Worker) Vitals() Vitals {
	v := Vitals{MaxLanes: w.settings.MaxLanes, Breakers: map[string]int{}, Control: w.control.Running(), Leads: w.vitals.leads.Load()}
	v.Calls, v.MaxCalls = w.settings.MaxCalls-w.slots.Free(), w.settings.MaxCalls
	w.mu.Lock()
	defer w.mu.Unlock()
	v.Open, v.Closing, v.Waiting, v.Refused = len(w.lanes), len(w.closing), len(w.waiting), len(w.refused)
	if w.stopping {
		return v // a breaker that changes now would be told to nobody
	}
	for _, k := range w.tenants {
		v.Breakers[k.breaker.circuit.State().String()]++
	}
	return v
}

const (
	// lookWithin is within how long a worker that is well has looked who has work.
	scanWithin = 15 * time.Second
	// stuckAfter is after how long one is taken for stuck that does not look at all.
	stuckAfter = 2 * time.Minute
)

// Ready reports whether the worker serves lanes; its error is a sentence that says
// why it does not.
func (w *Worker) Ready() error {
	w.mu.Lock()
	started, stopping := w.cancel != nil, w.stopping
	w.mu.Unlock()
	switch at := w.vitals.scanned.Load(); {
	case stopping:
		return errNotReady("The worker is being stopped.")
	case !started, at == 0:
		return errNotReady("The worker has not begun yet.")
	case time.Since(time.UnixMilli(at)) > scanWithin:
		return errNotReady("The worker has not been able to see who has work since " + time.UnixMilli(at).UTC().Format(time.TimeOnly) + " UTC.")
	}
	return nil
}

// Alive reports whether the worker still turns: it may be unable to reach Redis, but
// it tries. One that does not is to be restarted.
func (w *Worker) Alive() error {
	w.mu.Lock()
	serving := w.cancel != nil && !w.stopping
	w.mu.Unlock()
	at := w.vitals.scanStarted.Load()
	if serving && at != 0 && time.Since(time.UnixMilli(at)) > stuckAfter {
		return errNotReady("The worker has been stuck since " + time.UnixMilli(at).UTC().Format(time.TimeOnly) + " UTC.")
	}
	return nil
}

type errNotReady string

func (e errNotReady) Error() string { return string(e) }

// noted is a look at who has work, of which notes are taken.
func (w *Worker) scan(ctx context.Context) error {
	w.vitals.scanStarted.Store(time.Now().UnixMilli())
	err := w.scanDemand(ctx)
	if err == nil {
		w.vitals.scanned.Store(time.Now().UnixMilli())
	}
	return err
}
