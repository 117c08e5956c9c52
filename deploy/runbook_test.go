package deploy

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const runbook = "https://github.com/seekout/icims-export/blob/main/docs/runbook.md#"

// sections returns the sections of the runbook by title.
func sections(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, part := range strings.Split(string(read(t, "../docs/runbook.md")), "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		all[title] = body
	}
	return all
}

func TestEveryAlertHasItsSectionInTheRunbook(t *testing.T) {
	t.Parallel()
	book := sections(t)
	names := map[string]bool{}
	for _, r := range alerts(t) {
		names[r.Alert] = true
		body, ok := book[r.Alert]
		if !ok {
			t.Errorf("the runbook has no section %s", r.Alert)
			continue
		}
		for _, part := range []string{"**Meaning:**", "**Check:**", "**Fix:**"} {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks %s", r.Alert, part)
			}
		}
		if !strings.Contains(body, "\n```sh\n") {
			t.Errorf("%s names no command", r.Alert)
		}
		if want := runbook + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s links to %s, want %s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if r.Annotations["summary"] == "" || !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) {
			t.Errorf("%s has no summary or severity: %v %v", r.Alert, r.Annotations, r.Labels)
		}
		if want := "`" + r.Labels["severity"] + "`"; !strings.Contains(body, want) {
			t.Errorf("the section %s does not say that it is a %s", r.Alert, want)
		}
	}
	for title := range book {
		if strings.HasPrefix(title, "Icims") && !names[title] {
			t.Errorf("the runbook has a section %s, which is not an alert", title)
		}
	}
}

func TestEveryAlertIsTestedBothWays(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			Name           string `yaml:"name"`
			AlertRuleTests []struct {
				Alert  string `yaml:"alertname"`
				Expect []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	if err := yaml.Unmarshal(read(t, "prometheus/alerts_test.yml"), &file); err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, a := range test.AlertRuleTests {
			if len(a.Expect) > 0 {
				fires[a.Alert] = true
			} else {
				quiet[a.Alert] = true
			}
		}
	}
	for _, r := range alerts(t) {
		if !fires[r.Alert] || !quiet[r.Alert] {
			t.Errorf("%s: tested where it fires: %v, where it is quiet: %v", r.Alert, fires[r.Alert], quiet[r.Alert])
		}
	}
}

// TestTestedSeriesNameWhatThereIs: the series in the rules' tests are series that processes export.
func TestTestedSeriesNameWhatThereIs(t *testing.T) {
	t.Parallel()
	known := catalog()
	series := regexp.MustCompile(`series: '([^']+)'`).FindAllStringSubmatch(string(read(t, "prometheus/alerts_test.yml")), -1)
	for _, s := range series {
		name := selector.FindStringSubmatch(s[1])
		if name == nil {
			t.Errorf("%s is no series", s[1])
			continue
		}
		m, ok := known[name[1]]
		if !ok {
			t.Errorf("%s does not exist", name[1])
			continue
		}
		for _, problem := range wrongMatchers(m, name[2]) {
			t.Errorf("%s %s", name[1], problem)
		}
		for _, l := range m.Labels {
			if !strings.Contains(name[2], l.Name+"=") {
				t.Errorf("%s lacks the label %s", s[1], l.Name)
			}
		}
	}
	if len(series) < 2*len(alerts(t)) {
		t.Errorf("only %d series", len(series))
	}
}
