package worker

import (
	"time"

	"github.com/seekout/icims-export/icims"
)

const (
	// missingAfter is how often in a row a job is refused before it counts as missing,
	// missingFor is for how long it then does.
	missingAfter = 3
	missingFor   = 2 * time.Minute
	// takenFor is for how long a job that was taken does not count as missing,
	// whatever is said of it: one answer may be wrong.
	takenFor = time.Hour
)

// jobStanding is what iCIMS lately said of a job.
type jobStanding struct {
	refused int // in a row
	last    time.Time
	taken   time.Time
}

// jobRefused notes that iCIMS does not know a job, or does not show it to us.
func (t *tenant) jobRefused(job icims.JobID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.jobs[job]
	s.refused, s.last = s.refused+1, now
	t.jobs[job] = s
}

// jobTaken notes that iCIMS knows a job.
func (t *tenant) jobTaken(job icims.JobID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.jobs[job] = jobStanding{taken: now}
}

// lacksJob reports whether iCIMS lately refused a job, and nothing else.
func (t *tenant) lacksJob(job icims.JobID, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.jobs[job]
	return s.refused >= missingAfter && now.Sub(s.last) < missingFor && (s.taken.IsZero() || now.Sub(s.taken) >= takenFor)
}
