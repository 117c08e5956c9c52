package worker_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The requests for a candidate with all groups of fields, first new, then changed, as the
// simulator received them.
func TestRequestsAsSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) { s.LookupBatch = 1 }})
	c := ana()
	c.WorkExperience = append(c.WorkExperience, input.WorkExperience{Employer: "Fabrikam", Title: "Analyst", Start: "2017", End: "2021-02-28"})
	r.run(input.ToJob(job), input.Options{}, c)
	c.LastName = "Duarte Lopes"
	c.Phones = append(c.Phones, input.Phone{Number: "+1 425 555 0177", Type: "home"})
	c.WorkExperience[0].Title = "Staff Data Engineer"
	r.run(input.ToJob(job+1), included, c)

	var got bytes.Buffer
	for _, call := range r.sim.Calls() {
		fmt.Fprintf(&got, "%s %s", call.Method, call.Path)
		if call.Query != "" {
			got.WriteString("?" + call.Query)
		}
		fmt.Fprintf(&got, " -> %d\n", call.Status)
		if len(call.Body) > 0 {
			if err := json.Indent(&got, call.Body, "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteString("\n")
		}
		got.WriteString("\n")
	}
	const path = "testdata/requests.golden"
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("requests changed (-want +got); run with -update to accept:\n%s", diff)
	}
}
