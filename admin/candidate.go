package admin

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// CandidateTimeline is everything known about a candidate.
type CandidateTimeline struct {
	Customer  string           `json:"customer"`
	Candidate string           `json:"candidate"`
	Marker    *Marker          `json:"marker,omitempty"`
	Exports   []ExportTimeline `json:"exports"`
	// JobTitles are the titles of the jobs named here that are in the cached job list.
	JobTitles map[int64]string `json:"job_titles,omitempty"`
}

// Marker is the permanent record of an exported candidate.
type Marker struct {
	Person     int64           `json:"person"`
	ExportedAt time.Time       `json:"exported_at"`
	Workflows  map[int64]int64 `json:"workflows"` // by job
	Link       string          `json:"link,omitempty"`
}

// ExportTimeline is one export of a candidate.
type ExportTimeline struct {
	Batch     store.Batch `json:"batch"`
	Outcome   Outcome     `json:"outcome"`
	Sentences []string    `json:"told"` // the timeline in sentences, oldest first
	Stands    []string    `json:"stands"`
}

// Known reports whether anything is known of the candidate.
func (c CandidateTimeline) Known() bool { return c.Marker != nil || len(c.Exports) > 0 }

// CandidateTimeline returns the timeline of a candidate's exports.
func (d *Service) CandidateTimeline(ctx context.Context, customer, candidate string, teller TimelineWriter) (CandidateTimeline, error) {
	l := d.Connections.Links(ctx, customer)
	c := CandidateTimeline{Customer: customer, Candidate: candidate, Exports: []ExportTimeline{}}
	exports, err := d.Ledger.Candidates.ExportsOf(ctx, customer, candidate)
	if err != nil {
		return c, err
	}
	for _, e := range exports {
		story, err := d.Ledger.Timeline(ctx, store.Ref{Customer: customer, Export: e.Export})
		if err != nil {
			return c, err
		}
		x := ExportTimeline{Batch: e.Batch, Outcome: Explain(e.Outcome, 0, l), Sentences: []string{}}
		for _, entry := range story {
			x.Sentences = append(x.Sentences, teller.sentence(entry))
		}
		x.Stands = teller.Stands(x.Outcome, e.Batch.Job, l)
		c.Exports = append(c.Exports, x)
	}
	// Read the markers after the exports: an export writes its marker when it ends, so the result
	// never shows a completed export of a candidate without a marker.
	markers, err := d.Ledger.Candidates.Markers(ctx, customer, []string{candidate})
	if err != nil {
		return c, err
	}
	if m, ok := markers[candidate]; ok {
		c.Marker = &Marker{m.Person, m.ExportedAt.UTC(), m.Workflows, l.Person(m.Person)}
	}
	c.JobTitles = d.JobLists.Titles(ctx, customer, c.jobs()...)
	return c, nil
}

// jobs lists the jobs of the candidate's past and pending exports.
func (c CandidateTimeline) jobs() []int64 {
	var jobs []int64
	for _, x := range c.Exports {
		jobs = append(jobs, x.Batch.Job)
	}
	if c.Marker != nil {
		jobs = slices.AppendSeq(jobs, maps.Keys(c.Marker.Workflows))
	}
	return jobs
}
