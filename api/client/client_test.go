package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/api/client"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

func TestBatchIsExportedThenSkipped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r.work()
	const people = 40
	batch := input.Batch{Customer: customer, Target: input.ToJob(1701), IdempotencyKey: "k", Candidates: many(people)}
	sent, err := r.Enqueue(t.Context(), batch)
	if err != nil || sent.Accepted != people {
		t.Fatalf("%+v, %v", sent, err)
	}
	var seen []int
	end, err := r.Wait(ctx, sent.Batch, func(b client.Batch) { seen = append(seen, b.Created) })
	if err != nil || !end.Over() || end.Created != people || len(seen) == 0 || seen[len(seen)-1] != people {
		t.Fatalf("ended as %+v, %v; seen %v", end, err, seen)
	}
	rows := 0
	for result, err := range r.Results(t.Context(), sent.Batch, client.ResultFilter{Outcome: "created"}) {
		if err != nil {
			t.Fatal(err)
		}
		if rows++; result.Row != rows || result.Person == 0 || result.Workflow == 0 || !strings.HasSuffix(result.Link, "/linkTo/people/"+idText(result.Person)) {
			t.Errorf("row %d: %+v", rows, result)
		}
	}
	if rows != people {
		t.Errorf("%d results", rows)
	}
	ids := []string{"nobody"}
	for i := range people {
		ids = append(ids, candidate(i).ID)
	}
	exported, err := r.Exported(t.Context(), customer, ids)
	if err != nil || len(exported) != people || exported["c-00007"].Workflows[0].Job != 1701 {
		t.Errorf("%d of %d are known as exported, %v", len(exported), people, err)
	}
	batch.IdempotencyKey, batch.Candidates = "another", many(people)
	if sent, err = r.Enqueue(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if end, err = r.Wait(ctx, sent.Batch, nil); err != nil || end.Skipped != people || end.Calls != 0 {
		t.Errorf("the second time: %+v, %v", end, err)
	}
	reasons, err := r.EndReasons(t.Context(), sent.Batch)
	if want := []client.EndTally{{Outcome: string(store.CountSkipped), Reason: string(store.ReasonExportedBefore), Title: "exported before", Count: people}}; err != nil || !slices.Equal(reasons, want) {
		t.Errorf("reasons: %+v, %v", reasons, err)
	}
	listed := 0
	for b, err := range r.Batches(t.Context(), customer) {
		if err != nil || !b.Over() {
			t.Errorf("listed: %+v, %v", b, err)
		}
		listed++
	}
	if listed != 2 {
		t.Errorf("%d batches are listed", listed)
	}
	receipt, err := r.Erase(t.Context(), customer, "c-00007", "a test")
	if err != nil || !receipt.Complete || receipt.Ended != 2 || !receipt.Marker {
		t.Errorf("erased: %+v, %v", receipt, err)
	}
}

func TestTransferDeadLettersToTheRightJob(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const people = 30
	sent, err := r.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(99), Candidates: many(people)})
	if err != nil {
		t.Fatal(err)
	}
	if end, err := r.Wait(ctx, sent.Batch, nil); err != nil || end.Dead != people {
		t.Fatalf("to a job that is not there: %+v, %v", end, err)
	}
	for result, err := range r.Results(t.Context(), sent.Batch, client.ResultFilter{}) {
		if err != nil || result.Person != 0 {
			t.Fatalf("a job that is not there has made person %d: %v", result.Person, err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.http.URL+"/v1/customers/"+customer+"/dead-letters/transfer",
		strings.NewReader(`{"filter": {"reason": "job_not_found"}, "job": 1701, "why": "the wrong number"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.key("operate"))
	request.Header.Set("Content-Type", "application/json")
	answer, err := r.http.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var done api.DeadLettersTransferred
	if err := json.NewDecoder(answer.Body).Decode(&done); err != nil || done.Done != people || len(done.Batches) != 1 {
		t.Fatalf("%s: %+v, %v", answer.Status, done, err)
	}
	if end, err := r.Wait(ctx, string(done.Batches[0]), nil); err != nil || end.Created != people || end.Job != 1701 {
		t.Fatalf("to the right job: %+v, %v", end, err)
	}
	for result, err := range r.Results(t.Context(), string(done.Batches[0]), client.ResultFilter{}) {
		if err != nil || result.Person == 0 || result.Workflow == 0 {
			t.Errorf("to the right job: %+v, %v", result, err)
		}
	}
}

func idText(id int64) string {
	var digits []byte
	for ; id > 0; id /= 10 {
		digits = append([]byte{byte('0' + id%10)}, digits...)
	}
	return string(digits)
}

// TestClientMatchesPackageTasks sends the same input through both clients.
func TestClientMatchesPackageTasks(t *testing.T) {
	t.Parallel()
	rows := func(yield func(input.Candidate, error) bool) {
		refused := func(line int) error {
			return &input.RowError{Line: line, Problems: []input.Problem{{Code: "not_json", Message: "no JSON", Remedy: "write JSON"}}}
		}
		bare := candidate(3)
		bare.Email = ""
		_ = yield(input.Candidate{}, refused(1)) && yield(candidate(1), nil) && yield(input.Candidate{}, refused(3)) &&
			yield(input.Candidate{}, refused(4)) && yield(bare, nil) && yield(candidate(2), nil) && yield(bare, nil) && yield(input.Candidate{}, refused(8))
	}
	ours, theirs := newRig(t), newRig(t)
	batch := input.Batch{Customer: customer, Target: input.Prospects, Candidates: rows}
	got, err := ours.Enqueue(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	want, err := theirs.direct().Enqueue(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if got.Accepted != want.Accepted || got.RefusedRows != want.RefusedRows() {
		t.Errorf("%d accepted and %d refused, want %d and %d", got.Accepted, got.RefusedRows, want.Accepted, want.RefusedRows())
	}
	if diff := cmp.Diff(want.Refused, got.Refused); diff != "" {
		t.Errorf("refused (-package tasks +client):\n%s", diff)
	}
}

func TestReceiptHasJobTitleAndWarning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	listed := store.ListedJob{ID: 7, Title: "Data Engineer", Read: time.Now().UTC().Truncate(time.Minute)}
	list := store.JobList{AsOf: time.Now(), Portals: r.portals, ListCalls: 1, Jobs: []store.ListedJob{listed}}
	if _, err := r.ledger.JobLists.Save(t.Context(), customer, list, 1, time.Now()); err != nil {
		t.Fatal(err)
	}
	for job, want := range map[int64]client.Receipt{7: {JobTitle: "Data Engineer"}, 9: {JobWarning: "Job 9 is not on the portals"}} {
		sent, err := r.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.Target{Job: job}, Candidates: many(1)})
		if err != nil || sent.JobTitle != want.JobTitle || !strings.HasPrefix(sent.JobWarning, want.JobWarning) || (sent.JobWarning == "") != (want.JobWarning == "") {
			t.Errorf("job %d: title %q, warning %q, %v", job, sent.JobTitle, sent.JobWarning, err)
		}
	}
}

func TestFailedInputIsSubmittedInPart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	broken := errors.New("the file is gone")
	sent, err := r.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.Prospects, Candidates: func(yield func(input.Candidate, error) bool) {
		_ = yield(candidate(1), nil) && yield(input.Candidate{}, broken) && yield(candidate(2), nil)
	}})
	if !errors.Is(err, broken) || sent.Accepted != 1 || sent.Batch == "" {
		t.Errorf("%+v, %v", sent, err)
	}
}

func TestTruncatedInputIsSubmittedInPart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	line := `{"id":"c-1","first_name":"Ottoline","last_name":"Quillfeather","email":"ottoline@example.com"}`
	sent, err := r.Enqueue(t.Context(), input.Batch{Customer: customer, Candidates: input.ReadNDJSON(strings.NewReader(line + "\n" + line[:20]))})
	if cut, ok := errors.AsType[*input.CutError](err); !ok || cut.Row != 2 || sent.Accepted != 1 || sent.RefusedRows != 1 {
		t.Errorf("%+v, %v", sent, err)
	}
}

// A batch is incomplete after its iterator failed. Submitting all of it with the same key completes
// it.
func TestIdempotencyKeyCompletesFailedInput(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	broken := errors.New("the source has gone away")
	cut := &input.RowError{Line: 3, Cut: true, Problems: []input.Problem{{Code: "json_broken"}}}
	for name, last := range map[string]error{"gone": broken, "cut": cut} {
		send := func(rows iter.Seq2[input.Candidate, error]) (client.Receipt, error) {
			return r.Enqueue(t.Context(), input.Batch{Customer: customer, IdempotencyKey: name, Candidates: rows})
		}
		part, err := send(func(yield func(input.Candidate, error) bool) {
			_ = yield(candidate(0), nil) && yield(candidate(1), nil) && yield(input.Candidate{}, last)
		})
		if cutErr, isCut := errors.AsType[*input.CutError](err); !errors.Is(err, broken) && (!isCut || cutErr.Row != 3) || part.Accepted != 2 {
			t.Fatalf("%s: %+v, %v", name, part, err)
		}
		if want := map[string]int{"gone": 0, "cut": 1}[name]; part.RefusedRows != want || len(part.Refused) != want {
			t.Errorf("%s: refused %+v, want %d", name, part.Refused, want)
		}
		whole, err := send(many(5))
		if err != nil || whole.Batch != part.Batch || whole.Accepted != 5 || whole.Again != 2 || whole.RefusedRows != 0 {
			t.Errorf("%s: %+v, %v", name, whole, err)
		}
		if b, err := r.Batch(t.Context(), part.Batch); err != nil || b.Accepted != 5 || b.Refused != 0 {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
		_, err = send(many(6))
		if p, ok := errors.AsType[*client.Problem](err); !ok || !errors.Is(err, client.ErrBatchConflict) || !strings.Contains(p.Detail, "complete with 5 rows") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTooManyRowsHaveAReceipt(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(d *api.Deps) { d.Settings.MaxRows = 3 })
	sent, err := r.Enqueue(t.Context(), input.Batch{Customer: customer, Candidates: many(10)})
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Code != "too_many_rows" || sent.Accepted != 3 || sent.Batch == "" {
		t.Errorf("%+v, %v", sent, err)
	}
}

func TestRefusalsAreTyped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	send := func(c *client.Client, b input.Batch) error {
		if b.Customer == "" {
			b.Customer = customer
		}
		b.Candidates = many(1000)
		_, err := c.Enqueue(t.Context(), b)
		return err
	}
	if err := send(r.Client, input.Batch{IdempotencyKey: "k", Target: input.ToJob(1)}); err != nil {
		t.Fatal(err)
	}
	if err := send(r.Client, input.Batch{IdempotencyKey: "k", Target: input.ToJob(2)}); !errors.Is(err, client.ErrBatchConflict) {
		t.Errorf("another target under one key: %v", err)
	}
	if err := send(r.Client, input.Batch{Customer: "99", Target: input.ToJob(2)}); !errors.Is(err, client.ErrNoConnection) {
		t.Errorf("a customer without a connection: %v", err)
	}
	if _, err := r.Batch(t.Context(), "1234-aaaaaaaaaaaaaaaa"); !errors.Is(err, client.ErrNoBatch) {
		t.Errorf("an unknown batch: %v", err)
	}
	if _, err := r.Wait(t.Context(), "1234-aaaaaaaaaaaaaaaa", nil); !errors.Is(err, client.ErrNoBatch) {
		t.Errorf("waiting for an unknown batch: %v", err)
	}
	refusal := func(err error) string {
		if p, ok := errors.AsType[*client.Problem](err); ok && p.RequestID != "" {
			return p.Code
		}
		return "no problem: " + err.Error()
	}
	if got := refusal(send(r.with(r.key("read")), input.Batch{Target: input.ToJob(1)})); got != "scope_missing" {
		t.Error(got)
	}
	if got := refusal(send(r.with("ixk_none_at-all"), input.Batch{Target: input.ToJob(1)})); got != "unauthenticated" {
		t.Error(got)
	}
	if _, err := r.Erase(t.Context(), customer, "c-1", ""); refusal(err) != "invalid_request" {
		t.Error(err)
	}
	var bad error
	for _, err := range r.Results(t.Context(), "1234-aaaaaaaaaaaaaaaa", client.ResultFilter{}) {
		bad = err
	}
	if _, err := r.EndReasons(t.Context(), "1234-aaaaaaaaaaaaaaaa"); !errors.Is(err, client.ErrNoBatch) {
		t.Errorf("reasons of an unknown batch: %v", err)
	}
	if !errors.Is(bad, client.ErrNoBatch) {
		t.Errorf("results of an unknown batch: %v", bad)
	}
}

func TestWaitSurvivesBreaksAndRestarts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sent, err := r.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(1701), Candidates: many(3)})
	if err != nil {
		t.Fatal(err)
	}
	server, asked := r.handler, atomic.Int64{}
	r.handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch asked.Add(1) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2: // a stream that breaks after its first event
			short, end := context.WithCancel(q.Context())
			defer end()
			server.ServeHTTP(cutOff{w, end}, q.WithContext(short))
			panic(http.ErrAbortHandler)
		default:
			server.ServeHTTP(w, q)
		}
	})
	r.work()
	told := map[string]bool{}
	end, err := r.Wait(ctx, sent.Batch, func(b client.Batch) { told[b.Ended.String()] = true })
	if err != nil || end.Created != 3 {
		t.Errorf("%+v, %v", end, err)
	}
	if asked.Load() < 3 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// cutOff ends a stream after its first event.
type cutOff struct {
	http.ResponseWriter

	cancel context.CancelFunc
}

func (c cutOff) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	if strings.Contains(string(p), "data: ") {
		c.cancel()
	}
	return n, err
}

func (c cutOff) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Wait returns the reason when the API key is revoked.
func TestWaitEndsWithItsAPIKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(d *api.Deps) { d.Settings.AccessEvery = 5 * time.Millisecond })
	sent, err := r.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(1701), Candidates: many(3)})
	if err != nil {
		t.Fatal(err)
	}
	key := r.key("read")
	_, err = r.with(key).Wait(t.Context(), sent.Batch, func(client.Batch) {
		if _, err := r.ledger.Access.RevokeAPIKey(t.Context(), strings.Split(key, "_")[1], time.Now()); err != nil {
			t.Error(err)
		}
	})
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Code != "access_ended" || p.Status != http.StatusUnauthorized || p.Detail != "The API key was revoked." || p.RequestID == "" {
		t.Errorf("%v", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sent, err := r.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(1701), Candidates: many(3)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := r.Wait(ctx, sent.Batch, func(client.Batch) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/elsewhere" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, q, "/elsewhere", http.StatusTemporaryRedirect)
	})
	_, err := r.Batch(t.Context(), "1234-aaaaaaaaaaaaaaaa")
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != http.StatusTemporaryRedirect || p.Code != "" {
		t.Errorf("%v", err)
	}
}

func TestNewRefusesInvalidAddressesAndKeys(t *testing.T) {
	t.Parallel()
	for _, wrong := range [][2]string{{"exports.example.com", "ixk_a_b"}, {"ftp://exports.example.com", "ixk_a_b"}, {"https://user@exports.example.com", "ixk_a_b"}, {"https://exports.example.com", ""}, {"https://exports.example.com", "ixk a"}} {
		if _, err := client.New(wrong[0], wrong[1]); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestSmallBatchesDoNotCountAsUploads(t *testing.T) {
	r := newRig(t)
	var length int64
	serve := r.handler
	r.handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		length = q.ContentLength
		serve.ServeHTTP(w, q)
	})
	for _, c := range []struct {
		name            string
		rows            int
		withKnownLength bool
	}{{"one", 1, true}, {"a thousand", 1000, true}, {"five thousand", 5000, false}} {
		sent, err := r.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.Prospects, Candidates: many(c.rows)})
		if err != nil || sent.Accepted != c.rows || (length > 0) != c.withKnownLength {
			t.Errorf("%s: %d accepted, length %d, %v", c.name, sent.Accepted, length, err)
		}
	}
}

func TestRefusedRowsOfABatchAreRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const refused = 1003 // more than a page
	sent, err := r.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.Prospects, Candidates: func(yield func(input.Candidate, error) bool) {
		for i := range refused {
			bare := candidate(i + 1)
			bare.Email = ""
			if !yield(bare, nil) {
				return
			}
		}
		yield(candidate(refused+1), nil)
	}})
	if err != nil || sent.Accepted != 1 || sent.RefusedRows != refused {
		t.Fatalf("%d accepted, %d refused, %v", sent.Accepted, sent.RefusedRows, err)
	}
	row := 0
	for got, err := range r.RefusedRows(t.Context(), sent.Batch) {
		if row++; err != nil || got.Row != row || got.Candidate != candidate(row).ID || got.Problems[0].Code != "email_missing" {
			t.Fatalf("row %d: %+v, %v", row, got, err)
		}
	}
	if row != refused {
		t.Errorf("%d rows were read", row)
	}
	for _, err := range r.RefusedRows(t.Context(), customer+"-aaaaaaaaaaaaaaaa") {
		if !errors.Is(err, client.ErrNoBatch) {
			t.Errorf("an unknown batch: %v", err)
		}
	}
}
