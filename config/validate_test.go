package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/config"
)

// TestBustedConfigurations: a parser that embeds Settings refuses what Validate refuses. Each file
// is one bad configuration; its first line is the expected error.
func TestBustedConfigurations(t *testing.T) {
	files, err := filepath.Glob("testdata/busted_*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(text), "\n")
			want, ok := strings.CutPrefix(first, "# want: ")
			if !ok {
				t.Fatal("the first line does not contain the expected error")
			}
			_, got := parse(t, "--config="+path)
			if got == nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(want, got.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if problem := (*config.Problem)(nil); !errors.As(got, &problem) {
				t.Errorf("a %T is not a *Problem", got)
			}
		})
	}
}

func TestEverySettingThatCanBeWrongHasABustedFile(t *testing.T) {
	free := map[string]bool{"Config": true, "Keyset": true, "Connections": true, "MetricsCustomers": true, "Console": true} // files, which are checked when read, and switches
	files, _ := filepath.Glob("testdata/busted_*.yml")
	seen := map[string]bool{}
	for _, path := range files {
		_, err := parse(t, "--config="+path)
		if problem := (*config.Problem)(nil); errors.As(err, &problem) {
			seen[problem.Setting] = true
		}
	}
	for _, s := range config.AllSettings() {
		if !free[s.Field] && !seen[s.Env] {
			t.Errorf("no file in testdata shows a wrong %s", s.Env)
		}
	}
}

func TestValidateShowsAllProblemsAtOnce(t *testing.T) {
	_, err := parse(t, "--call-timeout=2m", "--lookup-batch=0")
	if err == nil {
		t.Fatal("accepted")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		name, _, _ := strings.Cut(line, " ")
		got = append(got, name)
	}
	want := []string{"ICIMS_EXPORT_SETTLE_TIME", "ICIMS_EXPORT_LEASE", "ICIMS_EXPORT_SHUTDOWN_TIMEOUT", "ICIMS_EXPORT_LOOKUP_BATCH"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValidateAccepts(t *testing.T) {
	for name, arg := range map[string]string{
		"the embedded Redis":               "--redis-url=embedded",
		"a retry maximum equal to minimum": "--retry-min=1h",
		"no look-up cache":                 "--lookup-memo=0s",
		"the largest look-up":              "--lookup-batch=200",
		"an origin without a port":         "--icims-hosts=https://api.example.com",
		"an IPv6 origin":                   "--icims-hosts=http://[::1]:8899",
		"logs switched off":                "--log-level=disabled",
	} {
		t.Run(name, func(t *testing.T) {
			if err := mustParse(t, arg).Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}
