package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// refusedRow is a refused row of a candidate.
func refusedRow(row int, candidate string) store.RefusedRow {
	return store.RefusedRow{Row: row, Line: row + 1, Candidate: candidate, Problems: []store.RowProblem{
		{Field: "email", Code: "email_missing", Message: "is missing", Remedy: "add it"},
	}}
}

// refuse closes the batch with some refused rows.
func (b *book) refuse(brokeOff bool, rows ...store.RefusedRow) {
	b.t.Helper()
	var r store.Refused
	for _, row := range rows {
		r.Add(row)
	}
	if err := b.Batches.CloseSending(b.t.Context(), b.batch, &r, brokeOff); err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) refused(from, n int) (rows []store.RefusedRow, more bool) {
	b.t.Helper()
	rows, more, err := b.Batches.RefusedRows(b.t.Context(), b.batch, from, n)
	if err != nil {
		b.t.Fatal(err)
	}
	return rows, more
}

func TestRefusedRowsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		for _, total := range []int{0, 1, 499, 500, 501, 1000, 1203} {
			var all []store.RefusedRow
			for i := range total {
				all = append(all, refusedRow(2*i+1, fmt.Sprint("c-", i)))
			}
			b.refuse(false, all...)
			for _, size := range []int{1, 7, 499, 500, 501, 2000} {
				if size == 1 && total > 1 {
					continue
				}
				var got []store.RefusedRow
				for more := true; more; {
					var page []store.RefusedRow
					page, more = b.refused(len(got), size)
					if more && len(page) != size {
						t.Fatalf("%d rows by %d: a page of %d", total, size, len(page))
					}
					got = append(got, page...)
				}
				if diff := cmp.Diff(all, got); diff != "" {
					t.Fatalf("%d rows by %d (-want +got):\n%s", total, size, diff)
				}
			}
			if rows, more := b.refused(total, 10); len(rows) != 0 || more {
				t.Errorf("behind the last of %d: %d rows, %t", total, len(rows), more)
			}
			if rows, more := b.refused(total+5000, 10); len(rows) != 0 || more {
				t.Errorf("far behind the last of %d: %d rows, %t", total, len(rows), more)
			}
		}
	})
}

func TestRefusedRowsAreBounded(t *testing.T) {
	t.Parallel()
	b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{})
	rows := make([]store.RefusedRow, store.MostRefusedRows+7)
	for i := range rows {
		rows[i] = refusedRow(i+1, "")
	}
	b.refuse(false, rows...)
	last, more := b.refused(store.MostRefusedRows-1, 1000)
	if len(last) != 1 || more || last[0].Row != store.MostRefusedRows {
		t.Errorf("the last of them: %+v, %t", last, more)
	}
	if got, err := b.Batches.Get(t.Context(), b.batch); err != nil || got.Refused != len(rows) {
		t.Errorf("%d are counted, %v", got.Refused, err)
	}
}

func TestResubmissionReplacesRefusedRows(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{IdempotencyKey: "k"})
		first, second, third := refusedRow(1, "c-1"), refusedRow(2, "c-2"), refusedRow(3, "c-3")
		for _, step := range []struct {
			name     string
			brokeOff bool
			rows     []store.RefusedRow
			want     []store.RefusedRow
		}{
			{"one that broke off", true, []store.RefusedRow{first}, []store.RefusedRow{first}},
			{"the same, to its end", false, []store.RefusedRow{first, second, third}, []store.RefusedRow{first, second, third}},
			{"again", false, []store.RefusedRow{first, second, third}, []store.RefusedRow{first, second, third}},
			{"again, broken off", true, []store.RefusedRow{first}, []store.RefusedRow{first, second, third}},
			{"one without", false, nil, nil},
		} {
			b.refuse(step.brokeOff, step.rows...)
			got, _ := b.refused(0, 10)
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
			if kept, err := b.Batches.Get(t.Context(), b.batch); err != nil || kept.Refused != len(step.want) {
				t.Errorf("%s: %d are counted, %v", step.name, kept.Refused, err)
			}
		}
	})
}

func TestErasingRemovesTheIDFromRefusedRows(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		var rows []store.RefusedRow
		for i := range 1100 {
			rows = append(rows, refusedRow(i+1, fmt.Sprint("c-", i%550)))
		}
		b.refuse(false, rows...)
		r := b.erase("c-3")
		if !r.Complete || r.RefusedRows != 2 || r.Nothing() {
			t.Errorf("the receipt: %+v", r)
		}
		for i := range rows {
			if rows[i].Candidate == "c-3" {
				rows[i].Candidate = ""
			}
		}
		var got []store.RefusedRow
		got, _ = b.refused(0, len(rows))
		if diff := cmp.Diff(rows, got); diff != "" {
			t.Errorf("remaining rows (-want +got):\n%s", diff)
		}
		if again := b.erase("c-3"); again.RefusedRows != 0 || !again.Nothing() {
			t.Errorf("again: %+v", again)
		}
	})
}

func TestRefusedRowsAreSealed(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	b, other := openBook(t, client, store.BatchSpec{IdempotencyKey: "a"}), openBook(t, client, store.BatchSpec{IdempotencyKey: "b"})
	b.refuse(false, refusedRow(1, "c-unmistakable"))
	key := "ix:{" + customer + "}:b:" + strings.TrimPrefix(string(b.batch), customer+"-") + ":refused"
	sealed, err := client.LRange(t.Context(), key, 0, -1).Result()
	if err != nil || len(sealed) != 1 {
		t.Fatalf("%d chunks, %v", len(sealed), err)
	}
	if by, ok := store.SealedBy([]byte(sealed[0])); !ok || by != b.Keys().Primary() {
		t.Errorf("sealed by %d, %t", by, ok)
	}
	// Neither another keyset nor another batch can open them.
	if _, _, err := other.Batches.RefusedRows(t.Context(), b.batch, 0, 1); !errors.Is(err, store.ErrSealed) {
		t.Errorf("with another keyset: %v", err)
	}
	id, _, err := b.Batches.Open(t.Context(), store.BatchSpec{Customer: customer, IdempotencyKey: "c"})
	if err == nil {
		err = client.RPush(t.Context(), "ix:{"+customer+"}:b:"+strings.TrimPrefix(string(id), customer+"-")+":refused", sealed[0]).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Batches.RefusedRows(t.Context(), id, 0, 1); !errors.Is(err, store.ErrSealed) {
		t.Errorf("under another batch: %v", err)
	}
}
