package operate

import (
	"context"
	"fmt"
	"slices"
)

// JobTitles are the titles of jobs, as far as the kept list of jobs has them: numbers are
// worth showing without. It makes no call to iCIMS.
func (d *Desk) JobTitles(ctx context.Context, customer string, jobs ...int64) map[int64]string {
	jobs = slices.DeleteFunc(slices.Clone(jobs), func(job int64) bool { return job == 0 })
	if len(jobs) == 0 || d.Jobs == nil || d.Closed {
		return nil
	}
	titles, err := d.Jobs.Titles(ctx, customer, jobs...)
	if err != nil || len(titles) == 0 {
		return nil
	}
	return titles
}

// JobWarning is a sentence about a job that is not among those of the customer's
// portals, as far as a fresh list tells; "" where there is nothing to say. Exports go to
// it all the same: it may be on no portal of the connection.
func (d *Desk) JobWarning(ctx context.Context, customer string, job int64) string {
	if job == 0 || d.Jobs == nil || d.Closed {
		return ""
	}
	missing, err := d.Jobs.Missing(ctx, customer, job)
	if err != nil || !missing {
		return "" // exports do not depend on the list
	}
	return fmt.Sprintf("Job %d is not on the job portals of customer %s: check its id, or the list of jobs. The candidates are exported to it all the same.", job, customer)
}
