package config_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/config"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

func TestReferenceIsUpToDate(t *testing.T) {
	const path = "../docs/configuration.md"
	if *update {
		if err := os.WriteFile(path, []byte(config.Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), config.Reference()); diff != "" {
		t.Errorf("run go test ./config -update (-file +settings):\n%s", diff)
	}
}
