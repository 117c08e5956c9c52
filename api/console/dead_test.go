package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

const deadLetters = "/customers/1234/dead-letters"

// makeDeadLetters makes dead letters: five for a job that does not exist, three for a refused
// email, and one of another customer.
func (w ward) makeDeadLetters() (jobless store.BatchID, ids []string) {
	w.t.Helper()
	jobless, refs := w.accept("1234", 999, "c-100", "c-101", "c-102", "c-103", "c-104")
	w.makeDead("job_not_found", testrig.NoJob, refs...)
	_, more := w.accept("1234", 1709, "c-200", "c-201", "c-202")
	w.makeDead("icims_field_refused", testrig.RefusedEmail, more...)
	_, other := w.accept("77", 0, "c-900")
	w.makeDead("job_not_found", testrig.NoJob, other...)
	w.beat()
	for _, ref := range append(refs, more...) {
		ids = append(ids, ref.Export)
	}
	return jobless, ids
}

func (w ward) deadLeft(customer string) int64 {
	w.t.Helper()
	n, err := w.ledger.DeadLetters.Count(w.t.Context(), customer)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// personal must not be on any page.
var personal = []string{"Ottoline", "ottoline", "Quillfeather", "@example.com", "not welcome"}

func TestDeadLettersAreGroupedByReason(t *testing.T) {
	w := newWard(t)
	p := w.person(api.ScopeOperate)
	w.accept(mine, 7)
	p.get(deadLetters).wants(t, http.StatusOK, "No dead letters.")
	jobless, ids := w.makeDeadLetters()
	got := p.get(deadLetters)
	got.wants(t, http.StatusOK, "<strong>8 exports</strong> failed, for 2 reasons", "The job does not exist or cannot be seen", "iCIMS refuses the value of a field",
		"Check the job&#39;s system id", "The job is read once before the first profile of a batch is created", "Retry 5…", "Discard 3…", "Retry all 8 (any reason)…",
		"c-100", "404 (create the workflow)", "400, code 4 on email (create the person)", "/connections/1234", deadLetters+"/"+ids[0])
	got.lacks(t, append(personal, "c-900", "Exports of this customer are waiting")...)
	if strings.Count(got.text, "A retry alone fails again") != 1 || strings.Count(got.text, `<button name="act" value="retry" class="primary">`) != 1 || strings.Count(got.text, `<button name="act" value="transfer" class="primary">Move to another job…`) != 1 {
		t.Error("it is not said, for the job alone, that a retry does not help and what does")
	}
	p.get(deadLetters+"/"+ids[0]).wants(t, http.StatusOK, "A retry alone fails again", "Move to another job…", "Reason (optional)")
	p.get(deadLetters+"/"+ids[len(ids)-1]).lacks(t, "A retry alone fails again", "Move to another job…")
	if strings.Index(got.text, "reason-job_not_found") > strings.Index(got.text, "reason-icims_field_refused") {
		t.Error("the most frequent reason does not come first")
	}
	for name, c := range map[string]struct {
		query        string
		wants, lacks []string
	}{
		"by reason":    {"?reason=icims_field_refused", []string{"c-200", "3 of 8", "remove this filter"}, []string{"c-100", "The job does not exist"}},
		"by batch":     {"?batch=" + string(jobless), []string{"c-100", "5 of 8"}, []string{"c-200"}},
		"by candidate": {"?candidate=+c-201+", []string{"c-201", "1 of 8"}, []string{"c-200"}},
		"to nobody":    {"?candidate=nobody", []string{"No matching dead letters", "Show all 8"}, []string{"c-200"}},
	} {
		t.Run("and filtered "+name, func(t *testing.T) {
			got := p.get(deadLetters + c.query)
			got.wants(t, http.StatusOK, c.wants...)
			got.lacks(t, c.lacks...)
		})
	}
	t.Run("an invalid filter is shown again with its problem", func(t *testing.T) {
		got := p.get(deadLetters + "?batch=" + url.QueryEscape(markup))
		got.wants(t, http.StatusUnprocessableEntity, "is not a batch ID of this customer", `aria-invalid="true"`, "&lt;b&gt;it")
		got.lacks(t, "<b>it</b>", "No matching dead letters", "No dead letters.")
	})
	t.Run("readers see no actions", func(t *testing.T) {
		got := w.person(api.ScopeRead).get(deadLetters)
		got.wants(t, http.StatusOK, "<strong>8 exports</strong>", "c-100")
		got.lacks(t, "/review", "Retry", "Discard", "checkbox")
	})
	t.Run("blocked retries are reported immediately", func(t *testing.T) {
		w.pause("1234", markup)
		got := p.get(deadLetters)
		got.wants(t, http.StatusOK, "are waiting, and retries will wait, too: paused by ana until resumed: &lt;script&gt;")
		got.lacks(t, "<b>it</b>")
	})
}

func TestCustomerChooserShowsDeadLetters(t *testing.T) {
	w := newWard(t)
	p := w.person(api.ScopeRead)
	p.get("/dead-letters").wants(t, http.StatusOK, "No dead letters.")
	w.makeDeadLetters()
	w.connect("5")
	got := p.get("/dead-letters")
	got.wants(t, http.StatusOK, "<h2>9 dead letters</h2>", `<span class="tally">8</span> 1234</a>`, `href="/customers/77/dead-letters"`)
	got.lacks(t, `href="/customers/5/`)
	p.get(deadLetters).wants(t, http.StatusOK, `href="/dead-letters?choose=1"`)
	got = w.person(api.ScopeRead, "77", "5").get("/dead-letters")
	got.wants(t, http.StatusOK, "<h2>1 dead letter</h2>", `<span class="tally">1</span> 77</a>`)
	got.lacks(t, "1234</a>")
	w.person(api.ScopeRead, "77").get("/customers/77/dead-letters").lacks(t, "choose=1")
	p.get("/batches?choose=1").lacks(t, "dead letters</h2>", "tally")
}

func TestDeadLettersHavePages(t *testing.T) {
	w := newWard(t)
	_, refs := w.accept("1234", 999, testrig.Numbered(0, shownDead+3)...)
	w.makeDead("job_not_found", testrig.NoJob, refs...)
	p, seen := w.person(api.ScopeOperate), map[string]bool{}
	path := deadLetters + "?reason=job_not_found"
	for pages := 1; ; pages++ {
		got := p.get(path)
		got.wants(t, http.StatusOK, fmt.Sprintf("Retry %d…", shownDead+3))
		for _, part := range strings.Split(got.text, `name="export" value="`)[1:] {
			id, _, _ := strings.Cut(part, `"`)
			seen[id] = true
		}
		_, more, ok := strings.Cut(got.text, `<p class="more"><a class="button" href="`)
		if !ok {
			if pages != 2 || len(seen) != shownDead+3 {
				t.Fatalf("%d letters on %d pages", len(seen), pages)
			}
			return
		}
		path, _, _ = strings.Cut(more, `"`)
		path = strings.ReplaceAll(path, "&amp;", "&")
	}
}

func TestDeadLetterPage(t *testing.T) {
	w := newWard(t)
	jobless, ids := w.makeDeadLetters()
	p := w.person(api.ScopeOperate)
	got := p.get(deadLetters + "/" + ids[0])
	got.wants(t, http.StatusOK, "The job does not exist or cannot be seen.", "Next step:", "Check the job&#39;s system id", "job 999", string(jobless), "after 1 attempt", "T-18", "so the export failed",
		"404 (create the workflow)", `href="/customers/1234/candidates?id=c-100"`, ">Retry</button>", "Discard…")
	got.lacks(t, personal...)
	w.person(api.ScopeRead).get(deadLetters+"/"+ids[0]).lacks(t, "<form method=\"post\" action=\"/customers", ">Retry</button>")
	for _, which := range []string{"none", url.PathEscape(markup), "%2e%2e", ids[0] + "%2f.."} {
		got := p.get(deadLetters + "/" + which)
		got.lacks(t, "<b>it</b>", "unexpected fault")
		if got.StatusCode != http.StatusNotFound && got.StatusCode/100 != 3 {
			t.Errorf("%s: %d", which, got.StatusCode)
		}
	}
	t.Run("one is retried, and its candidate's story follows", func(t *testing.T) {
		got := p.post(deadLetters+"/retry", url.Values{"export": {ids[0]}, "of": {"c-100"}, "why": {" "}})
		got.wants(t, http.StatusUnprocessableEntity, "why-wrong", "<strong>1 dead letter</strong> will be retried", `name="export" value="`+ids[0])
		got = p.post(deadLetters+"/retry", url.Values{"export": {ids[0]}, "of": {"c-100"}, "why": {markup}})
		if got.StatusCode != http.StatusSeeOther || got.to() != "/customers/1234/candidates?id=c-100&did=retried" {
			t.Fatalf("%d to %q", got.StatusCode, got.to())
		}
		got = p.get(got.to())
		got.wants(t, http.StatusOK, "Retried with a fresh retry budget", "Waiting for a worker", "test operate retried it: “&lt;script&gt;", `hx-trigger="every 3s`)
		got.lacks(t, append(personal, "<b>it</b>")...)
		p.get(deadLetters+"/"+ids[0]).wants(t, http.StatusNotFound, "Dead letter not found", deadLetters)
		// Repeating the action does nothing, and says so.
		p.post(deadLetters+"/review", url.Values{"act": {"retry"}, "export": {ids[0]}}).wants(t, http.StatusOK, "already handled")
	})
}

func TestDeadLetterActionsAreReviewed(t *testing.T) {
	w := newWard(t)
	_, ids := w.makeDeadLetters()
	p := w.person(api.ScopeOperate)
	review := func(form url.Values) shown { return p.post(deadLetters+"/review", form) }
	got := review(url.Values{"act": {"discard"}, "reason": {"job_not_found"}})
	got.wants(t, http.StatusOK, "<strong>5 dead letters</strong> will be discarded", "cannot be undone", "c-100", `name="reason" value="job_not_found"`, `action="`+deadLetters+`/discard"`)
	got.lacks(t, append(personal, "c-200")...)
	review(url.Values{"act": {"retry"}, "export": {ids[0], ids[5]}}).wants(t, http.StatusOK, "<strong>2 dead letters</strong>", "Existing people are not created again", `value="`+ids[5])
	review(url.Values{"act": {"retry"}, "all": {"1"}}).wants(t, http.StatusOK, "<strong>8 dead letters</strong>", `name="all" value="1"`)
	review(url.Values{"act": {"retry"}, "in-reason": {"job_not_found"}}).wants(t, http.StatusUnprocessableEntity, "Nothing selected", "c-100", "5 of 8")
	review(url.Values{"act": {"eat"}, "all": {"1"}}).wants(t, http.StatusBadRequest, "Nothing was changed")
	review(url.Values{"act": {"retry"}, "reason": {markup}}).wants(t, http.StatusUnprocessableEntity, "is not a known reason")
	t.Run("without a why, or a choice, nothing is done", func(t *testing.T) {
		got := p.post(deadLetters+"/discard", url.Values{"reason": {"job_not_found"}})
		got.wants(t, http.StatusUnprocessableEntity, `aria-invalid="true"`, "why-wrong", "<strong>5 dead letters</strong>", `name="reason" value="job_not_found"`)
		p.post(deadLetters+"/discard", url.Values{"why": {"x"}}).wants(t, http.StatusUnprocessableEntity, "Select dead letters with filter, exports or all")
	})
	t.Run("without the scope neither", func(t *testing.T) {
		reader := w.person(api.ScopeRead)
		for _, path := range []string{"/review", "/retry", "/discard"} {
			form := url.Values{"act": {"retry"}, "all": {"1"}, "why": {"x"}}
			reader.post(deadLetters+path, form).wants(t, http.StatusForbidden, "lacks a scope")
			w.person(api.ScopeOperate, "77").post(deadLetters+path, form).wants(t, http.StatusNotFound)
		}
	})
	if n := w.deadLeft("1234"); n != 8 {
		t.Fatalf("%d of 8 are left", n)
	}
}

// A page that was open for a while acts only on the letters that it showed.
func TestLettersThatFailAfterTheReviewAreSkipped(t *testing.T) {
	for name, c := range map[string]struct {
		act  string
		form url.Values
		left int64
	}{
		"discarded by reason": {"discard", url.Values{"reason": {"job_not_found"}}, 3 + 2},
		"retried by reason":   {"retry", url.Values{"reason": {"job_not_found"}}, 3 + 2},
		"discarded all":       {"discard", url.Values{"all": {"1"}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			w.makeDeadLetters()
			p := w.person(api.ScopeOperate)
			c.form.Set("act", c.act)
			form := fields(p.post(deadLetters+"/review", c.form).text)
			w.tick()
			_, later := w.accept("1234", 999, "c-300", "c-301")
			w.makeDead("job_not_found", testrig.NoJob, later...)
			form.Set("why", "DSR-17")
			got := p.post(deadLetters+"/"+c.act, form)
			if n := w.deadLeft("1234"); got.StatusCode != http.StatusSeeOther || n != c.left {
				t.Errorf("%d, and %d of 10 are left: %s", got.StatusCode, n, got.text)
			}
			for _, ref := range later {
				p.get(deadLetters+"/"+ref.Export).wants(t, http.StatusOK, "Actions")
			}
		})
	}
}

// tick waits for the next millisecond of the ledger's clock.
func (w ward) tick() {
	w.t.Helper()
	now := func() int64 {
		at, err := w.ledger.Now(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		return at.UnixMilli()
	}
	for began := now(); now() == began; {
	}
}

func TestDeadLettersAreRetriedAndDiscarded(t *testing.T) {
	w := newWard(t)
	_, ids := w.makeDeadLetters()
	p := w.person(api.ScopeOperate)
	got := p.post(deadLetters+"/discard", url.Values{"export": {ids[5], "none"}, "why": {"a bad address"}})
	if got.StatusCode != http.StatusSeeOther || w.deadLeft("1234") != 7 {
		t.Fatalf("%d: %s", got.StatusCode, got.text)
	}
	p.get(got.to()).wants(t, http.StatusOK, "1 dead letter discarded, candidate data deleted.")
	if _, err := w.ledger.DeadLetters.Payload(t.Context(), store.Ref{Customer: "1234", Export: ids[5]}); err == nil {
		t.Error("the data is kept")
	}
	w.now.Pass(time.Minute) // since they failed
	got = p.post(deadLetters+"/retry", url.Values{"reason": {"job_not_found"}, "why": {"reopened"}})
	if got.StatusCode != http.StatusSeeOther || w.deadLeft("1234") != 2 || w.deadLeft("77") != 1 {
		t.Fatalf("%d: %s", got.StatusCode, got.text)
	}
	back := got.to()
	got = p.get(back)
	got.wants(t, http.StatusOK, "5 dead letters retried.", "5 exports of the customer in progress; none failed again.", `hx-trigger="every 3s`, "Refresh</a>")
	part := p.get(back, "HX-Request", "true")
	part.wants(t, http.StatusOK, "5 exports of the customer in progress")
	part.wants(t, http.StatusOK, "<strong>2 exports</strong> failed", `id="dead-`+ids[6])
	part.lacks(t, "<html", `id="dead-now"`)
	for name, address := range map[string]string{"with an act that is none": "?act=eat&n=5", "with words": "?act=retry&n=" + url.QueryEscape(markup) + "&at=x", "that overflows": "?act=retry&n=1&at=9223372036854775807"} {
		t.Run("an address "+name+" puts nothing on the page", func(t *testing.T) {
			p.get(deadLetters+address).lacks(t, "5 dead letters set", "<b>it</b>", "unexpected fault")
		})
	}
}

func TestRetriedExportsAreFollowed(t *testing.T) {
	for name, c := range map[string]struct {
		r    deadResult
		want string
	}{
		"while it moves":                {deadResult{Done: 5, Moving: 3}, "3 exports of the customer in progress; none failed again."},
		"while it moves and some fail":  {deadResult{Done: 5, Moving: 3, Again: 2}, "in progress; 2 failed again."},
		"while something keeps it":      {deadResult{Done: 5, Moving: 3, Hold: "paused by ana"}, "Waiting: paused by ana."},
		"when it worked":                {deadResult{Done: 5}, "Done. No exports failed again."},
		"when one came back":            {deadResult{Done: 5, Again: 1}, "1 export failed again: the cause is not fixed."},
		"when there was nothing to do":  {deadResult{}, "Nothing to do: the dead letters were already handled."},
		"when others were there before": {deadResult{Done: 5, Passed: 2}, "2 already handled."},
	} {
		t.Run(name, func(t *testing.T) {
			c.r.Act, c.r.At = "retry", time.Now()
			var b strings.Builder
			pages, err := parsePages()
			if err == nil {
				err = pages["dead-letters"].ExecuteTemplate(&b, "dead-result", c.r)
			}
			if err != nil || !strings.Contains(b.String(), c.want) {
				t.Errorf("%v in %s", err, b.String())
			}
			if polls := strings.Contains(b.String(), "hx-trigger"); polls != (c.r.Moving > 0) {
				t.Errorf("it refreshes itself: %t", polls)
			}
		})
	}
}
