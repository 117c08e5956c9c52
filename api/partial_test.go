package api

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

func TestPartialResultsAreReported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		code   Code
		detail string
	}{
		"a walk that Redis broke off": {&admin.BrokenOffError{Done: 12, Thing: "dead letter", Err: fmt.Errorf("x: %w", io.EOF)}, CodeUnavailable, "Stopped after 12 dead letters. Repeat the request to continue."},
		"one that sent candidates into a batch": {
			&admin.BrokenOffError{Done: 2, Thing: "dead letter", Err: io.EOF, Batches: []store.BatchID{"1234-aa"}}, CodeUnavailable, "Repeat the request to continue. The candidates continue in batch 1234-aa.",
		},
		"one that sent them into two, which is unrecorded": {
			&admin.UnrecordedError{Done: 2, Thing: "dead letter", Err: io.EOF, Batches: []store.BatchID{"1234-aa", "1234-bb"}}, CodeUnavailable, "actions. The candidates continue in the batches 1234-aa, 1234-bb.",
		},
		"one that a bug broke off": {&admin.BrokenOffError{Done: 1, Thing: "export", Err: errors.New("ana@example.com")}, CodeInternal, "after 1 export."},
		"an action that is unrecorded": {
			errors.Join(&admin.UnrecordedError{Done: 2, Thing: "export", Err: store.ErrSealed}, io.EOF), CodeCannotOpen, "Done (2 exports), but not recorded",
		},
		"a pause that may hold": {&admin.PauseUnknownError{Err: io.EOF}, CodeUnavailable, "Check the customer's lane"},
	} {
		t.Run(name, func(t *testing.T) {
			p := problemOf(c.err)
			if p.Code != c.code || !strings.Contains(p.Detail, c.detail) || strings.Contains(p.Detail, "@") {
				t.Errorf("got %s %q", p.Code, p.Detail)
			}
		})
	}
}
