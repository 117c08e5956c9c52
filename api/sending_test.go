package api

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

func TestExportWithTooManyRowsReportsAcceptedRows(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(d *Deps) { d.Settings.MaxRows = 3 })
	r.connect("1234")
	key, id := r.key(ScopeExport), store.BatchID(r.Ledger.Keys().BatchID("1234", "k"))
	send := func(query, body string) *reply {
		return r.call(key, http.MethodPost, "/v1/customers/1234/exports?job=7"+query, body, "Content-Type", "application/x-ndjson", "Idempotency-Key", "k")
	}
	rows := strings.Join([]string{row("c-1"), noEmail, row("c-3"), row("c-4")}, "\n")
	dry := send("&dry_run=true", rows).problem(CodeTooManyRows)
	if dry.Receipt != nil || !strings.Contains(dry.Detail, "nothing was submitted") {
		t.Errorf("a dry run: %+v", dry)
	}
	for again := range 2 {
		p := send("", rows).problem(CodeTooManyRows)
		for _, want := range []string{"from row 4 on (line 4)", "2 candidates were accepted into batch " + string(id), "another Idempotency-Key"} {
			if !strings.Contains(p.Detail, want) {
				t.Errorf("%q is missing in %q", want, p.Detail)
			}
		}
		if got := p.Receipt; got == nil || got.Batch != id || got.Accepted != 2 || got.Again != 2*again || got.RefusedRows != 1 || got.Refused[0].Row != 2 {
			t.Errorf("receipt %+v", got)
		}
	}
	if live, err := r.Ledger.Recovery.Live(t.Context(), "1234"); err != nil || live != 2 {
		t.Errorf("%d exports move, %v", live, err)
	}
	var sent Sent
	r.call(key, http.MethodPost, "/v1/customers/1234/exports?job=7", row("c-4"), "Content-Type", "application/x-ndjson", "Idempotency-Key", "l").is(http.StatusAccepted, &sent)
}

func TestInterruptedBodyIsNoSuccess(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key, id := r.key(ScopeExport), store.BatchID(r.Ledger.Keys().BatchID("1234", "k"))
	whole := `{"job":7,"candidates":[` + row("c-1") + "," + row("c-2") + "]}"
	send := func(body string, header ...string) *reply {
		return r.call(key, http.MethodPost, "/v1/customers/1234/exports", body, header...)
	}
	p := send(whole[:len(whole)-20], "Idempotency-Key", "k").problem(CodeIncomplete)
	for _, want := range []string{"ends in line 1", "1 candidate was accepted into batch " + string(id), "again with the same Idempotency-Key"} {
		if !strings.Contains(p.Detail, want) {
			t.Errorf("%q is missing in %q", want, p.Detail)
		}
	}
	if p.Receipt == nil || p.Receipt.Batch != id || p.Receipt.Accepted != 1 || p.Receipt.RefusedRows != 1 {
		t.Errorf("receipt %+v", p.Receipt)
	}
	var sent Sent
	send(whole, "Idempotency-Key", "k").is(http.StatusAccepted, &sent)
	if sent.Batch != id || sent.Accepted != 2 || sent.Again != 1 || sent.RefusedRows != 0 {
		t.Errorf("the whole of it, sent again: %+v", sent)
	}
	if p := send(whole[:10]).problem(CodeIncomplete); p.Receipt != nil {
		t.Errorf("receipt of nothing: %+v", p.Receipt)
	}
	p = r.call(key, http.MethodPost, "/v1/customers/1234/exports?job=7&dry_run=true", row("c-9")[:20], "Content-Type", "application/x-ndjson").problem(CodeIncomplete)
	if !strings.Contains(p.Detail, "nothing was submitted") {
		t.Errorf("a dry run: %q", p.Detail)
	}
}

// Uploads take more resources than other requests, so each key, and all keys together, can have few
// at a time. Other requests continue.
func TestConcurrentUploadsAreLimited(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bound   func(*Settings)
		keys    func(one, other string) []string // of the running uploads
		refused Code
		open    bool // for uploads of another key
	}{
		"of one key":           {func(s *Settings) { s.KeyUploads = 2 }, func(one, _ string) []string { return []string{one, one} }, CodeRateLimited, true},
		"of all keys together": {func(s *Settings) { s.Uploads = 2 }, func(one, other string) []string { return []string{one, other} }, CodeBusy, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(d *Deps) {
				d.Settings.MaxBody = 500
				c.bound(&d.Settings)
			})
			r.connect("1234")
			key, other := r.key(ScopeExport), r.key(ScopeExport)
			const path = "/v1/customers/1234/exports?job=7"
			ndjson := []string{"Content-Type", "application/x-ndjson"}
			large := row("c-8") + strings.Repeat("\n", 500)
			underWay := func() (ofKeys, ofAll int) {
				limits := r.guards.keys
				limits.mu.Lock()
				defer limits.mu.Unlock()
				for _, k := range limits.keys {
					ofKeys += k.uploads
				}
				return ofKeys, limits.uploading
			}
			var finish []func()
			for i, by := range c.keys(key, other) {
				finish = append(finish, r.beginUpload(by, path, row(fmt.Sprintf("c-%d", i))))
			}
			testrig.Eventually(t, "both uploads are let in", func() bool { n, all := underWay(); return n == 2 && all == 2 })
			asks := key
			if !c.open {
				asks = r.key(ScopeExport) // has no uploads of its own
			}
			refused := r.call(asks, http.MethodPost, path, large, ndjson...)
			if p := refused.problem(c.refused); !strings.Contains(p.Detail, "2 uploads") || refused.Header.Get("Retry-After") != "5" {
				t.Errorf("got %s, Retry-After %q", refused.body, refused.Header.Get("Retry-After"))
			}
			r.call(key, http.MethodPost, path, row("c-9"), ndjson...).is(http.StatusAccepted, nil)
			if c.open {
				r.call(r.key(ScopeExport), http.MethodPost, path, large, ndjson...).is(http.StatusAccepted, nil)
			}
			for _, end := range finish {
				end()
			}
			testrig.Eventually(t, "the places are free again", func() bool { n, all := underWay(); return n == 0 && all == 0 })
			r.call(key, http.MethodPost, path, large, ndjson...).is(http.StatusAccepted, nil)
		})
	}
}

// beginUpload sends a row of an upload, which continues until finish is called.
func (r *rig) beginUpload(key, path, row string) (finish func()) {
	r.t.Helper()
	body, pipe := io.Pipe()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.server.URL+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/x-ndjson")
	ended := make(chan string, 1)
	go func() {
		response, err := r.server.Client().Do(req)
		if err != nil {
			ended <- err.Error()
			return
		}
		response.Body.Close()
		ended <- response.Status
	}()
	// More than the client buffers.
	if _, err := io.WriteString(pipe, row+strings.Repeat("\n", 64<<10)); err != nil {
		r.t.Fatal(err)
	}
	return func() {
		r.t.Helper()
		pipe.Close()
		if status := <-ended; status != "202 Accepted" {
			r.t.Errorf("an upload that was let in ended with %s", status)
		}
	}
}

func TestResultsAndRefusalsNumberRowsAlike(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key := r.key(ScopeExport)
	var sent Sent
	rows := strings.Join([]string{row("c-1"), noEmail, row("c-3")}, "\n")
	r.call(key, http.MethodPost, "/v1/customers/1234/exports?job=7", rows, "Content-Type", "application/x-ndjson").is(http.StatusAccepted, &sent)
	var results ResultList
	r.call(key, http.MethodGet, "/v1/customers/1234/batches/"+string(sent.Batch)+"/results", nil).is(http.StatusOK, &results)
	if len(results.Results) != 2 || sent.Refused[0].Row != 2 || results.Results[1].Row != 2 || results.Results[1].InputRow != 3 || results.Results[0].InputRow != 1 {
		t.Errorf("refused %+v; results %+v", sent.Refused, results.Results)
	}
}
