package operate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/jobs"
)

// JobTitles are the titles of jobs, as far as the kept list of jobs has them: numbers are
// worth showing without. It makes no call to iCIMS.
func (d *Desk) JobTitles(ctx context.Context, customer string, numbers ...int64) map[int64]string {
	numbers = slices.DeleteFunc(slices.Clone(numbers), func(job int64) bool { return job == 0 })
	if len(numbers) == 0 || d.Jobs == nil || d.Closed {
		return nil
	}
	titles, err := d.Jobs.Titles(ctx, customer, numbers...)
	if err != nil || len(titles) == 0 {
		return nil
	}
	return titles
}

// JobWarning is a sentence about a job that is not among those of the customer's
// portals, as far as the kept list tells; "" where there is nothing to say. Exports go to
// it all the same: it may be on no portal of the connection. It makes no call to iCIMS.
func (d *Desk) JobWarning(ctx context.Context, customer string, job int64) string {
	if job == 0 || d.Jobs == nil || d.Closed {
		return ""
	}
	seen, err := d.Jobs.Sight(ctx, customer, job)
	if err != nil {
		return "" // exports do not depend on the list
	}
	return missingJob(customer, job, seen)
}

// tellingJobs is how old a list may be that still tells of missing jobs: customers post
// new ones every day.
const tellingJobs = 24 * time.Hour

func missingJob(customer string, job int64, seen jobs.Sighting) string {
	switch {
	case !seen.Missing || seen.Age >= tellingJobs:
		return ""
	case seen.Stale:
		return fmt.Sprintf("Job %d was not on the portals of customer %s, as of %s ago. Check the number, or refresh the jobs. Candidates are exported to this job anyway.",
			job, customer, prose.Span(seen.Age))
	}
	return fmt.Sprintf("Job %d is not on the portals of customer %s. Check the number. Candidates are exported to this job anyway.", job, customer)
}
