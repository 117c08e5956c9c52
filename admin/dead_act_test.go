package admin

import (
	"errors"
	"testing"
)

func TestTransferNeedsOneCustomer(t *testing.T) {
	for name, customers := range map[string][]string{"of nobody": nil, "of two": {"1234", "77"}} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{}).DeadLetters.Transfer(t.Context(), DeadChoice{Customers: customers}, DeadOrder{Who: "ana"}, 7)
			if refused, ok := errors.AsType[*CustomersError](err); !ok || refused.N != len(customers) {
				t.Errorf("got %v", err)
			}
		})
	}
}
