package console

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

func TestTransferDeadLetters(t *testing.T) {
	w := newWard(t)
	w.connected()
	w.listed(someJobs...)
	jobless, ids := w.makeDeadLetters()
	p := w.person(api.ScopeOperate)

	ask := p.post(deadLetters+"/review", url.Values{"act": {"transfer"}, "reason": {"job_not_found"}})
	ask.wants(t, http.StatusOK, "Move candidates to another job?", "<strong>5 candidates</strong> will move to the job you choose.", "Existing people are not created again",
		`value="1709"`, "Data Engineer", "Or enter a job number", `action="`+deadLetters+`/transfer"`, "Move 5 candidates")
	ask.lacks(t, append(personal, "c-200", "is chosen")...)
	form := fields(ask.text)
	for name, c := range map[string]struct {
		change url.Values
		want   []string
	}{
		"without a job":          {url.Values{"why": {"the wrong number"}}, []string{"Missing. Choose a job", `value="the wrong number"`}},
		"to what is no number":   {url.Values{"job_number": {markup}, "why": {"x"}}, []string{"Not a job number"}},
		"without a why":          {url.Values{"job": {"1709"}}, []string{"why-wrong", `value="1709" checked`}},
		"without either of both": {url.Values{}, []string{"Missing. Choose a job"}},
	} {
		t.Run("not "+name, func(t *testing.T) {
			sent := maps.Clone(form)
			sent.Del("why")
			maps.Copy(sent, c.change)
			got := p.post(deadLetters+"/transfer", sent)
			got.wants(t, http.StatusUnprocessableEntity, append(c.want, `aria-invalid="true"`, "<strong>5 candidates</strong>", `name="reason" value="job_not_found"`)...)
			got.lacks(t, "<b>it</b>")
		})
	}
	w.person(api.ScopeRead).post(deadLetters+"/transfer", url.Values{"all": {"1"}, "job": {"1709"}, "why": {"x"}}).wants(t, http.StatusForbidden, "lacks a scope")
	w.person(api.ScopeOperate, "77").post(deadLetters+"/transfer", url.Values{"all": {"1"}, "job": {"1709"}, "why": {"x"}}).wants(t, http.StatusNotFound)
	if n := w.deadLeft(mine); n != 8 {
		t.Fatalf("%d of 8 are left", n)
	}

	form.Set("job", "1709")
	form.Set("why", "the wrong number")
	got := p.post(deadLetters+"/transfer", form)
	if got.StatusCode != http.StatusSeeOther || !strings.HasSuffix(got.to(), "?did="+saidTransferred) || w.deadLeft(mine) != 3 {
		t.Fatalf("%d to %q, %d are left: %s", got.StatusCode, got.to(), w.deadLeft(mine), got.text)
	}
	p.get(got.to()).wants(t, http.StatusOK, "Export to job 1709 “Data Engineer”", "Candidates moved.", "0 of 5 candidates done")
	p.get("/customers/1234/batches/"+string(jobless)).wants(t, http.StatusOK, "Canceled. 5 canceled.", "An operator sent the candidate to another job (5)")
	p.get("/customers/1234/candidates?id=c-100").wants(t, http.StatusOK, "as a new export", "test operate moved the candidate to another job: “the wrong number”", "to job 1709 “Data Engineer”", "to job 999</h3>")

	t.Run("unchanged ones are reported", func(t *testing.T) {
		_, ref := w.accept(mine, 42, "c-300")
		w.makeDead(store.ReasonJobNotFound, store.Called{Op: "workflows.create", Status: 404}, ref...)
		got := p.post(deadLetters+"/transfer", url.Values{"export": {ids[5], ref[0].Export}, "job_number": {"42"}, "why": {"x"}})
		if got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.to(), deadLetters+"?act=transfer&") {
			t.Fatalf("%d to %q", got.StatusCode, got.to())
		}
		p.get(got.to()).wants(t, http.StatusOK, "1 candidate moved to another job", "1 dead letter not moved: already going to that job", "New batch: <a", batchPage(mine, w.latest(mine)))
	})
	t.Run("it reports that none were changed", func(t *testing.T) {
		got := p.post(deadLetters+"/transfer", url.Values{"reason": {"icims_field_refused"}, "job": {"1709"}, "why": {"x"}})
		shown := p.get(got.to())
		shown.wants(t, http.StatusOK, "No candidates were moved.", "2 dead letters not moved: already going to that job")
		shown.lacks(t, "Nothing to do", "already handled.</strong>")
	})
	t.Run("an address that tells of it follows nothing", func(t *testing.T) {
		for _, n := range []int{0, 3} {
			p.get(deadLetters+fmt.Sprintf("?act=transfer&n=%d", n)).lacks(t, "hx-trigger", "unexpected fault")
		}
	})
}

// latest returns the customer's newest batch.
func (w ward) latest(customer string) string {
	w.t.Helper()
	ids, err := w.ledger.Batches.AllOpen(w.t.Context(), customer)
	if err != nil || len(ids) == 0 {
		w.t.Fatalf("%d batches, %v", len(ids), err)
	}
	return string(ids[0].ID)
}

func TestTransferWarnsAboutUnlistedJob(t *testing.T) {
	w := newWard(t)
	w.connected()
	w.listed(someJobs...)
	_, ids := w.makeDeadLetters()
	p := w.person(api.ScopeOperate)
	const first = "Nothing has been moved yet. Choose another job, or submit again"
	order := func(job, warned string, exports ...string) url.Values {
		return url.Values{"export": exports, "job_number": {job}, "warned": {warned}, "why": {"the wrong number"}}
	}

	asked := p.post(deadLetters+"/transfer", order("1710", "", ids[0]))
	asked.wants(t, http.StatusOK, first, "Job 1710 is not on the portals of customer 1234", `name="warned" value="1710"`, `value="1710" checked`, `value="the wrong number"`, "<strong>1 candidate</strong>")
	p.post(deadLetters+"/transfer", order("1711", "1710", ids[0])).wants(t, http.StatusOK, first, "Job 1711 is not on", `name="warned" value="1711"`)
	whyless := order("1710", "", ids[0])
	whyless.Del("why")
	got := p.post(deadLetters+"/transfer", whyless)
	got.wants(t, http.StatusUnprocessableEntity, "why-wrong", "Job 1710 is not on", `name="warned" value="1710"`)
	got.lacks(t, first)
	if n := w.deadLeft(mine); n != 8 {
		t.Fatalf("%d of 8 are left", n)
	}

	got = p.post(deadLetters+"/transfer", fields(asked.text))
	if to := batchPage(mine, w.latest(mine)) + "?did=" + saidSentUnlisted; got.StatusCode != http.StatusSeeOther || got.to() != to {
		t.Fatalf("%d to %q, want %q: %s", got.StatusCode, got.to(), to, got.text)
	}
	p.get(got.to()).wants(t, http.StatusOK, "Export to job 1710", "The job was not found on the customer&#39;s portals")
	_, there := w.accept(mine, 1710, "c-300")
	w.makeDead(store.ReasonJobNotFound, testrig.NoJob, there...)
	got = p.post(deadLetters+"/transfer", order("1710", "1710", ids[1], there[0].Export))
	p.get(got.to()).wants(t, http.StatusOK, "1 candidate moved to another job", "New batch: <a", batchPage(mine, w.latest(mine)), "Job 1710 was not found on the customer's portals")
	got = p.post(deadLetters+"/transfer", order("1709", "", ids[2]))
	p.get(got.to()).lacks(t, "was not found on the customer")
}

func TestTransferLinksToItsBatches(t *testing.T) {
	w := newWard(t)
	w.connected()
	w.listed(someJobs...)
	_, plain := w.accept(mine, 999, "c-1")
	_, again := testrig.AcceptAs(t, w.ledger, store.BatchSpec{Customer: mine, Job: 999, IncludePreviouslyExported: true}, "c-2")
	w.makeDead(store.ReasonJobNotFound, testrig.NoJob, plain[0], again[0])
	p := w.person(api.ScopeOperate)
	got := p.post(deadLetters+"/transfer", url.Values{"all": {"1"}, "job": {"1709"}, "why": {"x"}})
	batches, err := w.ledger.Batches.AllOpen(t.Context(), mine)
	if err != nil || len(batches) != 2 {
		t.Fatalf("%+v, %v", batches, err)
	}
	p.get(got.to()).wants(t, http.StatusOK, "2 candidates moved to another job", "New batches: <a", batchPage(mine, string(batches[0].ID)), batchPage(mine, string(batches[1].ID)))
}

func TestURLAcceptsOnlyValidBatches(t *testing.T) {
	const id = "1234-aaaaaaaaaaaaaaaa"
	for name, c := range map[string]struct {
		query string
		want  int
	}{
		"of the customer":      {"act=transfer&n=1&into=" + id, 1},
		"of another customer":  {"act=transfer&n=1&into=77-aaaaaaaaaaaaaaaa", 0},
		"that are words":       {"act=transfer&n=1&into=call+this+number", 0},
		"that lead elsewhere":  {"act=transfer&n=1&into=1234-aaaaaaaaaaaaa/..", 0},
		"too many":             {"act=transfer&n=1" + strings.Repeat("&into="+id, mostInto+1), mostInto},
		"of what has no batch": {"act=retry&n=1&into=" + id, 0},
		"none":                 {"act=transfer&n=1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := url.ParseQuery(c.query)
			if got := deadResultOf(q, mine); err != nil || len(got.Into()) != c.want {
				t.Errorf("%+v, %v", got.Into(), err)
			}
		})
	}
}
