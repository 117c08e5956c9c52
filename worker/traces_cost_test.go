package worker

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/limiter"
)

// allocatedBefore bounds the allocations of the pipeline around its stages for an untraced
// export.
const allocatedBefore = 10

// pass is a stage without an outcome, stop one that ends the run.
type pass struct{}

func (pass) exec(context.Context, *export) outcome { return outcome{} }

type stop struct{}

func (stop) exec(context.Context, *export) outcome { return outcome{kind: released} }

func TestDisabledTracingCostsNothing(t *testing.T) {
	ctx := context.Background()
	x := &export{}
	var off *tracer
	layers := []icims.Middleware{func(next http.RoundTripper) http.RoundTripper { return next }}
	spent := testing.AllocsPerRun(1000, func() {
		within, j := off.export(ctx, task{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
		_, span := j.stage(within, "claim")
		endWith(span, outcome{kind: dead, reason: store.ReasonInternal})
		j.waited(within, "look-up of the chunk awaited", j.waitStart(), nil)
		j.setOutcome(outcome{})
		_, end := off.controlTask(within, store.ControlTask{})
		end(control.EndDone, "", 0)
		if within != ctx || j.traceID() != "" || len(off.around(layers)) != len(layers) {
			t.Error("spans were recorded")
		}
		j.end(x)
	})
	if spent != 0 {
		t.Errorf("%g allocations", spent)
	}
}

func TestUntracedExportAllocations(t *testing.T) {
	p := idlePipeline(t)
	spent := testing.AllocsPerRun(1000, func() {
		if _, o := p.run(t.Context(), task{Ref: store.Ref{Customer: "1234", Export: "x"}}); o.err != nil {
			t.Error(o.err)
		}
	})
	if spent > allocatedBefore {
		t.Errorf("%g allocations, %d before", spent, allocatedBefore)
	}
}

func BenchmarkPipelineAroundItsStages(b *testing.B) {
	p := idlePipeline(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, o := p.run(context.Background(), task{Ref: store.Ref{Customer: "1234", Export: "x"}}); o.err != nil {
			b.Fatal(o.err)
		}
	}
}

func idlePipeline(t testing.TB) *pipeline {
	t.Helper()
	s := DefaultSettings()
	base, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	l := &lane{log: zerolog.Nop(), leases: newLeases(nil, s, time.Now), observer: noObserver{}, limiter: limiter.New(base, limiter.Config{Limits: s.Limits})}
	p := newPipeline(l)
	for i := range p.stages {
		p.stages[i].stage = pass{}
	}
	p.stages[len(p.stages)-1].stage = stop{}
	return p
}
