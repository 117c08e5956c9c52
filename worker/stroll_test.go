package worker

import (
	"testing"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// An export is accepted and announced one after the other: whoever looks in between has
// found nothing wrong.
func TestWorkIsCalledUnannouncedAtTheSecondLook(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	var log testrig.Log
	ledger := store.NewLedger(client, keys)
	r := newReconciler(New(client, ledger, DefaultSettings(), icims.HostPolicy{}, zerolog.New(&log)))
	look := func(announced, found int) {
		t.Helper()
		if err := r.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		listed, err := ledger.Announced(t.Context())
		if err != nil || len(listed) != announced || log.Count("reconciled") != found {
			t.Errorf("%d are announced and %d findings told, want %d and %d; %v", len(listed), log.Count("reconciled"), announced, found, err)
		}
	}
	testrig.Accept(t, ledger, "1234", 1709, "c-1")
	look(0, 0)
	if err := ledger.Announce(t.Context(), "1234"); err != nil {
		t.Fatal(err)
	}
	look(1, 0)

	testrig.Accept(t, ledger, "5678", 1709, "c-1")
	r.rounds.led = false // as a new leader, who looks at all
	look(1, 0)
	look(2, 1)
}
