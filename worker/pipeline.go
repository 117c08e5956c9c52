package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// task is what the queue asks for: one attempt at one export.
type task struct {
	store.Ref

	Express bool
	// Parent names the span that the task is a part of; empty for none.
	Parent string
}

// stage is one step of an export's way. It returns the zero outcome to go on.
type stage interface {
	exec(ctx context.Context, x *export) outcome
}

// export is one candidate on its way through the stages.
type export struct {
	ref     store.Ref
	claim   *store.Claim // nil until claimed
	payload tasks.Payload
	job     icims.JobID // 0: prospects

	// onClaim is called once the claim holds that was asked for at a time.
	onClaim func(asked time.Time)

	// person is who was found in iCIMS under the e-mail; nil = nobody.
	person *icims.Person
	// personID is who the candidate is in iCIMS once written.
	personID icims.PersonID
	// personMade tells that this export created the person, now or in an earlier
	// attempt.
	personMade bool
	// madeNow tells that this very attempt did, under the e-mail's lock.
	createdNow bool

	status statusInfo // what to send as the workflow's status

	// sentPerson and sentWorkflow are the fields that iCIMS accepted in this attempt.
	sentPerson, sentWorkflow []icims.Fields

	warnings mapping.WarningSet
	// expenses are the calls of this attempt.
	calls *atomic.Int64
	// journey is what is recorded of this attempt; nil: nothing.
	trace *exportTrace
	// findings are what this attempt learned and decided, for the story.
	findings []string
}

// tellf adds a sentence to the export's story.
func (x *export) notef(format string, args ...any) {
	x.findings = append(x.findings, fmt.Sprintf(format, args...))
}

func (x *export) warn(ws ...mapping.Warning) {
	x.warnings.Add(ws...)
}

func (x *export) isJob() bool { return x.job != 0 }

// pipeline takes exports of one customer through the stages.
type pipeline struct {
	stages []namedStage
	record record
	leases *leases
}

// namedStage is a stage as traces call it.
type namedStage struct {
	name string
	stage
}

// newPipeline reads like the architecture: this is the way of every candidate.
func newPipeline(l *lane) *pipeline {
	return &pipeline{
		stages: []namedStage{
			{"claim", claimStage{l}},
			{"skip", skipStage{}},
			{"admit", admitStage{l}},
			{"resolve", resolveStage{l}},
			{"job", jobStage{l}},
			{"write", writeStage{l}},
			{"attach", attachStage{l}},
		},
		record: record{l},
		leases: l.leases,
	}
}

// through takes the export through the stages. A panic in a stage is its outcome.
func (p *pipeline) through(ctx context.Context, x *export) (o outcome) {
	err := panics.Logged(p.record.log, "export", func() error {
		for _, s := range p.stages {
			within, span := x.trace.stage(ctx, s.name)
			o = s.exec(within, x)
			endWith(span, o)
			if o.kind != proceed {
				break
			}
		}
		return nil
	})
	switch {
	case err == nil:
		return o
	case x.claim == nil: // nothing to count it for
		return outcome{kind: fault, err: err}
	default:
		return panicked(x.claim, err)
	}
}

// run takes one export as far as it goes now, records that, and returns how it ended.
func (p *pipeline) run(ctx context.Context, t task) (*export, outcome) {
	ctx, holding := p.leases.begin(ctx)
	defer holding.cancel(nil)
	ctx, exportTrace := p.record.tracer.export(ctx, t)
	x := &export{ref: t.Ref, trace: exportTrace}
	defer exportTrace.end(x)
	ctx, x.calls = withCallCount(ctx)
	x.onClaim = func(asked time.Time) { p.leases.hold(x.claim, holding, asked) }
	defer func() {
		if x.claim != nil {
			p.leases.release(x.claim)
		}
	}()

	o := p.through(ctx, x)
	ctx, span := exportTrace.stage(ctx, "record")
	defer endSpan(span)
	var recorded outcome
	err := panics.Logged(p.record.log, "record of an export", func() error {
		recorded = p.record.exec(ctx, x, o)
		return nil
	})
	if _, thrown := errors.AsType[*panics.Error](err); thrown {
		recorded = p.record.panicked(ctx, x, o)
	}
	return x, recorded
}
