package metrics_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/metrics"
)

func TestMetricsOfARun(t *testing.T) {
	t.Parallel()
	r := newRig(t, icimstest.Config{Seed: 7, Latency: icimstest.Latency{None: true}, Faults: icimstest.Faults{
		Error500Before: 0.05, Error500After: 0.03, AccessDenied404: 0.02, HTMLError: 0.02,
	}}, true)
	api := metrics.NewAPIMetrics(r.registry, []string{"whoami", "enqueue"})
	api.Answered("whoami", 200, 0)
	api.Answered("/v1/candidates/cand-000001", 404, 0) // not an operation
	t.Run("what has not happened yet is shown as 0", func(t *testing.T) {
		have := families(t, r.registry)
		for name, series := range map[string]int{
			"calls_total": 15 * 5, "reconciler_findings_total": 7, "breaker_changes_total": 3, "api_requests_total": 3 * 5, "redis_errors_total": 25,
		} {
			if n := len(have["icims_export_"+name].GetMetric()); n != series {
				t.Errorf("%s has %d series, want %d", name, n, series)
			}
		}
	})
	r.start()
	r.eventually("it leads", func() bool { return r.worker.Vitals().Leads })
	waiting := send(t, r.producer, "77", people(3)...) // without a connection
	b := r.finished(send(t, r.producer, customer, people(200)...))
	again := r.finished(send(t, r.producer, customer, people(200)...))
	r.eventually("the worker has met the customer without a connection", func() bool { return r.worker.Vitals().Refused == 1 })
	// The ledger ends an export one round trip before the worker counts it.
	ends := []string{"outcome=created", "outcome=updated", "outcome=skipped", "outcome=dead"}
	r.eventually("the worker has counted every end", func() bool {
		counted := 0.0
		for _, outcome := range ends {
			counted += value(t, r.registry, "exports_total", outcome)
		}
		return counted >= float64(b.Accepted+again.Accepted)
	})

	t.Run("exports are counted as the ledger counts them", func(t *testing.T) {
		for outcome, want := range map[string]int{"created": b.Created + again.Created, "updated": b.Updated + again.Updated, "skipped": b.Skipped + again.Skipped, "dead": b.Dead + again.Dead} {
			if got := value(t, r.registry, "exports_total", "outcome="+outcome); got != float64(want) {
				t.Errorf("%s: %v, the ledger says %d", outcome, got, want)
			}
		}
		if value(t, r.registry, "exports_total", "outcome=retrying") == 0 {
			t.Error("nothing was tried again")
		}
		if got := value(t, r.registry, "exports_total", "outcome=skipped", "reason=exported_before"); got != float64(again.Skipped) || got == 0 {
			t.Errorf("%v were skipped for a reason", got)
		}
	})
	t.Run("calls are counted as iCIMS counts them", func(t *testing.T) {
		// Whether iCIMS has received calls without a response is random.
		all, unanswered, seen := value(t, r.registry, "calls_total"), value(t, r.registry, "calls_total", "status=none"), float64(r.sim.CallCount())
		if seen > all || seen < all-unanswered {
			t.Errorf("%v are counted, %v of them without an answer; iCIMS has seen %v", all, unanswered, seen)
		}
		if got, want := value(t, r.registry, "call_duration_seconds"), value(t, r.registry, "calls_total"); got != want {
			t.Errorf("%v have a duration, of %v", got, want)
		}
		if value(t, r.registry, "calls_total", "operation=people.create", "status=2xx") == 0 || value(t, r.registry, "calls_total", "status=5xx") == 0 {
			t.Error("creates or faults are missing")
		}
		if waited := value(t, r.registry, "permit_wait_seconds", "queue=bulk"); waited == 0 {
			t.Error("no export waited for a permit")
		}
	})
	t.Run("round trips to Redis are counted", func(t *testing.T) {
		commands, pipelines := value(t, r.registry, "redis_round_trips_total", "kind=command"), value(t, r.registry, "redis_round_trips_total", "kind=pipeline")
		if commands == 0 || pipelines == 0 || value(t, r.registry, "redis_commands_total") <= commands+pipelines {
			t.Errorf("%v commands, %v pipelines, %v commands in all", commands, pipelines, value(t, r.registry, "redis_commands_total"))
		}
	})
	t.Run("the process shows how it does", func(t *testing.T) {
		for name, want := range map[string]float64{"leader": 1, "lanes_limit": 200, "customers_refused": 1, "calls_in_flight_limit": 256} {
			if got := value(t, r.registry, name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		if open := value(t, r.registry, "lanes", "state=open"); open != 1 {
			t.Errorf("%v lanes are open", open)
		}
		for _, check := range []string{"redis", "ledger", "lanes"} {
			if value(t, r.registry, "ready", "check="+check) != 1 {
				t.Errorf("%s is not ready", check)
			}
		}
	})
	t.Run("their names and texts are as Prometheus wants them", func(t *testing.T) {
		var names []string
		for _, m := range metrics.Catalog() {
			names = append(names, m.Name)
		}
		problems, err := testutil.GatherAndLint(r.registry, names...)
		if err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
	})
	t.Run("all that is declared is shown, and nothing else", func(t *testing.T) {
		have := families(t, r.registry)
		kinds := map[metrics.Kind]dto.MetricType{metrics.Counter: dto.MetricType_COUNTER, metrics.Gauge: dto.MetricType_GAUGE, metrics.Histogram: dto.MetricType_HISTOGRAM}
		declared := map[string]bool{}
		for _, m := range metrics.Catalog() {
			declared[m.Name] = true
			// Exported only for customers with a read-back: TestAFieldThatStopsArrivingIsCounted.
			if strings.Contains(m.Name, "_customer_read_back_") {
				continue
			}
			if f := have[m.Name]; f == nil || f.GetType() != kinds[m.Kind] || f.GetHelp() != m.Help {
				t.Errorf("%s is shown as %v", m.Name, f)
			}
		}
		for name := range have {
			if strings.HasPrefix(name, metrics.Namespace+"_") && !declared[name] {
				t.Errorf("%s is not declared", name)
			}
		}
	})
	t.Run("no label holds anything that is in no list", func(t *testing.T) {
		have := families(t, r.registry)
		open := map[string][]string{"customer": {customer, "77"}, "operation": {"whoami", "enqueue", "none"}}
		checked := 0
		for _, m := range metrics.Catalog() {
			for _, series := range have[m.Name].GetMetric() {
				if len(series.GetLabel()) != len(m.Labels) {
					t.Errorf("%s has the labels %v", m.Name, series.GetLabel())
				}
				for _, l := range series.GetLabel() {
					i := slices.IndexFunc(m.Labels, func(d metrics.Label) bool { return d.Name == l.GetName() })
					if i < 0 {
						t.Errorf("%s has a label %s", m.Name, l.GetName())
						continue
					}
					values := m.Labels[i].Values
					if values == nil {
						values = open[l.GetName()]
					}
					if checked++; !slices.Contains(values, l.GetValue()) {
						t.Errorf("%s has %s=%q", m.Name, l.GetName(), l.GetValue())
					}
				}
			}
		}
		if checked < 100 {
			t.Errorf("only %d were checked", checked)
		}
	})
	t.Run("nothing of those who were exported is shown", func(t *testing.T) {
		shown := text(t, r.registry)
		for _, value := range append(personalData, string(b.ID), string(waiting)) {
			if strings.Contains(shown, value) {
				t.Errorf("%q is shown", value)
			}
		}
	})
}
