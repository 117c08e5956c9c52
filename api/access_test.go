package api

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// watchful checks often whether the callers of open requests still have access.
func watchful(d *Deps) { d.Settings.AccessEvery = 5 * time.Millisecond }

func chunksOfTen(d *Deps) {
	d.Producer = tasks.NewClient(d.Redis, d.Ledger, tasks.WithChunk(10))
}

// The batch is known to be a large one once the first rows are written; the rows after them are
// accepted ten at a time. Of sentRows rows, acceptedRows are accepted.
const sentRows, acceptedRows = 1_025, 1_021

// endings are the ways in which an API key becomes invalid.
var endings = map[string]func(r *rig, key string){
	"revoked": func(r *rig, key string) {
		if _, err := r.Ledger.Access.RevokeAPIKey(r.t.Context(), strings.Split(key, "_")[1], r.now.Now()); err != nil {
			r.t.Fatal(err)
		}
	},
	"expired": func(r *rig, _ string) { r.now.Pass(2 * time.Hour) },
}

func (r *rig) keyForAnHour(scope Scope) string {
	r.t.Helper()
	_, token, err := r.Ledger.Access.NewAPIKey(r.t.Context(), store.APIKey{Name: "test", Scopes: []string{string(scope)}, Expires: r.now.Now().Add(time.Hour)}, r.now.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// An open stream ends when its API key is revoked or expires, and says why. Streams of other
// keys go on.
func TestAccessEndsForOpenStreams(t *testing.T) {
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, watchful)
			r.accept("1234", 7, "c-1")
			key := r.keyForAnHour(ScopeRead)
			ended, other := r.follow(key, ""), r.follow(r.key(ScopeRead), "")
			ended.must("progress", func(BatchStatus) bool { return true })
			other.must("progress", func(BatchStatus) bool { return true })
			end(r, key)
			if e, ok := ended.next(); !ok || e.kind != "problem" {
				t.Errorf("the stream ends with %+v", e)
			} else if p := e.problem; p.Code != CodeAccessEnded || !strings.Contains(p.Detail, name) {
				t.Errorf("the stream ends with %+v", p)
			}
			if e, more := ended.next(); more {
				t.Errorf("then comes %+v", e)
			}
			r.call(key, http.MethodGet, "/v1/customers/1234/batches/"+string(r.batch)+"/events", nil).problem(CodeUnauthenticated)
			r.cancelAll()
			other.must("end", func(b BatchStatus) bool { return b.Cancelled == 1 })
		})
	}
}

// cancelAll cancels the waiting exports of customer 1234.
func (r *rig) cancelAll() {
	r.t.Helper()
	if _, err := r.Ledger.CancelCustomer(r.t.Context(), "1234", store.CancelOptions{Who: "a test", Why: "x"}); err != nil {
		r.t.Fatal(err)
	}
}

// upload is a request whose body is sent in parts.
type upload struct {
	*io.PipeWriter
	response chan *reply
}

func (r *rig) upload(key string) upload {
	body, rows := io.Pipe()
	u := upload{rows, make(chan *reply, 1)}
	go func() {
		u.response <- r.call(key, http.MethodPost, "/v1/customers/1234/exports?job=7", body, "Content-Type", "application/x-ndjson", "Idempotency-Key", "k")
	}()
	r.t.Cleanup(func() { rows.Close() })
	return u
}

func (u upload) send(t *testing.T, from, n int) {
	t.Helper()
	for i := range n {
		if _, err := io.WriteString(u, row(fmt.Sprintf("c-%d", from+i))+"\n"); err != nil {
			return // the server has responded
		}
	}
}

func (r *rig) live() int64 {
	r.t.Helper()
	n, err := r.Ledger.Recovery.Live(r.t.Context(), "1234")
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// An upload ends when its API key is revoked or expires, even if its sender is silent. The response
// says what was accepted, and another API key can continue with the same idempotency key.
func TestAccessEndsForUploads(t *testing.T) {
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, watchful, chunksOfTen)
			r.connect("1234")
			key := r.keyForAnHour(ScopeExport)
			u := r.upload(key)
			u.send(t, 0, sentRows)
			testrig.Eventually(t, "the first rows are accepted", func() bool { return r.live() == acceptedRows })
			end(r, key)
			response := <-u.response
			p := response.problem(CodeAccessEnded)
			if p.Receipt == nil || p.Receipt.Accepted != acceptedRows {
				t.Fatalf("answered %s", response.body)
			}
			for _, want := range []string{name, prose.Plural(acceptedRows, "candidate") + " were accepted into batch " + string(p.Receipt.Batch), "the same Idempotency-Key and another API key"} {
				if !strings.Contains(p.Detail, want) {
					t.Errorf("the detail %q lacks %q", p.Detail, want)
				}
			}
			if live := r.live(); live != acceptedRows {
				t.Errorf("%d rows are accepted", live)
			}
			b, err := r.Ledger.Batches.Get(t.Context(), p.Receipt.Batch)
			if err != nil || b.Closed.IsZero() {
				t.Errorf("the batch is left open: %+v, %v", b, err)
			}
			again := r.upload(r.key(ScopeExport))
			again.send(t, 0, sentRows)
			again.Close()
			var got Sent
			(<-again.response).is(http.StatusAccepted, &got)
			if got.Batch != p.Receipt.Batch || got.Accepted != sentRows || got.Again != acceptedRows {
				t.Errorf("sent again: %+v", got)
			}
			if live := r.live(); live != sentRows {
				t.Errorf("%d rows are accepted after the second sending", live)
			}
		})
	}
}

// Rows that arrive after the revocation are refused, even if the open request has not been checked
// yet.
func TestNothingIsAcceptedAfterARevocation(t *testing.T) {
	t.Parallel()
	r := newRig(t, chunksOfTen, func(d *Deps) { d.Settings.AccessEvery = time.Hour })
	r.connect("1234")
	key := r.keyForAnHour(ScopeExport)
	u := r.upload(key)
	u.send(t, 0, sentRows)
	testrig.Eventually(t, "the first rows are accepted", func() bool { return r.live() == acceptedRows })
	endings["revoked"](r, key)
	u.send(t, sentRows, 600)
	u.Close()
	p := (<-u.response).problem(CodeAccessEnded)
	if live := r.live(); live != acceptedRows || p.Receipt.Accepted != acceptedRows {
		t.Errorf("%d rows are accepted, the receipt says %+v", live, p.Receipt)
	}
	for _, e := range r.journal("create-export")[:1] {
		if e.Outcome != store.JournalFailed || e.Code != string(CodeAccessEnded) {
			t.Errorf("the journal has %+v", e)
		}
	}
}

// A waiting request ends as well, with an error.
func TestAccessEndsForRequestsThatWait(t *testing.T) {
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, watchful)
			r.withEverything("1234")
			key := r.keyForAnHour(ScopeRead)
			answered := make(chan *reply, 1)
			go func() { answered <- r.call(key, http.MethodGet, "/v1/customers/1234/jobs?wait=30s", nil) }()
			testrig.Eventually(t, "the request waits", func() bool { return len(r.askedForJobs("1234")) > 0 })
			end(r, key)
			if p := (<-answered).problem(CodeAccessEnded); !strings.Contains(p.Detail, name) {
				t.Errorf("answered %+v", p)
			}
		})
	}
}
