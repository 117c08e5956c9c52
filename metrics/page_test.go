package metrics_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/metrics"
)

var update = flag.Bool("update", false, "rewrite the table of docs/metrics.md")

const (
	tableBegins = "<!-- The table is generated: go test ./metrics -run TestMetricsPageIsUpToDate -update -->\n"
	tableEnds   = "<!-- end of the table -->\n"
)

func TestMetricsPageIsUpToDate(t *testing.T) {
	t.Parallel()
	const path = "../docs/metrics.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	have, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table", path)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+tableBegins+table()+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(have, table()); diff != "" {
		t.Errorf("run make docs (-file +catalog):\n%s", diff)
	}
}

// table returns the tables of metrics and labels.
func table() string {
	var b strings.Builder
	b.WriteString("\n| metric | kind | shown by | labels | meaning |\n| --- | --- | --- | --- | --- |\n")
	var labels []metrics.Label
	of := map[string][]string{}
	for _, m := range metrics.Catalog() {
		names := make([]string, len(m.Labels))
		for i, l := range m.Labels {
			names[i] = "`" + l.Name + "`"
			key := l.Name + l.Meaning
			if of[key] == nil {
				labels = append(labels, l)
			}
			of[key] = append(of[key], "`"+strings.TrimPrefix(m.Name, metrics.Namespace+"_")+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Kind, m.Source, strings.Join(names, ", "), m.Help)
	}
	slices.SortStableFunc(labels, func(a, b metrics.Label) int { return strings.Compare(a.Name, b.Name) })
	b.WriteString("\n| label | of | values | meaning |\n| --- | --- | --- | --- |\n")
	for _, l := range labels {
		const few = 8
		values := "open"
		switch {
		case len(l.Values) > few:
			values = fmt.Sprintf("%d values", len(l.Values))
		case l.Values != nil:
			values = "`" + strings.Join(l.Values, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", l.Name, strings.Join(of[l.Name+l.Meaning], ", "), values, l.Meaning)
	}
	b.WriteString("\n")
	return b.String()
}
