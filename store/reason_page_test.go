package store_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/store"
)

var update = flag.Bool("update", false, "rewrite docs/errors.md")

func TestErrorsPageIsUpToDate(t *testing.T) {
	const path = "../docs/errors.md"
	if *update {
		if err := os.WriteFile(path, []byte(store.ErrorsPage()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), store.ErrorsPage()); diff != "" {
		t.Errorf("run go test ./store -run TestErrorsPage -update (-file +reasons):\n%s", diff)
	}
}

func TestEveryReasonIsExplained(t *testing.T) {
	page := store.ErrorsPage()
	for _, r := range store.Reasons() {
		if len(r.Effects()) == 0 {
			t.Errorf("%s has no effect", r)
		}
		_, section, found := strings.Cut(page, "\n### `"+string(r)+"`\n")
		section, _, _ = strings.Cut(section, "\n#")
		paragraphs := strings.Split(strings.TrimSpace(section), "\n")
		if !found || len(paragraphs) != 4 || paragraphs[1] == "" {
			t.Errorf("%s is explained as %q, want title, meaning and what to do", r, section)
		}
	}
}
