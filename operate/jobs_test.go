package operate

import (
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/jobs"
)

func TestAMissingJobIsWarnedOfAsFarAsTheListTells(t *testing.T) {
	for name, c := range map[string]struct {
		seen jobs.Sighting
		want string // the beginning; "" for no warning
	}{
		"a fresh list has it":               {jobs.Sighting{Age: time.Minute}, ""},
		"there is no list":                  {jobs.Sighting{}, ""},
		"a fresh list lacks it":             {jobs.Sighting{Missing: true, Age: time.Minute}, "Job 9 is not on the job portals of customer 1234: check its id"},
		"an old list lacks it":              {jobs.Sighting{Missing: true, Age: 3*time.Hour + 5*time.Minute, Stale: true}, "Job 9 was not on the job portals of customer 1234 when the list of jobs was read, 3h 5m ago: check"},
		"a list of yesterday tells no more": {jobs.Sighting{Missing: true, Age: tellingJobs, Stale: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := missingJob("1234", 9, c.seen)
			if got == "" != (c.want == "") || !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if got != "" && !strings.HasSuffix(got, "The candidates are exported to it all the same.") {
				t.Errorf("it does not say that they are exported: %q", got)
			}
		})
	}
}
