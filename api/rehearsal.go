package api

import (
	"context"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// rehearse judges a batch as an export does, and writes nothing.
func (s *Server) rehearse(ctx context.Context, batch tasks.Batch, conn store.Connection) (Rehearsal, error) {
	out := Rehearsal{DryRun: true}
	const page = 500
	var pending []tasks.Candidate
	flush := func() error {
		before, err := s.exportedBefore(ctx, batch, pending)
		if err != nil {
			return err
		}
		for _, c := range pending {
			if _, skip := before[c.ID]; skip {
				out.Estimate.Skipped++
			} else {
				out.Estimate.Add(c, batch.Target.Job)
			}
		}
		pending = pending[:0]
		return nil
	}
	domain := s.Desk.DummyDomain
	if conn.DummyDomain != "" {
		domain = conn.DummyDomain
	}
	receipt, err := tasks.Review(batch, domain, func(p tasks.Payload) error {
		pending = append(pending, p.Candidate)
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
	out.JobWarning = s.Desk.JobWarning(ctx, batch.Customer, batch.Target.Job)
	kind := store.KindOf(batch.Target.Job, batch.Options.IncludePreviouslyExported)
	p, err := s.Desk.Demand(ctx, batch.Customer, kind, out.Estimate.Candidates, conn.Limits.Or(store.DefaultLimits()), s.waits())
	out.Forecast, out.Waits = p.Forecast, p.Waits
	return out, err
}

// lookupBatch is how many e-mails a worker looks up in a call unless told otherwise.
const lookupBatch = 50

func (s *Server) exportedBefore(ctx context.Context, batch tasks.Batch, candidates []tasks.Candidate) (map[string]store.Marker, error) {
	if batch.Options.IncludePreviouslyExported {
		return nil, nil
	}
	ids := make([]string, len(candidates))
	for i, c := range candidates {
		ids[i] = c.ID
	}
	return s.Ledger.Markers(ctx, batch.Customer, ids)
}

// waits says what keeps a customer's exports, to readers anywhere.
func (s *Server) waits() operate.Waits { return operate.Waits{Clock: prose.UTC} }
