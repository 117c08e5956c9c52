package store_test

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestResultsHaveInputRows(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		accept := func(rows ...int) {
			t.Helper()
			exports := make([]store.NewExport, len(rows))
			for i, row := range rows {
				exports[i] = b.newExport(fmt.Sprintf("c-%d", row), fmt.Sprintf("c-%d@example.com", row))
				exports[i].Row = row
			}
			if _, err := b.Accept(exports...); err != nil {
				t.Fatal(err)
			}
		}
		are := func(want ...int) {
			t.Helper()
			page, err := b.Batches.Results(t.Context(), b.batch, store.ResultFilter{}, 0, 100)
			if err != nil || len(page.Results) != len(want) {
				t.Fatalf("%d results, %v", len(page.Results), err)
			}
			for i, r := range page.Results {
				if r.Row != i+1 || r.InputRow != want[i] {
					t.Errorf("place %d: row %d, want %d", r.Row, r.InputRow, want[i])
				}
			}
		}
		kept := func() string {
			text, err := client.HGet(t.Context(), "ix:{"+customer+"}:b:"+string(b.batch)[len(customer)+1:], "sh").Result()
			if err != nil && err != redis.Nil {
				t.Fatal(err)
			}
			return text
		}
		accept(1, 2, 3)
		if are(1, 2, 3); kept() != "" {
			t.Errorf("kept although no row was refused: %q", kept())
		}
		accept(5, 6)       // 4 was refused
		accept(1, 2, 8, 9) // submitted again
		are(1, 2, 3, 5, 6, 8, 9)
		if want := "4:1,6:2"; kept() != want {
			t.Errorf("kept %q, want %q", kept(), want)
		}
		unknown := b.newExport("x", "x@example.com")
		if _, err := b.Accept(unknown); err != nil {
			t.Fatal(err)
		}
		are(1, 2, 3, 5, 6, 8, 9, 0)
	})
}

// The stored row shifts are bounded, whatever is refused.
func TestRowShiftsAreBounded(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	b := openBook(t, client, store.BatchSpec{})
	const n = 1500
	exports := make([]store.NewExport, n)
	for i := range exports {
		exports[i] = b.newExport(fmt.Sprintf("c-%d", i), fmt.Sprintf("c-%d@example.com", i))
		exports[i].Row = 2*i + 2 // every other row is refused
	}
	for _, part := range [][]store.NewExport{exports[:700], exports[700:]} {
		if _, err := b.Accept(part...); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := b.Batches.InputRows(t.Context(), b.batch)
	if err != nil || rows.At(1) != 2 || rows.At(500) != 1000 || rows.At(n) != 0 {
		t.Errorf("rows %d, %d and %d, %v", rows.At(1), rows.At(500), rows.At(n), err)
	}
	text, err := client.HGet(t.Context(), "ix:{"+customer+"}:b:"+string(b.batch)[len(customer)+1:], "sh").Result()
	const most = 8100
	if err != nil || len(text) > most {
		t.Errorf("%d bytes are kept, %v", len(text), err)
	}
}
