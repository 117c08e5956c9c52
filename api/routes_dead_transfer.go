package api

import (
	"context"
	"fmt"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

type transferDeadInput struct {
	CustomerPath
	Body struct {
		DeadOrder

		Job int64 `json:"job" minimum:"1" doc:"System ID of the new job." example:"1709"`
	}
}

func (in *transferDeadInput) changesNothing() bool { return in.Body.DryRun }

// DeadLettersTransferred is the result of a transfer, or of its dry run.
type DeadLettersTransferred struct {
	DeadLettersChanged

	Job        int64           `json:"job" doc:"System ID of the job."`
	JobTitle   string          `json:"job_title,omitempty" doc:"The job's title, if the cached job list has it."`
	JobWarning string          `json:"job_warning,omitempty" doc:"Warns that the job is on none of the customer's portals and may be wrong."`
	Batches    []store.BatchID `json:"batches,omitempty" doc:"The candidates' new batches: one per set of options."`
}

func (s *Server) transferDead(ctx context.Context, in *transferDeadInput) (*struct{ Body DeadLettersTransferred }, error) {
	choice, err := s.chosenDead(ctx, in.Customer, in.Body.DeadOrder)
	if err != nil {
		return nil, err
	}
	job := in.Body.Job
	out := DeadLettersTransferred{Job: job, JobTitle: s.Admin.JobLists.Titles(ctx, in.Customer, job)[job], JobWarning: s.Admin.JobLists.Warning(ctx, in.Customer, job)}
	noteOf(ctx).Object = fmt.Sprintf("to job %d", job)
	if in.Body.DryRun {
		sampled, err := s.sampleDead(ctx, choice)
		if err != nil {
			return nil, err
		}
		out.DeadLettersChanged = sampled.Body
		return &struct{ Body DeadLettersTransferred }{out}, nil
	}
	order := admin.DeadOrder{Who: principalOf(ctx).Name, Why: in.Body.Why, Most: or(in.Body.Limit, mostDead)}
	done, err := s.Admin.DeadLetters.Transfer(ctx, choice, order, job)
	if err != nil {
		return nil, err
	}
	out.DeadLettersChanged, out.Batches = changedDead(choice, done), done.Batches
	return &struct{ Body DeadLettersTransferred }{out}, nil
}
