package client_test

import (
	"errors"
	"testing"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/api/client"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

func TestWaitingLimitErrorIsTyped(t *testing.T) {
	r := newRig(t, func(d *api.Deps) {
		d.Ledger = store.NewLedger(d.Redis, d.Ledger.Keys(), store.WithMaxWaiting(3))
		d.Producer = tasks.NewClient(d.Redis, d.Ledger)
	})
	batch := input.Batch{Customer: customer, Target: input.Prospects, IdempotencyKey: "k", Candidates: many(5)}
	sent, err := r.Enqueue(t.Context(), batch)
	if !errors.Is(err, client.ErrTooManyWaiting) || sent.Accepted != 3 {
		t.Errorf("over HTTP: %+v, %v", sent, err)
	}
	direct := tasks.NewClient(r.redis, store.NewLedger(r.redis, r.ledger.Keys(), store.WithMaxWaiting(4)))
	batch.Candidates = many(5)
	if receipt, err := direct.Enqueue(t.Context(), batch); !errors.Is(err, store.ErrTooManyWaiting) || receipt.Accepted != 4 || receipt.Again != 3 {
		t.Errorf("directly: %+v, %v", receipt, err)
	}
}
