package tasks_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// exportShortlist submits the people of a shortlist for a job. README.md shows this function.
func exportShortlist(ctx context.Context, redisAddr, keysetFile string, people iter.Seq2[input.Candidate, error]) (store.BatchID, error) {
	client := redis.NewClient(&redis.Options{Addr: redisAddr}) // the Redis of the workers
	defer client.Close()
	keys, err := store.ReadKeysetFile(keysetFile) // and their keyset
	if err != nil {
		return "", err
	}
	producer := tasks.NewClient(client, store.NewLedger(client, keys))

	receipt, err := producer.Enqueue(ctx, input.Batch{
		Customer:       "1234",
		Target:         input.ToJob(1701), // or input.Prospects
		Options:        input.Options{GenerateDummyEmails: true},
		IdempotencyKey: "shortlist-42", // sent twice, it is one batch
		Candidates:     people,         // read once, 500 at a time
	})
	if err != nil {
		return "", err
	}
	for _, r := range receipt.Refused {
		for _, p := range r.Problems {
			fmt.Printf("row %d: %s\n", r.Row, p) // names field, problem and remedy, never the value
		}
	}
	return receipt.Batch, nil
}

// exportedWhen returns when each of many candidates was exported.
func exportedWhen(ctx context.Context, ledger *store.Ledger, candidates []string) (map[string]time.Time, error) {
	markers, err := ledger.Candidates.Markers(ctx, "1234", candidates)
	when := make(map[string]time.Time, len(markers))
	for id, m := range markers { // only exported candidates have a marker
		when[id] = m.ExportedAt
	}
	return when, err
}

func ExampleClient_Enqueue() {
	redisAddr, keysetFile, end := exampleDeployment()
	defer end()

	people := func(yield func(input.Candidate, error) bool) {
		// Rows of a database, a stream, a file: whatever comes one by one.
		for _, c := range []input.Candidate{
			{ID: "c-000123", FirstName: "Ana", LastName: "Duarte", Email: "ana.duarte@example.com"},
			{ID: "c-000124", FirstName: "Tomas", LastName: "Berg"},
			{ID: "c-000125", FirstName: "Mina"},
		} {
			if !yield(c, nil) {
				return
			}
		}
	}
	batch, err := exportShortlist(context.Background(), redisAddr, keysetFile, people)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("accepted for customer", batch.Customer())
	// Output:
	// row 3: last_name: is missing; add the candidate's last name
	// accepted for customer 1234
}

func Example_exportedWhen() {
	redisAddr, keysetFile, end := exampleDeployment()
	defer end()
	client := redis.NewClient(&redis.Options{Addr: redisAddr})
	defer client.Close()
	keys, err := store.ReadKeysetFile(keysetFile)
	if err != nil {
		fmt.Println(err)
		return
	}
	ledger := store.NewLedger(client, keys)
	if err := finishOne(ledger, "c-000123"); err != nil {
		fmt.Println(err)
		return
	}
	when, err := exportedWhen(context.Background(), ledger, []string{"c-000123", "c-000124"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range []string{"c-000123", "c-000124"} {
		_, exported := when[id]
		fmt.Println(id, exported)
	}
	// Output:
	// c-000123 true
	// c-000124 false
}

// finishOne takes one candidate's export to its end, as a worker does.
func finishOne(ledger *store.Ledger, candidate string) error {
	ctx := context.Background()
	spec := store.BatchSpec{Customer: "1234"}
	batch, _, err := ledger.Batches.Open(ctx, spec)
	if err != nil {
		return err
	}
	export := ledger.Keys().ExportID(string(batch), candidate)
	if _, err := ledger.AcceptFor(ctx, spec, batch, []store.NewExport{{Export: export, Candidate: candidate}}, store.Rows{}, store.NormalQueue); err != nil {
		return err
	}
	claim, err := ledger.Claim(ctx, store.Ref{Customer: "1234", Export: export}, store.ClaimOptions{Lease: time.Minute})
	if err != nil {
		return err
	}
	return ledger.Finish(ctx, claim, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 90001})
}

// exampleDeployment is a Redis and a keyset for an example.
func exampleDeployment() (redisAddr, keysetFile string, end func()) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	keys, err := store.NewKeyset()
	if err != nil {
		panic(err)
	}
	data, err := keys.Export()
	if err != nil {
		panic(err)
	}
	keysetFile = filepath.Join(folder, "keyset.json")
	if err := os.WriteFile(keysetFile, data, 0o600); err != nil {
		panic(err)
	}
	return server.Addr(), keysetFile, func() {
		server.Close()
		_ = os.RemoveAll(folder)
	}
}
