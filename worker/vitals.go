package worker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seekout/icims-export/store"
)

// vitals is what this process records about its own health.
type vitals struct {
	scanStarted atomic.Int64 // Unix ms of the last scan
	scanned     atomic.Int64 // Unix ms of the last successful scan
	leads       atomic.Bool  // it runs the sweep
}

// Vitals is the state of a worker process.
type Vitals struct {
	// Open and closing lanes, and customers waiting for one.
	Open, Closing, Waiting int
	MaxLanes               int
	// Customers with work but without a usable connection.
	Refused int
	// Circuit breakers by state.
	Breakers map[string]int
	// Calls in flight, and their maximum.
	Calls, MaxCalls int
	// Running control tasks by kind.
	Control map[store.ControlKind]int
	// Whether this process runs the sweep.
	Leads bool
}

// Vitals returns the state of this process.
func (w *Worker) Vitals() Vitals {
	v := Vitals{MaxLanes: w.settings.MaxLanes, Breakers: map[string]int{}, Control: w.control.Running(), Leads: w.vitals.leads.Load()}
	v.Calls, v.MaxCalls = w.settings.MaxCalls-w.slots.Free(), w.settings.MaxCalls
	w.mu.Lock()
	defer w.mu.Unlock()
	v.Open, v.Closing, v.Waiting, v.Refused = len(w.lanes), len(w.closing), len(w.waiting), len(w.refused)
	if w.stopping {
		return v // the breakers' state is not reported while stopping
	}
	for _, k := range w.tenants {
		v.Breakers[k.breaker.circuit.State().String()]++
	}
	return v
}

const (
	// scanWithin is the maximum age of the last successful scan of a ready worker.
	scanWithin = 15 * time.Second
	// stuckAfter is the time without a scan after which a worker counts as stuck.
	stuckAfter = 2 * time.Minute
)

// Ready returns nil if the worker serves lanes. Otherwise the error is a sentence that says why
// not.
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

// Alive returns an error if the worker is stuck and must be restarted. A worker that cannot reach
// Redis but keeps trying is alive.
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

// scan runs scanDemand and records its start and success.
func (w *Worker) scan(ctx context.Context) error {
	w.vitals.scanStarted.Store(time.Now().UnixMilli())
	err := w.scanDemand(ctx)
	if err == nil {
		w.vitals.scanned.Store(time.Now().UnixMilli())
	}
	return err
}
