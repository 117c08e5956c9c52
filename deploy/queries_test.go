package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/seekout/icims-export/metrics"
)

// rule is an alert of prometheus/alerts.yml.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func alerts(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(read(t, "prometheus/alerts.yml"), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no alerts")
	}
	return all
}

// panel is the tested part of a dashboard panel.
type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct{ H, W, X, Y int }
	Targets []struct {
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"` //nolint:tagliatelle // Grafana's name
	} `json:"targets"`
}

func panels(t *testing.T) []panel {
	t.Helper()
	var dashboard struct {
		Panels []panel `json:"panels"`
	}
	if err := json.Unmarshal(read(t, "grafana/dashboards/icims-export.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Fatal("the dashboard is empty")
	}
	return dashboard.Panels
}

// queries returns all queries of alerts and dashboard, by location.
func queries(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, r := range alerts(t) {
		all["alert "+r.Alert] = r.Expr
	}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			all["panel "+p.Title+", "+target.LegendFormat] = target.Expr
		}
	}
	return all
}

var (
	// selector matches a metric with its matchers, if any.
	selector = regexp.MustCompile(`\b((?:icims_export_\w+)|up)\b(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	legend   = regexp.MustCompile(`\{\{(\w+)\}\}`)
)

// fromPrometheus are the labels that Prometheus adds to each series, and le.
var fromPrometheus = []string{"job", "instance", "le"}

// catalog returns the metrics by the names in queries: a histogram has three.
func catalog() map[string]metrics.Metric {
	known := map[string]metrics.Metric{"up": {Name: "up", Kind: metrics.Gauge}}
	for _, m := range metrics.Catalog() {
		if m.Kind == metrics.Histogram {
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				known[m.Name+part] = m
			}
			continue
		}
		known[m.Name] = m
	}
	return known
}

func TestQueriesNameWhatThereIs(t *testing.T) {
	t.Parallel()
	known := catalog()
	used := map[string]bool{}
	for where, query := range queries(t) {
		found := selector.FindAllStringSubmatch(query, -1)
		if len(found) == 0 {
			t.Errorf("%s asks for no metric: %s", where, query)
		}
		labels := slices.Clone(fromPrometheus)
		for _, s := range found {
			m, ok := known[s[1]]
			if !ok {
				t.Errorf("%s names %s, which does not exist", where, s[1])
				continue
			}
			used[m.Name] = true
			for _, l := range m.Labels {
				labels = append(labels, l.Name)
			}
			for _, problem := range wrongMatchers(m, s[2]) {
				t.Errorf("%s: %s %s", where, s[1], problem)
			}
			// Counters need a rate, and gauges have none.
			rated := regexp.MustCompile(`(?:rate|increase)\(` + regexp.QuoteMeta(s[0]) + `\[`).MatchString(query)
			if rated != (m.Kind != metrics.Gauge) {
				t.Errorf("%s: the %s %s is rated: %v", where, m.Kind, s[1], rated)
			}
		}
		for _, g := range grouping.FindAllStringSubmatch(query, -1) {
			for l := range strings.SplitSeq(g[1], ",") {
				if l = strings.TrimSpace(l); !slices.Contains(labels, l) {
					t.Errorf("%s groups by %q, which none of its metrics has", where, l)
				}
			}
		}
	}
	for _, m := range metrics.Catalog() {
		perCustomer := strings.HasPrefix(m.Name, "icims_export_customer_")
		spare := []string{"icims_export_calls_in_flight", "icims_export_calls_in_flight_limit", "icims_export_audits_total", "icims_export_redis_commands_total", "icims_export_fleet_read_timestamp_seconds"}
		if !used[m.Name] && !perCustomer && !slices.Contains(spare, m.Name) {
			t.Errorf("no alert or panel uses %s", m.Name)
		}
	}
}

// wrongMatchers returns the errors in a metric's matchers.
func wrongMatchers(m metrics.Metric, text string) []string {
	var problems []string
	for _, match := range matcher.FindAllStringSubmatch(text, -1) {
		name, values := match[1], []string{match[3]}
		if slices.Contains(fromPrometheus, name) {
			continue
		}
		i := slices.IndexFunc(m.Labels, func(l metrics.Label) bool { return l.Name == name })
		if i < 0 {
			problems = append(problems, "has no label "+name)
			continue
		}
		if strings.HasSuffix(match[2], "~") {
			values = strings.Split(match[3], "|")
		}
		for _, v := range values {
			if known := m.Labels[i].Values; known != nil && !slices.Contains(known, v) {
				problems = append(problems, "is never "+name+"="+v)
			}
		}
	}
	return problems
}

func TestLegendsNameLabelsOfTheirQueries(t *testing.T) {
	t.Parallel()
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			var grouped []string
			for _, g := range grouping.FindAllStringSubmatch(target.Expr, -1) {
				for l := range strings.SplitSeq(g[1], ",") {
					grouped = append(grouped, strings.TrimSpace(l))
				}
			}
			for _, l := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(grouped, l[1]) {
					t.Errorf("%s shows %s, which its query has lost: %s", p.Title, l[0], target.Expr)
				}
			}
		}
	}
}

func TestPanelsDoNotOverlap(t *testing.T) {
	t.Parallel()
	all := panels(t)
	for i, a := range all {
		if a.GridPos.X+a.GridPos.W > 24 {
			t.Errorf("%s is too wide", a.Title)
		}
		for _, b := range all[:i] {
			if a.ID == b.ID {
				t.Errorf("%s and %s have one id", a.Title, b.Title)
			}
			p, q := a.GridPos, b.GridPos
			if p.X < q.X+q.W && q.X < p.X+p.W && p.Y < q.Y+q.H && q.Y < p.Y+p.H {
				t.Errorf("%s overlaps %s", a.Title, b.Title)
			}
		}
	}
}

// TestDashboardQueriesAreUnderstood: promtool accepts the dashboard's queries. make rules runs this
// test with promtool.
func TestDashboardQueriesAreUnderstood(t *testing.T) {
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		t.Skip("PROMTOOL names no promtool; run make rules")
	}
	var rules []map[string]string
	for _, p := range panels(t) {
		for i, target := range p.Targets {
			rules = append(rules, map[string]string{
				"record": fmt.Sprintf("panel:%d:%d", p.ID, i), "expr": strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"),
			})
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
