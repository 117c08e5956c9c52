package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

const deadPath = "/v1/customers/1234/dead-letters"

// makeDeadLetters makes dead letters, seconds apart: five for a job that does not exist, three for a
// refused email, and one of another customer.
func (r *rig) makeDeadLetters() (jobless, refused store.BatchID, ids []string) {
	r.t.Helper()
	jobless, ids = r.acceptCandidates("1234", 999, 0, 5)
	r.makeDead("1234", "job_not_found", testrig.NoJob, ids...)
	refused, more := r.acceptCandidates("1234", 1709, 5, 3)
	r.makeDead("1234", "icims_field_refused", testrig.RefusedEmail, more...)
	_, other := r.acceptCandidates("77", 0, 0, 1)
	r.makeDead("77", "job_not_found", testrig.NoJob, other...)
	ids = append(ids, more...)
	for i, id := range ids {
		died := time.Now().Add(time.Duration(i-len(ids)) * time.Second)
		if err := r.redis.ZAdd(r.t.Context(), "ix:{1234}:dead", redis.Z{Score: float64(died.UnixMilli()), Member: id}).Err(); err != nil {
			r.t.Fatal(err)
		}
	}
	return jobless, refused, ids
}

func TestDeadLettersAreListedOverTheAPI(t *testing.T) {
	r := newRig(t)
	_, refused, ids := r.makeDeadLetters()
	reader := r.key(ScopeRead, "1234")
	for name, c := range map[string]struct {
		query string
		want  []string // candidates of each page
	}{
		"all, the oldest first":       {"", []string{"0,1,2,3,4,5,6,7"}},
		"page by page":                {"limit=3", []string{"0,1,2", "3,4,5", "6,7"}},
		"pages that fill up":          {"limit=4", []string{"0,1,2,3", "4,5,6,7"}},
		"of a batch":                  {"batch=" + string(refused), []string{"5,6,7"}},
		"of a reason, in pages":       {"limit=2&reason=job_not_found", []string{"0,1", "2,3", "4"}},
		"by what iCIMS said":          {"text=code+4&limit=2", []string{"5,6", "7"}},
		"of a candidate":              {"candidate=c-00006", []string{"6"}},
		"of nobody":                   {"candidate=c-99999", []string{""}},
		"since a time to come":        {"since=" + url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339)), []string{""}},
		"since a time before, in UTC": {"since=2020-01-01T00:00:00Z", []string{"0,1,2,3,4,5,6,7"}},
	} {
		t.Run(name, func(t *testing.T) {
			var pages []string
			for cursor := ""; ; {
				var page DeadLetters
				response := r.call(reader, http.MethodGet, deadPath+"?"+c.query+cursor, nil)
				response.is(http.StatusOK, &page)
				if page.Total != 8 || strings.Contains(string(response.body), "not welcome") {
					t.Errorf("got %s", response.body)
				}
				var numbers []string
				for _, d := range page.DeadLetters {
					numbers = append(numbers, strings.TrimPrefix(d.Candidate, "c-0000"))
				}
				pages = append(pages, strings.Join(numbers, ","))
				if page.Next == "" {
					break
				}
				cursor = "&cursor=" + page.Next
			}
			if strings.Join(pages, "|") != strings.Join(c.want, "|") {
				t.Errorf("got %q, want %q", pages, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		query string
		want  string
	}{
		"all, whatever the page": {"count=true&limit=2", "job_not_found 5,icims_field_refused 3"},
		"of a reason":            {"count=true&reason=icims_field_refused", "icims_field_refused 3"},
		"by what iCIMS said":     {"count=true&text=code+4", "icims_field_refused 3"},
		"of a candidate":         {"count=true&candidate=c-00006", "icims_field_refused 1"},
		"of nobody":              {"count=true&candidate=c-99999", ""},
		"only when asked":        {"", ""},
	} {
		t.Run("they are counted by reason: "+name, func(t *testing.T) {
			var page DeadLetters
			r.call(reader, http.MethodGet, deadPath+"?"+c.query, nil).is(http.StatusOK, &page)
			var got []string
			for _, n := range page.ByReason {
				got = append(got, fmt.Sprintf("%s %d", n.Reason, n.Count))
				if n.Title == "" || n.Hint == "" || n.Count > 1 && !n.Latest.After(n.Oldest) || n.Latest.Before(n.Oldest) {
					t.Errorf("got %+v", n)
				}
			}
			if strings.Join(got, ",") != c.want || page.Uncounted {
				t.Errorf("got %+v, want %q", page.ByReason, c.want)
			}
		})
	}
	t.Run("no more are counted than were asked for", func(t *testing.T) {
		for _, text := range []string{"", "create"} { // with and without reading timelines
			counted, more, err := r.Admin.DeadLetters.Tally(t.Context(), "1234", admin.DeadChoice{Text: text}, 4)
			n := 0
			for _, c := range counted {
				n += c.Count
			}
			if err != nil || n != 4 || !more {
				t.Errorf("%q: %+v, %t, %v", text, counted, more, err)
			}
		}
	})
	t.Run("one is explained without personal data", func(t *testing.T) {
		var d admin.ExplainedDead
		response := r.call(reader, http.MethodGet, deadPath+"/"+ids[5], nil)
		response.is(http.StatusOK, &d)
		if d.Candidate != "c-00005" || d.Status != 400 || d.Transaction != "T-17" || d.Job != 1709 || d.Hint == "" || len(d.Sentences) != 1 || d.Data != nil || !strings.Contains(d.Sentences[0], "UTC") {
			t.Errorf("got %s", response.body)
		}
		for _, personal := range []string{"Quillfeather", "Ottoline", "ottoline", "not welcome"} {
			if strings.Contains(string(response.body), personal) {
				t.Errorf("%q is told", personal)
			}
		}
	})
	others, err := r.Admin.DeadLetters.Find(t.Context(), "77", "c-00000")
	if err != nil || len(others) != 1 {
		t.Fatalf("%+v, %v", others, err)
	}
	for name, path := range map[string]string{"unknown": "/nothing", "another customer's": "/" + others[0].Export} {
		t.Run("one that is "+name, func(t *testing.T) {
			r.call(reader, http.MethodGet, deadPath+path, nil).problem(CodeNotDead)
		})
	}
	for name, c := range map[string]struct{ query, field string }{
		"a reason that is none":       {"reason=nope", "query.reason"},
		"a batch that is none":        {"batch=nope", "query.batch"},
		"a batch of another customer": {"batch=77-abcdefgh", "query.batch"},
		"a cursor that is none":       {"cursor=nope", "query.cursor"},
		"a limit beyond the most":     {"limit=501", "query.limit"},
		"a time that is none":         {"since=yesterday", "query.since"},
	} {
		t.Run(name, func(t *testing.T) {
			if p := r.call(reader, http.MethodGet, deadPath+"?"+c.query, nil).problem(CodeInvalid); len(p.Errors) != 1 || p.Errors[0].Field != c.field || p.Errors[0].Remedy == "" {
				t.Errorf("got %+v", p.Errors)
			}
		})
	}
}

func TestCustomersWithDeadLettersOverTheAPI(t *testing.T) {
	r := newRig(t)
	r.makeDeadLetters()
	r.acceptCandidates("5", 0, 0, 1) // has no dead letters
	for name, c := range map[string]struct {
		key, query string
		want       DeadCustomers
	}{
		"all, the most first":           {r.key(ScopeRead), "", DeadCustomers{[]admin.DeadCustomer{{Customer: "1234", Count: 8}, {Customer: "77", Count: 1}}, 9, 0}},
		"as many as were asked for":     {r.key(ScopeRead), "?limit=1", DeadCustomers{[]admin.DeadCustomer{{Customer: "1234", Count: 8}}, 9, 1}},
		"of the key's customers":        {r.key(ScopeRead, "77", "5"), "", DeadCustomers{[]admin.DeadCustomer{{Customer: "77", Count: 1}}, 1, 0}},
		"of a key whose ones have none": {r.key(ScopeRead, "5"), "", DeadCustomers{[]admin.DeadCustomer{}, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var got DeadCustomers
			r.call(c.key, http.MethodGet, "/v1/dead-letters"+c.query, nil).is(http.StatusOK, &got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDeadLettersAreRetriedAndDiscardedOverTheAPI(t *testing.T) {
	r := newRig(t)
	_, refused, ids := r.makeDeadLetters()
	operator := r.key(ScopeOperate, "1234")
	act := func(path string, body map[string]any) *reply {
		t.Helper()
		return r.call(operator, http.MethodPost, deadPath+path, body)
	}
	left := func() int64 {
		t.Helper()
		n, err := r.Ledger.DeadLetters.Count(t.Context(), "1234")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for name, c := range map[string]struct {
		body  map[string]any
		field string
	}{
		"a why is needed":                   {map[string]any{"exports": ids}, "why"},
		"one of blanks is none":             {map[string]any{"exports": ids, "why": " "}, "why"},
		"nothing is everything by omission": {map[string]any{"why": "x"}, "filter"},
		"an empty filter neither":           {map[string]any{"why": "x", "filter": map[string]any{}}, "filter"},
		"an unknown reason":                 {map[string]any{"why": "x", "filter": map[string]any{"reason": "nope"}}, "filter.reason"},
		"a limit beyond the most":           {map[string]any{"why": "x", "all": true, "limit": 10_001}, "limit"},
		"a misspelt condition":              {map[string]any{"why": "x", "filter": map[string]any{"reson": "nope"}}, "filter"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/retry", "/discard"} {
				if p := act(path, c.body).problem(CodeInvalid); len(p.Errors) != 1 || p.Errors[0].Field != c.field {
					t.Errorf("%s: %+v", path, p.Errors)
				}
			}
		})
	}
	if n := left(); n != 8 {
		t.Fatalf("refused requests left %d of 8", n)
	}
	before := len(r.journalOf("1234"))
	t.Run("a dry run counts and shows some, and changes nothing", func(t *testing.T) {
		var got DeadLettersChanged
		act("/discard", map[string]any{"all": true, "dry_run": true}).is(http.StatusOK, &got)
		if !got.DryRun || got.Chosen != 8 || len(got.ByReason) != 2 || got.ByReason[0].Count != 5 || len(got.Sample) != sampledDead || got.More {
			t.Errorf("got %+v", got)
		}
		if n := len(r.journalOf("1234")); left() != 8 || n != before {
			t.Errorf("%d left, %d entries in the journal", left(), n-before)
		}
	})
	t.Run("not those that failed after the dry run", func(t *testing.T) {
		var counted, got DeadLettersChanged
		act("/retry", map[string]any{"all": true, "dry_run": true}).is(http.StatusOK, &counted)
		bound := map[string]any{"filter": map[string]any{"until": counted.AsOf}, "dry_run": true}
		if act("/retry", bound).is(http.StatusOK, &got); got.Chosen != 8 {
			t.Errorf("%d of 8 are chosen with its time", got.Chosen)
		}
		bound["filter"] = map[string]any{"until": counted.AsOf.Add(-time.Hour)}
		if act("/retry", bound).is(http.StatusOK, &got); got.Chosen != 0 {
			t.Errorf("%d are chosen with a time before they died", got.Chosen)
		}
		bound["filter"] = map[string]any{"until": counted.AsOf.Add(time.Hour)}
		if act("/retry", bound).is(http.StatusOK, &got); got.Chosen != 8 || got.AsOf.After(counted.AsOf.Add(time.Minute)) {
			t.Errorf("a time to come chooses %d as of %s", got.Chosen, got.AsOf)
		}
	})
	t.Run("one by its export", func(t *testing.T) {
		var got DeadLettersChanged
		act("/retry", map[string]any{"exports": []string{ids[0], "none"}, "why": "the job is open again"}).is(http.StatusOK, &got)
		if got.Chosen != 1 || got.Done != 1 || left() != 7 {
			t.Errorf("got %+v", got)
		}
		states, err := tasks.ReadQueueStates(t.Context(), r.redis, "1234")
		if err != nil || states[0].Total().Pending != 1 {
			t.Errorf("it has no task: %+v, %v", states, err)
		}
		story, err := r.Ledger.Timeline(t.Context(), store.Ref{Customer: "1234", Export: ids[0]})
		if err != nil || story[len(story)-1].Who != "test operate" || story[len(story)-1].Why != "the job is open again" {
			t.Errorf("its story: %+v, %v", story, err)
		}
	})
	t.Run("some by a filter, up to the limit", func(t *testing.T) {
		var got DeadLettersChanged
		act("/retry", map[string]any{"filter": map[string]any{"reason": "job_not_found"}, "limit": 3, "why": "reopened"}).is(http.StatusOK, &got)
		if got.Done != 3 || !got.More || left() != 4 {
			t.Errorf("got %+v", got)
		}
		got = DeadLettersChanged{}
		act("/retry", map[string]any{"filter": map[string]any{"reason": "job_not_found"}, "limit": 3, "why": "reopened"}).is(http.StatusOK, &got)
		if got.Done != 1 || got.More || left() != 3 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("the rest is discarded with its data", func(t *testing.T) {
		var got DeadLettersChanged
		act("/discard", map[string]any{"filter": map[string]any{"batch": refused, "text": "people.create"}, "why": "bad addresses"}).is(http.StatusOK, &got)
		if got.Done != 3 || left() != 0 {
			t.Errorf("got %+v", got)
		}
		if _, err := r.Ledger.DeadLetters.Payload(t.Context(), store.Ref{Customer: "1234", Export: ids[5]}); err == nil {
			t.Error("the data is still kept")
		}
	})
	t.Run("each is in the journal, before and after", func(t *testing.T) {
		entries := r.journalOf("1234")[before:]
		if len(entries) != 8 {
			t.Fatalf("got %+v", entries)
		}
		for i, e := range entries {
			outcome := []store.AuditLogOutcome{store.JournalAsked, store.JournalDone}[i%2]
			if e.Outcome != outcome || e.Who != "test operate" || e.Why == "" || e.Customer != "1234" {
				t.Errorf("entry %d: %+v", i, e)
			}
		}
	})
	if n, err := r.Ledger.DeadLetters.Count(t.Context(), "77"); err != nil || n != 1 {
		t.Errorf("another customer has %d dead letters, %v", n, err)
	}
}
