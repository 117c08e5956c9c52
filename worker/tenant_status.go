package worker

import (
	"context"

	"github.com/seekout/icims-export/store"
)

// statusLesson is what is known of how the tenant takes the connection's status.
type statusInfo struct {
	ref      store.NodeRef // what to send with a workflow; zero for none
	settled  bool          // it was seen what becomes of it
	ignored  bool          // settled: iCIMS passes over it
	asked    bool          // a workflow with its label was searched
	checking chan struct{} // held by the export that finds out
}

func newStatusInfo(conn store.Connection) statusInfo {
	s := statusInfo{ref: conn.Status, settled: conn.Profile.KeepsStatus == store.Yes, checking: make(chan struct{}, 1)}
	if s.ref.ID == "" && conn.Profile.StatusID != "" {
		s.ref.ID = conn.Profile.StatusID
	}
	return s
}

// beginStatus returns the status to send with a workflow. As long as it is not known
// what becomes of it, one export at a time makes a workflow and finds out: then end
// must be called. An error is the context's.
func (t *tenant) beginStatus(ctx context.Context) (status statusInfo, end func(), err error) {
	if status = t.knownStatus(); status.settled {
		return status, func() {}, nil
	}
	select {
	case status.checking <- struct{}{}:
	case <-ctx.Done():
		return status, nil, context.Cause(ctx)
	}
	if status = t.knownStatus(); status.settled {
		<-status.checking
		return status, func() {}, nil
	}
	return status, func() { <-status.checking }, nil
}

func (t *tenant) knownStatus() statusInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}

// settleStatus notes what to send from now on, and whether iCIMS passes over it.
func (t *tenant) settleStatus(ref store.NodeRef, lost bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.ref, t.status.settled, t.status.ignored = ref, true, lost
}

// askStatus reports, once, that a search for the status's label is worth its call.
func (t *tenant) askStatus() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.status.asked
	t.status.asked = true
	return first
}
