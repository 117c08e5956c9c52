package bench_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// BenchmarkMarkerMemory measures the Redis memory of a finished export's marker.
func BenchmarkMarkerMemory(b *testing.B) {
	server := redistest.Start(b)
	client := server.Client(b)
	learnServer(b, client)
	for b.Loop() {
		const few, usual, many = 10_000, 100_000, 1_000_000
		each := map[int]figures.Sample{}
		for _, n := range []int{few, usual, many} {
			emptied(b, server)
			before := usedMemory(b, client)
			writeMarkers(b, client, n)
			each[n] = figures.Exactly((usedMemory(b, client) - before) / float64(n))
			checkMarkers(b, client, n)
		}
		judge(b, "Redis bytes per marker, 100,000 of a customer", each[usual], figures.AtMost(60, " B", "%.1f"), "B/marker")
		results.Note("  10,000 of a customer", each[few], "%.1f", " B")
		results.Note("  1,000,000 of a customer", each[many], "%.1f", " B")
	}
}

func candidateID(i int) string { return fmt.Sprintf("c-%09d", i) }

const firstPerson, firstWorkflow = 100_000, 500_000

// writeMarkers writes the keys of n finished exports to a job. The ledger itself would need minutes
// for a million; checkMarkers checks that it writes and reads the same.
func writeMarkers(b *testing.B, client redis.UniversalClient, n int) {
	b.Helper()
	pipe := client.Pipeline()
	for i := range n {
		key, field := markerPlace(candidateID(i))
		pipe.HSet(b.Context(), key, field, markerText(firstPerson+i, time.Now(), firstWorkflow+i))
		if pipe.Len() == 5000 || i == n-1 {
			if _, err := pipe.Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func markerText(person int, at time.Time, workflow int) string {
	return fmt.Sprintf("%d|%d|%d:%d", person, at.Unix(), job, workflow)
}

func markerPlace(candidate string) (key, field string) {
	const buckets = 2048
	sum := sha1.Sum([]byte(candidate))
	digits := hex.EncodeToString(sum[:])
	n, _ := strconv.ParseUint(digits[:3], 16, 16)
	return "ix:{" + customer + "}:m:" + strconv.FormatUint(n%buckets, 10), digits[3:19]
}

// checkMarkers fails if the ledger cannot read these keys, or writes different ones.
func checkMarkers(b *testing.B, client redis.UniversalClient, n int) {
	b.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		b.Fatal(err)
	}
	ledger := store.NewLedger(client, keys)
	last := candidateID(n - 1)
	found, err := ledger.Candidates.Markers(b.Context(), customer, []string{last})
	if err != nil || found[last].Workflows[job] != int64(firstWorkflow+n-1) || found[last].Person != int64(firstPerson+n-1) {
		b.Fatalf("the ledger reads %+v, %v", found[last], err)
	}

	ctx, candidate := b.Context(), candidateID(n)
	spec := store.BatchSpec{Customer: customer, Job: job}
	batch, _, err := ledger.Batches.Open(ctx, spec)
	if err != nil {
		b.Fatal(err)
	}
	export := store.NewExport{Export: keys.ExportID(string(batch), candidate), Candidate: candidate}
	if _, err := ledger.AcceptFor(ctx, spec, batch, []store.NewExport{export}, store.Rows{}, store.NormalQueue); err != nil {
		b.Fatal(err)
	}
	claim, err := ledger.Claim(ctx, store.Ref{Customer: customer, Export: export.Export}, store.ClaimOptions{Lease: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	for _, step := range []store.Step{{To: store.Creating}, {To: store.Placing, Person: firstPerson}} {
		if err := ledger.Step(ctx, claim, step); err != nil {
			b.Fatal(err)
		}
	}
	end := store.Finish{To: store.Done, Counter: store.CountCreated, Person: firstPerson, Job: job, Workflow: firstWorkflow}
	if err := ledger.Finish(ctx, claim, end); err != nil {
		b.Fatal(err)
	}
	key, field := markerPlace(candidate)
	wrote, err := client.HGet(ctx, key, field).Result()
	if err != nil {
		b.Fatal(err)
	}
	found, err = ledger.Candidates.Markers(ctx, customer, []string{candidate})
	if err != nil {
		b.Fatal(err)
	}
	if want := markerText(firstPerson, found[candidate].ExportedAt, firstWorkflow); wrote != want {
		b.Fatalf("the ledger wrote the marker %q, want %q", wrote, want)
	}
}
