package worker

import (
	"context"

	"github.com/seekout/icims-export/store"
)

// statusInfo is what is known about the tenant's handling of the connection's status.
type statusInfo struct {
	ref      store.NodeRef // what to send with a workflow; zero: nothing
	settled  bool          // the handling is known
	ignored  bool          // settled: iCIMS ignores the status
	later    bool          // settled: iCIMS ignores the status of a new workflow, but not a change
	asked    bool          // the label was searched
	checking chan struct{} // held by the export that checks the handling
}

func newStatusInfo(conn store.Connection) statusInfo {
	settled := conn.Profile.KeepsStatus == store.Yes && conn.Profile.StatusLater != store.Yes
	s := statusInfo{ref: conn.Status, settled: settled, checking: make(chan struct{}, 1)}
	if s.ref.ID == "" && conn.Profile.StatusID != "" {
		s.ref.ID = conn.Profile.StatusID
	}
	return s
}

// beginStatus returns the status to send with a workflow. Until its handling is known, one export
// at a time creates a workflow and checks it; the caller must call end. An error is the
// context's.
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

// settleStatus records what to send from now on, and whether iCIMS ignores it.
func (t *tenant) settleStatus(ref store.NodeRef, lost bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.ref, t.status.settled, t.status.ignored = ref, true, lost
}

// settleStatusLater records that each workflow needs a change to get the status.
func (t *tenant) settleStatusLater(ref store.NodeRef) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.ref, t.status.settled, t.status.later = ref, true, true
}

// tryStatus records what to send with the next workflow, which is checked again.
func (t *tenant) tryStatus(ref store.NodeRef) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.ref = ref
}

// askStatus returns true once: a search for the status's label is worth one call.
func (t *tenant) askStatus() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.status.asked
	t.status.asked = true
	return first
}

// askStatusAgain lets another export search, because a search failed.
func (t *tenant) askStatusAgain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.asked = false
}
