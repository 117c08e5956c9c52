package metrics

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker"
	"github.com/seekout/icims-export/worker/control"
)

func TestWhatAWorkerTellsIsCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := NewWorkerMetrics(registry, func() worker.Vitals {
		return worker.Vitals{Open: 3, Waiting: 2, Breakers: map[string]int{"open": 1}, Control: map[store.ControlKind]int{"verify": 1, "new": 2}}
	})
	m.Reconciled(worker.FindingNoTask, 4)
	m.BreakerIs("open")
	m.ControlTaskEnded(store.ControlVerify, control.EndLost)
	m.ControlTaskEnded("of a newer version", control.EndDone)
	m.Permitted(true, time.Second, true)
	m.Permitted(false, 0, false)
	m.Handled(worker.OutcomeDead, "ana.duarte@example.com") // not a reason
	m.Handled(worker.OutcomeCreated, "")
	m.Called(icims.Op{Name: "people.get"}, 404, 0)
	m.Called(icims.Op{Name: "/people/1234"}, 0, 0) // not an operation

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, series := range f.GetMetric() {
			name := f.GetName()[len(Namespace)+1:]
			for _, l := range series.GetLabel() {
				name += " " + l.GetValue()
			}
			if v := series.GetCounter().GetValue() + series.GetGauge().GetValue() + float64(series.GetHistogram().GetSampleCount()); v != 0 {
				got[name] = v
			}
		}
	}
	want := map[string]float64{ // labels sorted by name
		"reconciler_findings_total no_task": 4, "breaker_changes_total open": 1, "breakers open": 1, "lanes open": 3, "lanes waiting": 2,
		"control_tasks_total lost verify": 1, "control_tasks_total done other": 1, "control_tasks_running verify": 1, "control_tasks_running other": 2,
		"permit_wait_seconds express": 1, "permits_refused_total bulk": 1,
		"exports_total dead other": 1, "exports_total created none": 1,
		"calls_total people.get 4xx": 1, "calls_total other none": 1, "call_duration_seconds people.get": 1, "call_duration_seconds other": 1,
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s is %v, want %v", name, got[name], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}
