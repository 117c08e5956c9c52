package tasks_test

import (
	"errors"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

func TestReview(t *testing.T) {
	batch := input.Batch{
		Customer: "1234", Options: input.Options{GenerateDummyEmails: true},
		Candidates: input.Candidates(
			input.Candidate{ID: " c-1 ", FirstName: "Ana", LastName: "Duarte", Email: "ana@example.com"},
			input.Candidate{ID: "c-2", FirstName: "Bo", LastName: "Lind"},
			input.Candidate{ID: "c-3", FirstName: "Cy"},
			input.Candidate{ID: "c-1", FirstName: "Ana", LastName: "Duarte"},
		),
	}
	t.Run("the receipt is that of a true sending, but for the batch", func(t *testing.T) {
		keys, err := store.NewKeyset()
		if err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
		defer client.Close()
		want, err := tasks.NewClient(client, store.NewLedger(client, keys)).Enqueue(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		want.Batch = ""
		got, err := tasks.Review(batch, tasks.DefaultDummyDomain, func(tasks.Payload) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || got.Accepted != 2 || len(got.Refused) != 2 || got.Dummies != 1 {
			t.Errorf("got %+v (-sending +review):\n%s", got, diff)
		}
	})
	t.Run("candidates are shown as they would be kept", func(t *testing.T) {
		var seen []tasks.Payload
		if _, err := tasks.Review(batch, "dummies.example.com", func(p tasks.Payload) error { seen = append(seen, p); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 2 || seen[0].Candidate.ID != "c-1" || !seen[1].Dummy || !input.IsDummyEmail(seen[1].Candidate.Email, "dummies.example.com") {
			t.Errorf("seen %+v", seen)
		}
	})
	t.Run("an error of visit ends it", func(t *testing.T) {
		stop := errors.New("stop")
		if _, err := tasks.Review(batch, "", func(tasks.Payload) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a batch that is wrong as a whole is refused", func(t *testing.T) {
		var refused *input.BatchError
		if _, err := tasks.Review(input.Batch{Customer: "acme"}, "", nil); !errors.As(err, &refused) {
			t.Errorf("got %v", err)
		}
	})
}
