package verify_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/verify"
)

var update = flag.Bool("update", false, "write the generated document anew")

func TestPageIsUpToDate(t *testing.T) {
	t.Parallel()
	const file = "../docs/verification.md"
	page := verify.Page()
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page, string(written)); diff != "" {
		t.Errorf("run go test ./verify -run TestPageIsUpToDate -update: %s", diff)
	}
}

func TestEveryCodeHasACauseAndEveryFailureARemedy(t *testing.T) {
	t.Parallel()
	for _, c := range verify.Codes() {
		info := c.Info()
		if !strings.HasSuffix(info.Cause, ".") || c != verify.CodeNotAsked && !strings.HasSuffix(info.Remedy, ".") {
			t.Errorf("%s: %+v", c, info)
		}
	}
}
