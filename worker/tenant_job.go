package worker

import (
	"time"

	"github.com/seekout/icims-export/icims"
)

// missingFor is for how long a job that iCIMS refused is not tried again. Who makes
// the job visible and retries the dead letters is not to wait for long.
const missingFor = 2 * time.Minute

// jobRefused notes that iCIMS does not know a job, or does not show it to us.
func (t *tenant) jobRefused(job icims.JobID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.missing == nil {
		t.missing = map[icims.JobID]time.Time{}
	}
	t.missing[job] = now.Add(missingFor)
}

// jobTaken notes that iCIMS knows a job.
func (t *tenant) jobTaken(job icims.JobID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.missing, job)
}

// lacksJob reports whether iCIMS lately refused a job.
func (t *tenant) lacksJob(job icims.JobID, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	until, refused := t.missing[job]
	if refused && !now.Before(until) {
		delete(t.missing, job)
		return false
	}
	return refused
}
