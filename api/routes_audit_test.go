package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

func TestAuditOverTheAPI(t *testing.T) {
	r := newRig(t)
	_, ids := r.acceptCandidates("1234", 1709, 0, 3)
	operator := r.key(ScopeOperate, "1234")
	const path = "/v1/customers/1234/audit"
	t.Run("it is clean if the records agree", func(t *testing.T) {
		var got AuditReport
		r.call(operator, http.MethodGet, path, nil).is(http.StatusOK, &got)
		if !got.Clean || got.Counts.Accepted != 3 || got.Counts.Moving != 3 || got.Violations == nil {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("one at a time is made", func(t *testing.T) {
		r.auditing <- struct{}{}
		defer func() { <-r.auditing }()
		if response := r.call(operator, http.MethodGet, path, nil); response.problem(CodeBusy).Detail == "" || response.Header.Get("Retry-After") == "" {
			t.Errorf("got %s", response.body)
		}
	})
	if err := r.redis.Del(t.Context(), "ix:{1234}:p:"+ids[0]).Err(); err != nil {
		t.Fatal(err)
	}
	t.Run("broken promises are reported", func(t *testing.T) {
		var got AuditReport
		r.call(operator, http.MethodGet, path, nil).is(http.StatusOK, &got)
		if got.Clean || got.ViolationsFound != 1 || len(got.Violations) != 1 || got.Violations[0].Kind != store.ViolationPayloadMissing {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a stream ends with the result", func(t *testing.T) {
		response := r.call(operator, http.MethodGet, path, nil, "Accept", "application/x-ndjson")
		lines := bytes.Split(bytes.TrimSpace(response.body), []byte("\n"))
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != ndjsonType || len(lines) != 2 {
			t.Fatalf("got %d %s", response.StatusCode, response.body)
		}
		var first, last AuditLine
		if err := json.Unmarshal(lines[0], &first); err != nil || first.Violation == nil || first.Violation.Export != ids[0] {
			t.Errorf("got %s, %v", lines[0], err)
		}
		if err := json.Unmarshal(lines[1], &last); err != nil || last.Result == nil || last.Result.ViolationsFound != 1 || last.Result.Clean {
			t.Errorf("got %s, %v", lines[1], err)
		}
	})
}

func TestJournalOverTheAPI(t *testing.T) {
	r := newRig(t)
	for _, customer := range []string{"1234", "77"} {
		for _, why := range []string{"first", "second"} {
			r.call(r.key(ScopeOperate), http.MethodPost, "/v1/customers/"+customer+"/lane/pause", map[string]any{"why": why}).is(http.StatusOK, nil)
		}
	}
	r.call(r.key(ScopeOperate), http.MethodPost, "/v1/customers/77/lane/resume", map[string]any{"why": " "}).problem(CodeInvalid)
	all, one := r.key(ScopeAdmin), r.key(ScopeAdmin, "1234")
	for name, c := range map[string]struct {
		key, query string
		want       string // customer, outcome and reason
	}{
		"of all customers, the latest first": {all, "what=resume-lane", "77 refused ,77 asked "},
		"of one that was named":              {all, "customer=1234", "1234 done second,1234 asked second,1234 done first,1234 asked first"},
		"of a key's customers":               {one, "", "1234 done second,1234 asked second,1234 done first,1234 asked first"},
		"page by page":                       {one, "limit=3", "1234 done second,1234 asked second,1234 done first|1234 asked first"},
		"of somebody else":                   {all, "who=nobody", ""},
		"since a time to come":               {all, "since=2999-01-01T00:00:00Z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var pages []string
			for cursor := ""; ; {
				var page store.AuditLogPage
				r.call(c.key, http.MethodGet, "/v1/journal?"+c.query+cursor, nil).is(http.StatusOK, &page)
				var entries []string
				for _, e := range page.Entries {
					entries = append(entries, e.Customer+" "+string(e.Outcome)+" "+strings.TrimSpace(e.Why))
				}
				if len(entries) > 0 || len(pages) == 0 {
					pages = append(pages, strings.Join(entries, ","))
				}
				if page.Next == "" {
					break
				}
				cursor = "&cursor=" + page.Next
			}
			if got := strings.Join(pages, "|"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("a key sees no other customers'", func(t *testing.T) {
		r.call(one, http.MethodGet, "/v1/journal?customer=77", nil).problem(CodeCustomerUnknown)
	})
	t.Run("it needs the scope admin", func(t *testing.T) {
		r.call(r.key(ScopeOperate), http.MethodGet, "/v1/journal", nil).problem(CodeScopeMissing)
	})
	t.Run("an invalid cursor is refused", func(t *testing.T) {
		r.call(all, http.MethodGet, "/v1/journal?cursor=nope", nil).problem(CodeInvalid)
	})
}
