package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/jobs"
)

func TestMissingJobWarning(t *testing.T) {
	for name, c := range map[string]struct {
		seen jobs.JobInfo
		want string // prefix; "" for no warning
	}{
		"a fresh list has it":               {jobs.JobInfo{Age: time.Minute}, ""},
		"there is no list":                  {jobs.JobInfo{}, ""},
		"a fresh list lacks it":             {jobs.JobInfo{Missing: true, Age: time.Minute}, "Job 9 is not on the portals of customer 1234. Check the number"},
		"an old list lacks it":              {jobs.JobInfo{Missing: true, Age: 3*time.Hour + 5*time.Minute, Stale: true}, "Job 9 was not on the portals of customer 1234, as of 3h 5m ago. Check"},
		"a list of yesterday tells no more": {jobs.JobInfo{Missing: true, Age: jobListMaxAge, Stale: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := missingJob("1234", 9, c.seen)
			if got == "" != (c.want == "") || !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if got != "" && !strings.HasSuffix(got, "Candidates are exported to this job anyway.") {
				t.Errorf("it does not say that they are exported: %q", got)
			}
		})
	}
}
