package tasks_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// sameRows is a producer that submits under one key, in chunks of ten rows.
type sameRows struct {
	*producer
	key string
}

// try submits rows with the key.
func (p sameRows) try(rows iter.Seq2[input.Candidate, error]) (tasks.Receipt, error) {
	p.t.Helper()
	return p.Enqueue(p.t.Context(), input.Batch{Customer: customer, IdempotencyKey: p.key, Candidates: rows})
}

// kept returns everything in Redis, except for the queue, where tasks are added again, and the time
// of the batch's last row.
func (p sameRows) kept() map[string][]string {
	p.t.Helper()
	all := slices.DeleteFunc(redistest.Dump(p.t, p.redis), func(e redistest.Entry) bool { return !strings.HasPrefix(e.Key, "ix:{") })
	kept := map[string][]string{}
	for _, e := range all {
		if e.Type == "hash" { // the order varies
			pairs := slices.DeleteFunc(slices.Collect(slices.Chunk(e.Values, 2)), func(pair []string) bool { return pair[0] == "last_accepted" })
			slices.SortFunc(pairs, slices.Compare)
			e.Values = slices.Concat(pairs...)
		}
		kept[e.Key] = e.Values
	}
	return kept
}

// list returns rows by ID; "!" before an ID makes a row that is refused.
func list(ids ...string) iter.Seq2[input.Candidate, error] {
	return func(yield func(input.Candidate, error) bool) {
		for _, id := range ids {
			c := candidate(strings.TrimPrefix(id, "!"))
			if id != c.ID {
				c.Email = ""
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

func numbered(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("c-%06d", i)
	}
	return ids
}

// with replaces one of the rows.
func with(ids []string, row int, id string) []string {
	ids = slices.Clone(ids)
	ids[row-1] = id
	return ids
}

func TestAReusedKeyWithOtherRowsIsRefused(t *testing.T) {
	t.Parallel()
	first := with(numbered(35), 12, "!c-12")
	changed := func(row int, change func(*input.Candidate)) iter.Seq2[input.Candidate, error] {
		return func(yield func(input.Candidate, error) bool) {
			n := 0
			for c, err := range list(first...) {
				if n++; n == row {
					change(&c)
				}
				if !yield(c, err) {
					return
				}
			}
		}
	}
	cases := map[string]struct {
		rows iter.Seq2[input.Candidate, error]
		says string
	}{
		"another candidate":              {list(with(first, 23, "other")...), "row 23 "},
		"another name":                   {changed(35, func(c *input.Candidate) { c.LastName = "Other" }), "row 35 "},
		"another address":                {changed(1, func(c *input.Candidate) { c.Email = "other@example.com" }), "row 1 "},
		"a job more in the history":      {changed(4, func(c *input.Candidate) { c.WorkExperience = []input.WorkExperience{{Employer: "Contoso"}} }), "row 4 "},
		"a refused row that is good now": {list(with(first, 12, "c-000011")...), "row 12 "},
		"a good row that is refused":     {list(with(first, 30, "!c-000029")...), "row 30 "},
		"another order":                  {list(with(with(first, 2, first[2]), 3, first[1])...), "row 2 "},
		"a row more":                     {list(append(slices.Clone(first), "more")...), "35 rows"},
		"a refused row more":             {list(append(slices.Clone(first), "!more")...), "35 rows"},
		"many rows more":                 {list(append(slices.Clone(first), numbered(90)[35:]...)...), "35 rows"},
		"a row less":                     {list(first[:34]...), "35 rows"},
		"only the first chunk":           {list(first[:10]...), "35 rows"},
	}
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		producer := newProducer(t, client, tasks.WithChunk(10))
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				p := sameRows{producer, name}
				p.t = t
				sent, err := p.try(list(first...))
				if err != nil || sent.Accepted != 34 || sent.RefusedRows() != 1 {
					t.Fatalf("%+v, %v", sent, err)
				}
				before := p.kept()
				receipt, err := p.try(c.rows)
				conflict, ok := errors.AsType[*store.BatchConflictError](err)
				if !ok || !errors.Is(err, store.ErrBatchConflict) || conflict.Batch != sent.Batch {
					t.Fatalf("%+v, %v", receipt, err)
				}
				if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "example.com") {
					t.Errorf("it says %q, not %q", err, c.says)
				}
				if receipt.Batch != "" || receipt.Accepted+receipt.Again > 0 {
					t.Errorf("receipt %+v", receipt)
				}
				if diff := cmp.Diff(before, p.kept()); diff != "" {
					t.Errorf("it changed %s", diff)
				}

				// The rows submitted first are still the same batch.
				again, err := p.try(list(first...))
				if err != nil || again.Batch != sent.Batch || again.Accepted != 34 || again.Again != 34 || again.RefusedRows() != 1 {
					t.Errorf("the same rows: %+v, %v", again, err)
				}
			})
		}
	})
}

func TestInterruptedSubmissionIsCompleted(t *testing.T) {
	t.Parallel()
	all := with(numbered(35), 12, "!c-12")
	broken := func(after int, err error) iter.Seq2[input.Candidate, error] {
		return func(yield func(input.Candidate, error) bool) {
			for c := range list(all[:after]...) {
				if !yield(c, nil) {
					return
				}
			}
			yield(input.Candidate{}, err)
		}
	}
	cut := &input.RowError{Cut: true, Problems: []input.Problem{{Code: "json_broken"}}}
	for name, c := range map[string]struct {
		after int
		err   error
	}{
		"between two chunks":            {20, io.ErrUnexpectedEOF},
		"in the middle of a chunk":      {24, io.ErrUnexpectedEOF},
		"after a refused row":           {12, io.ErrUnexpectedEOF},
		"in the middle of a row":        {24, cut},
		"in the middle of the last row": {34, cut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := sameRows{newProducer(t, redistest.Shared(t).Client(t), tasks.WithChunk(10)), "k"}
			part, err := p.try(broken(c.after, c.err))
			if err == nil || part.Accepted == 0 {
				t.Fatalf("%+v, %v", part, err)
			}
			if _, err := p.try(list(with(all, 3, "other")...)); !errors.Is(err, store.ErrBatchConflict) {
				t.Errorf("other rows complete it: %v", err)
			}
			if _, err := p.try(list(all[:10]...)); !errors.Is(err, store.ErrBatchConflict) {
				t.Errorf("fewer rows complete it: %v", err)
			}
			if b, err := p.ledger.Batches.Get(t.Context(), part.Batch); err != nil || b.Accepted != part.Accepted {
				t.Errorf("other rows left %+v, %v", b, err)
			}
			whole, err := p.try(list(all...))
			if err != nil || whole.Batch != part.Batch || whole.Accepted != 34 || whole.Again != part.Accepted {
				t.Errorf("completed: %+v, %v", whole, err)
			}
			// An interrupted repetition changes nothing.
			if _, err := p.try(broken(13, c.err)); err == nil || errors.Is(err, store.ErrBatchConflict) {
				t.Errorf("it breaks off again: %v", err)
			}
			if b, err := p.ledger.Batches.Get(t.Context(), part.Batch); err != nil || b.Accepted != 34 || b.Refused != 1 {
				t.Errorf("it is %+v, %v", b, err)
			}
			if _, err := p.try(list(append(slices.Clone(all), "more")...)); !errors.Is(err, store.ErrBatchConflict) {
				t.Errorf("a row more: %v", err)
			}
		})
	}
}

// A batch that ended at the row limit continues if the limit is raised.
func TestBatchAtTheRowLimitContinuesUnderAHigherLimit(t *testing.T) {
	t.Parallel()
	p := sameRows{newProducer(t, redistest.Shared(t).Client(t), tasks.WithChunk(10)), "k"}
	for _, most := range []int{15, 15, 40} {
		r, err := p.Enqueue(t.Context(), input.Batch{Customer: customer, IdempotencyKey: p.key, Candidates: many(35), MaxRows: most})
		if _, tooMany := errors.AsType[*input.TooManyRowsError](err); tooMany != (most < 35) || r.Accepted != min(most, 35) {
			t.Errorf("at most %d rows: %+v, %v", most, r, err)
		}
	}
}

// Candidates without an address get another dummy each time.
func TestDummyAddressesDoNotChangeRows(t *testing.T) {
	t.Parallel()
	p := sameRows{newProducer(t, redistest.Shared(t).Client(t)), "k"}
	for _, again := range []int{0, 2} {
		r, err := p.Enqueue(t.Context(), input.Batch{
			Customer: customer, IdempotencyKey: p.key, Candidates: list("!c-1", "!c-2"), Options: input.Options{GenerateDummyEmails: true},
		})
		if err != nil || r.Accepted != 2 || r.Again != again || r.Dummies != 2 {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

// Two producers submit different rows under one key concurrently: one of them wins, and the batch
// has only its rows.
func TestProducersWithOneKeyAtTheSameTime(t *testing.T) {
	t.Parallel()
	for name, second := range map[string][]string{
		"the same rows": numbered(300), "another row in the middle": with(numbered(300), 155, "other"), "more rows": numbered(330), "fewer rows": numbered(270),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for round := range 5 {
				p := sameRows{newProducer(t, redistest.Shared(t).Client(t), tasks.WithChunk(10)), "k"}
				inputs := [][]string{numbered(300), second}
				receipts, errs := make([]tasks.Receipt, len(inputs)), make([]error, len(inputs))
				var both sync.WaitGroup
				for i, rows := range inputs {
					both.Go(func() { receipts[i], errs[i] = p.try(list(rows...)) })
				}
				both.Wait()
				equal := slices.Equal(inputs[0], inputs[1])
				lost := 0
				for i, err := range errs {
					switch {
					case err == nil && receipts[i].Accepted != len(inputs[i]):
						t.Errorf("round %d: %d of %d accepted", round, receipts[i].Accepted, len(inputs[i]))
					case errors.Is(err, store.ErrBatchConflict):
						lost++
					case err != nil:
						t.Error(err)
					}
				}
				if equal && lost != 0 || !equal && lost != 1 {
					t.Fatalf("round %d: %v", round, errs)
				}
				winner := slices.Index(errs, nil)
				b, err := p.ledger.Batches.Get(t.Context(), receipts[winner].Batch)
				if err != nil || b.Accepted != len(inputs[winner]) {
					t.Errorf("round %d: the batch has %d, not %d, %v", round, b.Accepted, len(inputs[winner]), err)
				}
			}
		})
	}
}

// A batch accepted by an earlier version has no digests and can still be submitted again.
func TestBatchOfAnEarlierVersionCanBeResubmitted(t *testing.T) {
	t.Parallel()
	p := sameRows{newProducer(t, redistest.Shared(t).Client(t), tasks.WithChunk(10)), "k"}
	first, err := p.try(list(numbered(25)...))
	if err != nil {
		t.Fatal(err)
	}
	key := "ix:{1234}:b:" + strings.TrimPrefix(string(first.Batch), "1234-")
	p.redis.Del(t.Context(), key+":digests")
	p.redis.HDel(t.Context(), key, "complete")
	again, err := p.try(list(numbered(25)...))
	if err != nil || again.Again != 25 {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := p.try(list(numbered(24)...)); !errors.Is(err, store.ErrBatchConflict) {
		t.Errorf("afterwards its rows are known: %v", err)
	}
}
