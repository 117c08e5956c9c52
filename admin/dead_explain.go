package admin

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// ExplainedDead is a dead letter with its timeline.
type ExplainedDead struct {
	DeadLine

	Job       int64          `json:"job,omitempty" doc:"The job; omitted for prospects."`
	JobTitle  string         `json:"job_title,omitempty" doc:"The job's title, if the cached job list has it."`
	Meaning   string         `json:"documentation" doc:"The reason's section in the documentation."`
	Sentences []string       `json:"told" doc:"The timeline in sentences, oldest first."`
	Warnings  []string       `json:"warnings,omitempty" doc:"Values that were not sent as given."`
	Link      string         `json:"link,omitempty" doc:"The profile in iCIMS."`
	Data      map[string]any `json:"data,omitempty" doc:"The request that creates the person; only in the CLI."`
	Workflow  map[string]any `json:"workflow,omitempty" doc:"The request that creates the workflow; only in the CLI."`
}

// Get reads one dead letter. Error: store.ErrNotDead if there is none.
func (d *DeadLetters) Get(ctx context.Context, ref store.Ref) (DeadLetter, error) {
	letter, err := d.Ledger.DeadLetters.Get(ctx, ref)
	if err != nil {
		return DeadLetter{}, err
	}
	list, err := d.letters(ctx, ref.Customer, "", []store.DeadLetter{letter})
	if err != nil {
		return DeadLetter{}, err
	}
	return list[0], nil
}

// Find finds a customer's dead letters by the ID of the export or the candidate. Finding none
// is no error.
func (d *DeadLetters) Find(ctx context.Context, customer, which string) ([]DeadLetter, error) {
	letter, err := d.DeadLetters.Get(ctx, store.Ref{Customer: customer, Export: which})
	switch {
	case err == nil:
		return []DeadLetter{letter}, nil
	case !errors.Is(err, store.ErrNotDead):
		return nil, err
	}
	var found []DeadLetter
	err = d.DeadLetters.Each(ctx, DeadChoice{Customers: []string{customer}, Candidate: which}, func(_ string, page []DeadLetter) error {
		found = append(found, page...)
		return nil
	})
	return found, err
}

// Explain adds the timeline, job and warnings to a dead letter.
func (d *DeadLetters) Explain(ctx context.Context, l DeadLetter, teller TimelineWriter) (ExplainedDead, error) {
	explained := ExplainedDead{
		DeadLine: l.Line(), Meaning: "docs/errors.md#" + string(l.Reason), Sentences: []string{}, Link: d.Connections.Links(ctx, l.Customer).Person(l.Person),
		Warnings: warningsOf(l.Warnings),
	}
	story, err := d.Ledger.Timeline(ctx, l.Ref)
	if err != nil {
		return explained, err
	}
	for _, e := range story {
		explained.Sentences = append(explained.Sentences, teller.sentence(e))
	}
	b, err := d.Ledger.Batches.Get(ctx, l.Batch)
	if err != nil && !errors.Is(err, store.ErrNoBatch) {
		return explained, err
	}
	explained.Job, explained.JobTitle = b.Job, d.JobLists.Titles(ctx, l.Customer, b.Job)[b.Job]
	return explained, nil
}

// ErrDataBroken means that the stored candidate cannot be decoded.
var ErrDataBroken = errors.New("the candidate's data cannot be read")

// Open adds what the export sends, which is personal data, and records who viewed it. known
// reports whether the customer has a usable connection; without one, fields have their default
// names. Errors: ErrDataBroken, *UnrecordedError, and others if the data cannot be opened.
func (d *DeadLetters) Open(ctx context.Context, explained *ExplainedDead, who string) (known bool, err error) {
	data, err := d.Ledger.DeadLetters.Payload(ctx, store.Ref{Customer: explained.Customer, Export: explained.Export})
	if err != nil {
		return false, err
	}
	payload, err := tasks.DecodePayload(data)
	if err != nil {
		return false, ErrDataBroken
	}
	conn, known := d.Connections.Get(ctx, explained.Customer)
	action := store.Action{At: time.Now(), Who: who, What: "viewed the data of export " + explained.Export, Count: 1}
	if err := d.Ledger.AuditLog.Act(ctx, explained.Customer, action); err != nil {
		return known, &UnrecordedError{Thing: "look", Err: err}
	}
	explained.Data, explained.Workflow, _ = mapping.Preview(payload.Candidate, conn, explained.Job, d.DummyDomain)
	return known, nil
}
