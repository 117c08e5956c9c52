package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

func TestPartialFailureReportsWhatWasDone(t *testing.T) {
	t.Parallel()
	batches := []store.BatchID{"1234-aaaaaaaaaaaaaaaa", "1234-bbbbbbbbbbbbbbbb"}
	cause := errors.New("connection refused")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"in the middle":                  {&admin.BrokenOffError{Done: 3, Thing: "export", Err: cause}, "stopped after 3 exports. Connection refused."},
		"with batches of its own":        {&admin.BrokenOffError{Done: 3, Thing: "dead letter", Err: cause, Batches: batches}, "3 dead letters, sent in [1234-aaaaaaaaaaaaaaaa 1234-bbbbbbbbbbbbbbbb]. Connection refused."},
		"done, and not recorded":         {&admin.UnrecordedError{Done: 1, Thing: "dead letter", Err: cause}, "1 dead letter done, but"},
		"done in a batch, not recorded":  {&admin.UnrecordedError{Done: 1, Thing: "dead letter", Err: cause, Batches: batches[:1]}, "1 dead letter done, sent in [1234-aaaaaaaaaaaaaaaa], but"},
		"something else stays as it was": {cause, "connection refused"},
	} {
		if got := partialFailure(c.err, "done").Error(); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q lacks %q", name, got, c.want)
		}
	}
}
