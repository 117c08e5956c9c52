package jobs

import (
	"cmp"
	"slices"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// rereadAfter is when to read a job again that has no change date or only a provisional title.
const rereadAfter = 24 * time.Hour

// merge returns the jobs on the portals with what is already known of them: each job once, the
// newest first. Jobs with a zero Read must be read.
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

// outdated reports whether a job, last changed at updated, must be read again.
func outdated(j store.ListedJob, updated, now time.Time) bool {
	if !j.Updated.Equal(updated) {
		return true
	}
	// iCIMS's dates have minute precision: a job that was read in the minute of its change may have
	// changed again in it.
	settled := !updated.IsZero() && j.Read.After(updated) && !j.Provisional
	return !settled && now.Sub(j.Read) >= rereadAfter
}

// pending returns the indexes of the jobs to read.
func pending(jobs []store.ListedJob) []int {
	var places []int
	for i, j := range jobs {
		if j.Read.IsZero() {
			places = append(places, i)
		}
	}
	return places
}
