package worker

import (
	"context"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/limiter"
)

// refreshJobs reads a customer's job list, as a control task. It reads titles with bulk permits
// and two at a time, so that exports continue.
func (w *Worker) refreshJobs(ctx context.Context, r *control.Run) (any, error) {
	client, err := r.Client()
	if err != nil {
		return nil, err
	}
	portals, err := icims.ParsePortalURLsOf(r.Customer, r.Conn.PortalURLs, w.hosts)
	if err != nil {
		return nil, err
	}
	quota, err := w.quotaStatus(ctx, r.Conn)
	if err != nil {
		return nil, err
	}
	calls := quota.Budget
	if calls == 0 {
		calls = r.Conn.Limits.CallsPerDay
	}
	refresh := jobs.Refresh{
		Ledger: w.ledger, Customer: r.Customer, Portals: jobs.PortalNames(portals), List: client, Titles: bulkCalls{client},
		Calls: r.CallsMade, Budget: w.settings.Jobs.Budget(calls), Now: time.Now, Sleep: sleep,
		Held: func(ctx context.Context) (store.Reason, error) {
			quota, err := w.quotaStatus(ctx, r.Conn)
			return jobs.Held(quota), err
		},
	}
	done, err := refresh.Run(ctx)
	return done, err
}

func (w *Worker) quotaStatus(ctx context.Context, conn store.Connection) (store.QuotaStatus, error) {
	caller := store.Caller{Credentials: w.ledger.Keys().CredentialsHash(conn), Limits: conn.Limits}
	all, err := w.ledger.QuotaStatusesFor(ctx, []string{conn.Customer}, []store.Caller{caller})
	if err != nil {
		return store.QuotaStatus{}, err
	}
	return all[0], nil
}

// bulkCalls reads jobs with bulk permits.
type bulkCalls struct{ *icims.Client }

func (c bulkCalls) Job(ctx context.Context, id icims.JobID, fields ...string) (*icims.Job, *icims.Response, error) {
	return c.Client.Job(limiter.AsBulk(ctx), id, fields...)
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
