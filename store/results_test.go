package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestResultsPageByPage(t *testing.T) {
	t.Parallel()
	b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{})
	const rows = 1300 // several chunks
	exports := make([]store.NewExport, rows)
	for i := range exports {
		exports[i] = b.newExport(fmt.Sprintf("c-%d", i+1), fmt.Sprintf("c-%d@example.com", i+1))
	}
	if _, err := b.Accept(exports...); err != nil {
		t.Fatal(err)
	}
	end := map[int]store.Finish{
		2:    {To: store.Done, Counter: store.CountCreated, Person: 17},
		700:  {To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"},
		701:  {To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore, Person: 3},
		1300: {To: store.Dead, Counter: store.CountDead, Reason: store.ReasonJobNotFound},
	}
	for row, f := range end {
		b.finish(b.claimed(store.Ref{Customer: customer, Export: exports[row-1].Export}), f)
	}
	specs := []struct {
		name   string
		filter store.ResultFilter
		limit  int
		want   []int // rows
		count  int   // if there are too many to list
		pages  int
	}{
		{"all of them", store.ResultFilter{}, 500, nil, rows, 3},
		{"all, a few at a time", store.ResultFilter{}, 433, nil, rows, 4},
		{"dead", store.ResultFilter{Counter: store.CountDead}, 100, []int{700, 1300}, 0, 1},
		{"dead, one by one", store.ResultFilter{Counter: store.CountDead}, 1, []int{700, 1300}, 0, 3},
		{"by reason", store.ResultFilter{Reason: store.ReasonJobNotFound}, 100, []int{1300}, 0, 1},
		{"by outcome and reason", store.ResultFilter{Counter: store.CountDead, Reason: store.ReasonExportedBefore}, 100, nil, 0, 1},
		{"created", store.ResultFilter{Counter: store.CountCreated}, 100, []int{2}, 0, 1},
		{"in progress", store.ResultFilter{Moving: true}, 1000, nil, rows - 4, 2},
	}
	for _, s := range specs {
		t.Run(s.name, func(t *testing.T) {
			var got []int
			pages := 0
			for from := 0; ; pages++ {
				page, err := b.Batches.Results(t.Context(), b.batch, s.filter, from, s.limit)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page.Results {
					if r.Candidate != fmt.Sprintf("c-%d", r.Row) {
						t.Fatalf("row %d has candidate %s", r.Row, r.Candidate)
					}
					got = append(got, r.Row)
				}
				if from = page.Next; from == 0 {
					break
				}
			}
			if s.count == 0 && !slices.Equal(got, s.want) || s.count > 0 && len(got) != s.count {
				t.Errorf("got %d rows: %v", len(got), got[:min(len(got), 10)])
			}
			if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
				t.Error("rows are not in order, or twice")
			}
			if pages+1 != s.pages {
				t.Errorf("%d pages, want %d", pages+1, s.pages)
			}
		})
	}
}

func TestBatchesPageByPage(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		want := []store.BatchID{b.batch}
		for i := range 11 {
			b.again(store.BatchSpec{Job: int64(i + 1)})
			want = append(want, b.batch)
		}
		// Some were opened in the same millisecond, one has expired.
		key := "ix:{" + customer + "}:batches"
		for i, id := range want {
			local := string(id[len(customer)+1:])
			must(t, client.ZAdd(t.Context(), key, redis.Z{Score: float64(1_800_000_000_000 + i/4), Member: local}).Err())
		}
		must(t, client.Del(t.Context(), "ix:{"+customer+"}:b:"+string(want[5][len(customer)+1:])).Err())
		gone := want[5]
		want = slices.Delete(want, 5, 6)
		for _, n := range []int{1, 3, 11, 50} {
			var got []store.BatchID
			for from := ""; ; {
				page, next, err := b.Batches.Page(t.Context(), customer, from, n)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) > n {
					t.Fatalf("a page of %d has %d", n, len(page))
				}
				for _, batch := range page {
					got = append(got, batch.ID)
				}
				if from = next; from == "" {
					break
				}
			}
			if slices.Contains(got, gone) || len(got) != len(want) {
				t.Errorf("%d at a time: %d batches of %d", n, len(got), len(want))
			}
			for _, id := range want {
				if !slices.Contains(got, id) {
					t.Errorf("%d at a time: %s is missing", n, id)
				}
			}
		}
		if _, _, err := b.Batches.Page(t.Context(), customer, "yesterday", 5); !errors.Is(err, store.ErrPlace) {
			t.Errorf("a place that is none: %v", err)
		}
	})
}

func TestBatchesOfLeavesOutUnknownBatches(t *testing.T) {
	t.Parallel()
	b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{Job: 7})
	b.accept("c-1", "c-1@example.com")
	got, err := b.Batches.GetAll(t.Context(), b.batch, "1234-aaaaaaaaaaaaaaaa")
	if err != nil || len(got) != 1 || got[b.batch].Accepted != 1 || got[b.batch].Job != 7 || got[b.batch].Opened.Before(time.Unix(1, 0)) {
		t.Errorf("%+v, %v", got, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
