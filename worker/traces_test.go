package worker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/traces"
	"github.com/seekout/icims-export/traces/otlp"
	"github.com/seekout/icims-export/worker"
)

// recorder keeps spans in memory.
type recorder struct {
	*tracetest.InMemoryExporter

	provider *sdk.TracerProvider
}

func newRecorder(t *testing.T, sampler sdk.Sampler) recorder {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	return recorder{kept, sdk.NewTracerProvider(sdk.WithSyncer(kept), sdk.WithSampler(sampler))}
}

// spans returns the ended spans in the order of their start.
func (r recorder) spans() []tracetest.SpanStub {
	spans := r.GetSpans()
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	return spans
}

// named returns the spans with a name.
func (r recorder) named(name string) []tracetest.SpanStub {
	return slices.DeleteFunc(r.spans(), func(s tracetest.SpanStub) bool { return s.Name != name })
}

func value(s tracetest.SpanStub, key attribute.Key) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// tree prints the spans below one, with distinguishing attributes.
func tree(spans []tracetest.SpanStub, below trace.SpanID, indent string) string {
	var b strings.Builder
	for _, s := range spans {
		if s.Parent.SpanID() != below {
			continue
		}
		b.WriteString(indent + s.Name)
		for _, key := range []attribute.Key{traces.Status, traces.Sent, traces.Outcome, traces.Reason} {
			if v := value(s, key); v != "" {
				b.WriteString(" " + v)
			}
		}
		for _, e := range s.Events {
			b.WriteString(" [" + e.Name + "]")
		}
		b.WriteString("\n" + tree(spans, s.SpanContext.SpanID(), indent+"  "))
	}
	return b.String()
}

// oneByOne looks up each address alone, so that the calls of an export are known.
func oneByOne(s *worker.Settings) { s.LookupBatch = 1 }

func TestTraceOfASmallBatch(t *testing.T) {
	t.Parallel()

	t.Run("one trace, from enqueueing to each call", func(t *testing.T) {
		t.Parallel()
		seen := newRecorder(t, sdk.AlwaysSample())
		r := newRig(t, rigOptions{sim: calm(), settings: oneByOne, traces: seen.provider})
		b := r.run(input.ToJob(job), input.Options{}, ana())
		r.worker.Stop()
		const want = `enqueue
  accept chunk
  export done
    claim
    skip
    admit
    resolve
      people.search 200 yes [permit granted]
      people.search 200 yes [permit granted]
    job
      jobs.get 200 yes [permit granted]
    write
      people.create 201 yes [permit granted]
    attach done
      workflows.create 201 yes [permit granted]
      workflows.get 200 yes [permit granted]
    record
`
		if got := tree(seen.spans(), trace.SpanID{}, ""); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		enqueued, export := seen.named("enqueue")[0], seen.named("export")[0]
		for key, want := range map[attribute.Key]string{
			traces.Customer: customer, traces.Batch: string(b.ID), traces.Export: r.outcomes(b.ID)[0].Export, traces.Queue: "express", traces.Attempt: "1",
		} {
			if got := value(export, key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		if value(enqueued, traces.Batch) != string(b.ID) || value(enqueued, traces.Accepted) != "1" || len(export.Links) != 0 {
			t.Errorf("enqueue %v, links of its export %v", enqueued.Attributes, export.Links)
		}
	})

	t.Run("continues with a retried task", func(t *testing.T) {
		t.Parallel()
		seen := newRecorder(t, sdk.AlwaysSample())
		r := newRig(t, rigOptions{sim: calm(), settings: oneByOne, traces: seen.provider})
		r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503})
		r.run(input.Prospects, input.Options{}, ana())
		r.worker.Stop()
		exports := seen.named("export")
		if len(exports) < 2 || !exports[0].Parent.Equal(exports[1].Parent) || value(exports[0], traces.Outcome) != "retry" || value(exports[len(exports)-1], traces.Outcome) != "done" {
			t.Errorf("\n%s", tree(seen.spans(), trace.SpanID{}, ""))
		}
	})
}

// A trace of 20,000 exports is useless: exports of a large batch have one trace each, linked to
// the batch's.
func TestExportsOfLargeBatchesAreLinkedToTheirOwnBatch(t *testing.T) {
	t.Parallel()
	seen := newRecorder(t, sdk.AlwaysSample())
	r := newRig(t, rigOptions{sim: calm(), stopped: true, traces: seen.provider})
	all := people(90)
	batches := []store.BatchID{r.send(input.Prospects, input.Options{}, all[:60]...), r.send(input.ToJob(job), input.Options{}, all[60:]...)}
	r.start()
	batchOf := map[string]store.BatchID{}
	for _, id := range batches {
		r.finished(id)
		for _, o := range r.outcomes(id) {
			batchOf[o.Export] = id
		}
	}
	r.worker.Stop()
	began := map[string]trace.SpanContext{}
	for _, s := range seen.named("enqueue") {
		began[value(s, traces.Batch)] = s.SpanContext
	}
	done := 0
	for _, s := range seen.named("export") {
		batch := string(batchOf[value(s, traces.Export)])
		switch {
		case value(s, traces.Outcome) != "done":
			continue
		case s.Parent.IsValid():
			t.Fatalf("an export of a large batch belongs to trace %s", s.Parent.TraceID())
		case batch == "" || value(s, traces.Batch) != batch:
			t.Errorf("an export of batch %q names batch %q", batch, value(s, traces.Batch))
		case len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != began[batch].SpanID() || s.Links[0].SpanContext.TraceID() != began[batch].TraceID():
			t.Errorf("export of batch %s has links %v", batch, s.Links)
		}
		done++
	}
	if done != len(all) {
		t.Errorf("%d exports", done)
	}
}

// All traces of a run with all kinds of faults: each call is in the trace of an export, and no
// personal data is recorded.
func TestTracesHoldIDsOnly(t *testing.T) {
	t.Parallel()
	seen := newRecorder(t, sdk.AlwaysSample())
	sim := icimstest.Config{Seed: 5, Faults: icimstest.Faults{
		Error500Before: 0.05, Error500After: 0.05, ResetAfter: 0.05, HTMLError: 0.05, TruncatedJSON: 0.05, AccessDenied404: 0.02,
	}}
	r := newRig(t, rigOptions{sim: sim, settings: shortWaits, conn: limited(300), traces: seen.provider,
		tenant: func(c *icimstest.TenantConfig) { c.PhoneTypes = []string{"Office"} }})
	all := people(140)
	all[0].FirstName = "" // a refused row
	large, err := r.producer.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(job), Candidates: input.Candidates(all[:120]...)})
	if err != nil {
		t.Fatal(err)
	}
	r.run(input.Prospects, input.Options{}, all[120:]...)
	r.finished(large.Batch)
	r.worker.Stop()

	spans := seen.spans()
	below := map[trace.SpanID]trace.SpanID{}
	names := map[trace.SpanID]string{}
	for _, s := range spans {
		below[s.SpanContext.SpanID()], names[s.SpanContext.SpanID()] = s.Parent.SpanID(), s.Name
	}
	known := map[attribute.Key]bool{}
	for _, key := range traces.Keys() {
		known[key] = true
	}
	calls := 0
	for _, s := range spans {
		for _, a := range s.Attributes {
			if !known[a.Key] {
				t.Errorf("span %s has an attribute %s", s.Name, a.Key)
			}
		}
		if s.SpanKind == trace.SpanKindClient {
			at := s.SpanContext.SpanID()
			for below[at].IsValid() && names[at] != "export" {
				at = below[at]
			}
			if names[at] != "export" {
				t.Errorf("a call of %s belongs to %q", s.Name, names[at])
			}
			if value(s, traces.Sent) != "no" {
				calls++
			}
		}
	}
	if made := r.sim.CallCount(); calls != made || made == 0 {
		t.Errorf("%d calls in traces, %d made", calls, made)
	}
	text := fmt.Sprintf("%+v", spans)
	if data, err := json.Marshal(spans); err == nil {
		text += string(data)
	} else {
		t.Error(err)
	}
	for _, telltale := range append(slices.Clone(personalValues), "c-0", "http://", "127.0.0.1", "?", "export-user") {
		if i := strings.Index(strings.ToLower(text), strings.ToLower(telltale)); i >= 0 {
			t.Errorf("%q is in a trace: %s", telltale, text[max(0, i-200):min(len(text), i+50)])
		}
	}
}

func TestControlTasksAreTracedWithTheirCalls(t *testing.T) {
	t.Parallel()
	seen := newRecorder(t, sdk.AlwaysSample())
	r := serving(t, rigOptions{traces: seen.provider}, asksCustomer)
	e := r.endedControl(r.ask(customer))
	r.worker.Stop()
	const want = "control task verify done\n  customer.get 200 yes [permit granted]\n"
	if got := tree(seen.spans(), trace.SpanID{}, ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := seen.named("control task verify")[0]; value(s, traces.ControlTask) != e.ID || value(s, traces.Customer) != customer || value(s, traces.Calls) != "1" {
		t.Errorf("%v", s.Attributes)
	}
}

// A collector does not affect exports. This one answers only after they are done: if anything
// waited for it, this test would not end.
func TestExportsContinueWithoutCollector(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, endpoint := range map[string]string{"that hangs": hanging.URL, "that is away": gone.URL} {
		provider, stop, err := otlp.Start(t.Context(), otlp.Settings{Endpoint: endpoint, Ratio: 1}, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, rigOptions{sim: calm(), traces: provider})
		if b := r.run(input.ToJob(job), input.Options{}, people(300)...); b.Created != 300 {
			t.Errorf("with a collector %s: %+v", name, b)
		}
		r.worker.Stop()
		stop()
	}
	close(done)
	hanging.Close()
}

// Without sampling, Redis holds the same tasks and batches as without traces.
func TestUnsampledExportsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	for name, sampler := range map[string]sdk.Sampler{"sampled": sdk.AlwaysSample(), "not sampled": sdk.NeverSample()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := newRecorder(t, sampler)
			r := newRig(t, rigOptions{sim: calm(), stopped: true, traces: seen.provider})
			all := people(60)
			small, large := r.send(input.Prospects, input.Options{}, all[:10]...), r.send(input.Prospects, input.Options{}, all[10:]...)
			kept := map[store.BatchID]bool{}
			for _, id := range []store.BatchID{small, large} {
				held, err := r.redis.HExists(t.Context(), "ix:{"+customer+"}:b:"+strings.TrimPrefix(string(id), customer+"-"), "tp").Result()
				if err != nil {
					t.Fatal(err)
				}
				kept[id] = held
			}
			headers := func(queue string) int {
				waiting, err := r.inspector().ListPendingTasks(queue)
				if err != nil || len(waiting) == 0 {
					t.Fatalf("%d tasks, %v", len(waiting), err)
				}
				return len(waiting[0].Headers)
			}
			express, bulk := headers(tasks.QueueName(customer, store.ExpressQueue)), headers(tasks.QueueName(customer, store.NormalQueue))
			r.start()
			r.finished(small)
			r.finished(large)
			r.worker.Stop()
			sampled := name == "sampled"
			if kept[small] != sampled || kept[large] != sampled || (express == 1) != sampled || bulk != 0 || (len(seen.spans()) > 0) != sampled {
				t.Errorf("batches %v, %d headers of a small batch's task, %d of a large one's, %d spans", kept, express, bulk, len(seen.spans()))
			}
		})
	}
}
