package testrig

import (
	"testing"

	"github.com/seekout/icims-export/store"
)

// BeginControl starts the customer's latest control task of a kind, as a worker does.
func BeginControl(t *testing.T, ledger *store.Ledger, customer string, kind store.ControlKind) store.ControlClaim {
	t.Helper()
	last, err := ledger.Control.Last(t.Context(), customer, kind)
	if err != nil {
		t.Fatalf("no %s was requested: %v", kind, err)
	}
	c, err := ledger.Control.Begin(t.Context(), customer, kind, last.ID, 1)
	if err != nil {
		t.Fatalf("begin %s: %v", kind, err)
	}
	return c
}
