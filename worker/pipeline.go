package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// task is one attempt at one export.
type task struct {
	store.Ref

	Express bool
	// Parent is the span that the task belongs to; empty: none.
	Parent string
}

// stage is one step of an export. It returns the zero outcome to continue with the next stage.
type stage interface {
	exec(ctx context.Context, x *export) outcome
}

// export is one candidate in the pipeline.
type export struct {
	ref     store.Ref
	claim   *store.Claim // nil until claimed
	payload tasks.Payload
	job     icims.JobID // 0: prospects

	// onClaim is called once the export is claimed, with the time at which the claim was
	// requested.
	onClaim func(asked time.Time)

	// person is the person in iCIMS with the candidate's email; nil: there is none.
	person *icims.Person
	// personID is the candidate's ID in iCIMS once written.
	personID icims.PersonID
	// personMade: this export created the person, now or in an earlier attempt.
	personMade bool
	// createdNow: this attempt created the person, under the email's lock.
	createdNow bool

	status statusInfo // the status to send with the workflow

	// sentPerson and sentWorkflow are the fields that iCIMS accepted in this attempt.
	sentPerson, sentWorkflow []icims.Fields

	// savedWithout are the fields of the saved person that iCIMS warned about.
	savedWithout []string

	warnings mapping.WarningSet
	// calls counts the calls of this attempt.
	calls *atomic.Int64
	// trace is the span of this attempt; nil: not traced.
	trace *exportTrace
	// findings are the facts and decisions of this attempt, for the timeline.
	findings []string
}

// notef adds a sentence to the export's timeline.
func (x *export) notef(format string, args ...any) {
	x.findings = append(x.findings, fmt.Sprintf(format, args...))
}

func (x *export) warn(ws ...mapping.Warning) {
	x.warnings.Add(ws...)
}

// unwarn removes warnings.
func (x *export) unwarn(ws ...mapping.Warning) {
	x.warnings = slices.DeleteFunc(x.warnings, func(w mapping.Warning) bool { return slices.Contains(ws, w) })
}

func (x *export) isJob() bool { return x.job != 0 }

// pipeline takes exports of one customer through the stages.
type pipeline struct {
	stages []namedStage
	record record
	leases *leases
}

// namedStage is a stage with its name in traces.
type namedStage struct {
	name string
	stage
}

// newPipeline lists the stages in their order.
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

// through takes the export through the stages. A panic in a stage becomes its outcome.
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
	case x.claim == nil: // there is no record to count it in
		return outcome{kind: fault, err: err}
	default:
		return panicked(x.claim, err)
	}
}

// run makes one attempt at an export, records the outcome and returns it.
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
