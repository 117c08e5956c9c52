package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/jobs"
)

// Titles returns the titles of jobs that are in the cached job list, and leaves out the others.
// It makes no call to iCIMS.
func (d *JobLists) Titles(ctx context.Context, customer string, numbers ...int64) map[int64]string {
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

// Warning returns a warning if the job is not on the customer's portals according to the cached
// job list; "" otherwise. It is no error: the job may be on a portal that the connection does not
// list. It makes no call to iCIMS.
func (d *JobLists) Warning(ctx context.Context, customer string, job int64) string {
	if job == 0 || d.Jobs == nil || d.Closed {
		return ""
	}
	seen, err := d.Jobs.Sight(ctx, customer, job)
	if err != nil {
		return "" // exports do not depend on the job list
	}
	return missingJob(customer, job, seen)
}

// jobListMaxAge is the maximum age of a job list that is used for warnings: customers post new jobs
// every day.
const jobListMaxAge = 24 * time.Hour

func missingJob(customer string, job int64, seen jobs.JobInfo) string {
	switch {
	case !seen.Missing || seen.Age >= jobListMaxAge:
		return ""
	case seen.Stale:
		return fmt.Sprintf("Job %d was not on the portals of customer %s, as of %s ago. Check the number, or refresh the jobs. Candidates are exported to this job anyway.",
			job, customer, prose.Span(seen.Age))
	}
	return fmt.Sprintf("Job %d is not on the portals of customer %s. Check the number. Candidates are exported to this job anyway.", job, customer)
}
