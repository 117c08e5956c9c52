package jobs

import (
	"cmp"
	"slices"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// rereadAfter is when a job is read again of which nothing tells whether it has
// changed, or whose title is still a guess.
const rereadAfter = 24 * time.Hour

// merge is what the portals list, with what is known of these jobs from before: each
// job once, the newest first. Those whose Read is zero are to be read.
func merge(known []store.ListedJob, rows []icims.PortalJob, now time.Time) []store.ListedJob {
	before := make(map[int64]store.ListedJob, len(known))
	for _, j := range known {
		before[j.ID] = j
	}
	latest := make(map[icims.JobID]icims.PortalJob, len(rows))
	for _, row := range rows {
		if other, double := latest[row.ID]; !double || row.Updated.After(other.Updated) {
			latest[row.ID] = row
		}
	}
	jobs := make([]store.ListedJob, 0, len(latest))
	for _, row := range latest {
		j, seen := before[int64(row.ID)]
		updated := row.Updated.UTC().Truncate(time.Minute)
		if !seen || outdated(j, updated, now) {
			j.Read = time.Time{}
		}
		j.ID, j.Updated = int64(row.ID), updated
		if !seen || j.Provisional {
			j.Title, j.Provisional = row.ProvisionalTitle(), true
		}
		jobs = append(jobs, j)
	}
	slices.SortFunc(jobs, func(a, b store.ListedJob) int { return cmp.Compare(b.ID, a.ID) })
	return jobs
}

// outdated reports whether a job is to be read again that was last changed at a time.
func outdated(j store.ListedJob, updated, now time.Time) bool {
	if !j.Updated.Equal(updated) {
		return true
	}
	// iCIMS tells the minute: one that was read in the minute of its change may have
	// changed once more in it.
	settled := !updated.IsZero() && j.Read.After(updated) && !j.Provisional
	return !settled && now.Sub(j.Read) >= rereadAfter
}

// pending are the places of the jobs that are to be read.
func pending(jobs []store.ListedJob) []int {
	var places []int
	for i, j := range jobs {
		if j.Read.IsZero() {
			places = append(places, i)
		}
	}
	return places
}
