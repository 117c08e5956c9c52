package deploy

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/config"
)

// settingNames returns the variables of all settings.
func settingNames() []string {
	var known []string
	for f := range reflect.TypeFor[config.Settings]().Fields() {
		known = append(known, f.Tag.Get("env"))
	}
	return known
}

func TestUnits(t *testing.T) {
	t.Parallel()
	metricsAt := map[string]string{}
	var confined []string
	for _, name := range []string{"worker", "api"} {
		text := string(read(t, "icims-export-"+name+".service"))
		set := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^Environment=(ICIMS_EXPORT_\w+)=(.*)$`).FindAllStringSubmatch(text, -1) {
			set[m[1]] = m[2]
			if !slices.Contains(settingNames(), m[1]) {
				t.Errorf("%s: %s is no setting", name, m[1])
			}
		}
		for variable, credential := range map[string]string{"ICIMS_EXPORT_CONFIG": "settings", "ICIMS_EXPORT_KEYSET": "keyset"} {
			if set[variable] != "%d/"+credential || !strings.Contains(text, "\nLoadCredential="+credential+":/etc/icims-export/") {
				t.Errorf("%s: %s is %q, which is no credential", name, variable, set[variable])
			}
		}
		grace := regexp.MustCompile(`(?m)^TimeoutStopSec=(.*)$`).FindStringSubmatch(text)
		within, err := time.ParseDuration(set["ICIMS_EXPORT_SHUTDOWN_TIMEOUT"])
		if err != nil || grace == nil {
			t.Fatalf("%s has no time for its stop: %v", name, err)
		}
		if most, err := time.ParseDuration(grace[1]); err != nil || most <= within {
			t.Errorf("%s has %s for a stop of %s, %v", name, grace[1], within, err)
		}
		metricsAt[set["ICIMS_EXPORT_METRICS_LISTEN"]] = name
		if !strings.HasPrefix(set["ICIMS_EXPORT_METRICS_LISTEN"], "127.0.0.1:") {
			t.Errorf("the metrics of %s are at %q", name, set["ICIMS_EXPORT_METRICS_LISTEN"])
		}
		_, rest, _ := strings.Cut(text, "\nDynamicUser=yes\n")
		confined = append(confined, rest)
	}
	if len(metricsAt) != 2 {
		t.Errorf("both show metrics at %q", slices.Collect(maps.Keys(metricsAt)))
	}
	if confined[0] == "" || confined[0] != confined[1] {
		t.Error("the units have different permissions")
	}
}
