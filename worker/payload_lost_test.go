package worker_test

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

func TestUnreadablePayloadIsRestored(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true, settings: func(s *worker.Settings) {
		s.RetryBudget = time.Millisecond
	}})
	lost, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	candidates := people(2)
	send := func() store.BatchID {
		t.Helper()
		receipt, err := r.producer.Enqueue(t.Context(), input.Batch{
			Customer: customer, IdempotencyKey: "k", Target: input.ToJob(job), Candidates: input.Candidates(candidates...),
		})
		if err != nil {
			t.Fatal(err)
		}
		return receipt.Batch
	}
	batch := send()
	missing, sealed := r.outcomes(batch)[0].Export, r.outcomes(batch)[1].Export
	place := func(export string) string { return "ix:{" + customer + "}:p:" + export }
	foreign, err := lost.Seal([]byte("data"), place(sealed))
	if err == nil {
		err = r.redis.Set(t.Context(), place(sealed), foreign, 0).Err()
	}
	if err == nil {
		err = r.redis.Del(t.Context(), place(missing)).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	if b := r.finished(batch); b.Dead != 2 || b.Calls != 0 {
		t.Fatalf("%+v", b)
	}
	want := map[string]store.Reason{missing: store.ReasonPayloadMissing, sealed: store.ReasonPayloadSealed}
	for _, o := range r.outcomes(batch) {
		if o.Reason != want[o.Export] {
			t.Errorf("the reason is %s, want %s", o.Reason, want[o.Export])
		}
	}

	if again := send(); again != batch {
		t.Fatalf("batch %s, want %s", again, batch)
	}
	if _, err := r.ledger.DeadLetters.ReviveAll(t.Context(), customer, []string{missing, sealed}, "maria", "restored"); err != nil {
		t.Fatal(err)
	}
	if err := r.ledger.Lanes.Announce(t.Context(), customer); err != nil {
		t.Fatal(err)
	}
	if b := r.finished(batch); b.Created != 2 || b.Dead != 0 {
		t.Errorf("after submitting again: %+v", b)
	}
}
