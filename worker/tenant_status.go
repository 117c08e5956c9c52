package worker

import "github.com/seekout/icims-export/store"

// currentStatus is the status to send with a workflow; zero for none.
func (t *tenant) currentStatus() store.NodeRef {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}

// statusAccepted notes that the tenant takes the status.
func (t *tenant) statusAccepted(status store.NodeRef) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.statusSettled = t.statusSettled || status == t.status
}

// searchStatus reports, once, that existing workflows are worth a look.
func (t *tenant) searchStatus() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.statusSettled || t.statusSearched {
		return false
	}
	t.statusSearched = true
	return true
}

// learnStatus replaces the status by one that existing workflows have.
func (t *tenant) learnStatus(learned store.NodeRef) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !learned.IsZero() {
		t.status = learned
	}
}

// refuseStatus returns what to send instead of a refused status. One that was
// taken before is refused for this workflow alone, and stays for others.
func (t *tenant) refuseStatus(refused store.NodeRef) store.NodeRef {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.statusSettled {
		return store.NodeRef{}
	}
	if t.status == refused {
		t.status = store.NodeRef{}
	}
	return t.status
}
