package api

import (
	"context"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// dryRun checks a batch as an export does, without writing anything.
func (s *Server) dryRun(ctx context.Context, batch input.Batch, conn store.Connection) (DryRun, error) {
	out := DryRun{DryRun: true}
	const page = 500
	var pending []tasks.Payload
	domain := s.Admin.DummyDomain
	if conn.DummyDomain != "" {
		domain = conn.DummyDomain
	}
	flush := func() error {
		before, err := s.exportedBefore(ctx, batch, pending)
		if err != nil {
			return err
		}
		for _, p := range pending {
			if marker, skip := before[p.Candidate.ID]; skip {
				out.skip(p.Candidate.ID, marker)
				continue
			}
			out.Estimate.Add(p.Candidate, batch.Target.Job)
			if len(out.Requests) < sampledRequests {
				out.Requests = append(out.Requests, requestsOf(p, conn, batch.Target.Job, domain))
			}
		}
		pending = pending[:0]
		return nil
	}
	receipt, err := tasks.Review(batch, domain, func(p tasks.Payload) error {
		pending = append(pending, p)
		if len(pending) < page {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return out, err
	}
	out.Estimate.LookUp(lookupBatch)
	out.Accepted, out.Dummies, out.RefusedRows = receipt.Accepted, receipt.Dummies, receipt.RefusedRows()
	out.Refused, out.Warnings = receipt.Refused, receipt.Warnings
	out.MoreRefused, out.MoreWarned = receipt.MoreRefused, receipt.MoreWarned
	out.JobTitle, out.JobWarning = s.jobNotes(ctx, batch)
	kind := store.KindOf(batch.Target.Job, batch.Options.IncludePreviouslyExported)
	p, err := s.Admin.Forecasts.Demand(ctx, batch.Customer, kind, out.Estimate, conn.Limits.Or(store.DefaultLimits()), s.waits())
	out.Forecast, out.Waits = p.Forecast, p.Waits
	return out, err
}

// Limits of what a dry run shows of new and of skipped candidates.
const (
	sampledRequests = 3
	sampledSkips    = 20
)

// SampleRequests are the request bodies for a candidate who is new in iCIMS. They contain submitted
// data, and go only to the caller.
type SampleRequests struct {
	Candidate string         `json:"candidate"`
	Dummy     bool           `json:"dummy_email,omitempty" doc:"The email is a dummy address; the export generates another one."`
	Person    map[string]any `json:"person" doc:"The request that creates the person."`
	Workflow  map[string]any `json:"workflow,omitempty" doc:"The request that adds the person to the job, without the person's ID."`
	Warnings  []string       `json:"warnings,omitempty" doc:"Values that are not sent as given, in sentences."`
}

func requestsOf(p tasks.Payload, conn store.Connection, job int64, domain string) SampleRequests {
	sample := SampleRequests{Candidate: p.Candidate.ID, Dummy: p.Dummy}
	var warnings []mapping.Warning
	sample.Person, sample.Workflow, warnings = mapping.Preview(p.Candidate, conn, job, domain)
	for _, w := range warnings {
		sample.Warnings = append(sample.Warnings, w.Text())
	}
	return sample
}

// ExportedBefore is a candidate who would be skipped.
type ExportedBefore struct {
	Candidate string    `json:"candidate"`
	At        time.Time `json:"exported_at" doc:"When the candidate was exported."`
	Person    int64     `json:"person,omitempty" doc:"iCIMS's ID of the person."`
}

func (r *DryRun) skip(candidate string, before store.Marker) {
	r.Estimate.Skipped++
	if len(r.Skips) < sampledSkips {
		r.Skips = append(r.Skips, ExportedBefore{candidate, before.ExportedAt, before.Person})
	}
}

// lookupBatch is the default number of emails that a worker looks up in a call.
const lookupBatch = 50

func (s *Server) exportedBefore(ctx context.Context, batch input.Batch, candidates []tasks.Payload) (map[string]store.Marker, error) {
	if batch.Options.IncludePreviouslyExported {
		return nil, nil
	}
	ids := make([]string, len(candidates))
	for i, p := range candidates {
		ids[i] = p.Candidate.ID
	}
	return s.Ledger.Candidates.Markers(ctx, batch.Customer, ids)
}

// waits returns how blocked exports are described to API callers.
func (s *Server) waits() admin.Waits { return admin.Waits{Clock: prose.UTC} }
