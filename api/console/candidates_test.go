package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

const candidates = "/customers/1234/candidates"

// known gives c-1 a timeline: exported, then skipped, now waiting.
func (w ward) known() {
	w.t.Helper()
	w.connect("1234")
	_, refs := w.accept("1234", 1709, "c-1")
	w.finish(store.Finish{
		To: store.Done, Counter: store.CountCreated, Person: 17, Job: 1709, Workflow: 3,
		Entry: &store.Entry{At: time.Now(), What: "done", Attempt: 1, Findings: []string{"nobody has the e-mail yet"}, Calls: []store.Called{{Op: "people.create", Status: 201, Sent: "yes"}}},
	}, refs...)
	w.passes()
	_, refs = w.accept("1234", 0, "c-1")
	w.finish(store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore, Person: 17}, refs...)
	w.passes()
	w.accept("1234", 1710, "c-1")
}

// passes waits until Redis's clock has advanced, so that batches have different times.
func (w ward) passes() {
	w.t.Helper()
	for first := (time.Time{}); ; {
		now, err := w.ledger.Now(w.t.Context())
		switch {
		case err != nil:
			w.t.Fatal(err)
		case first.IsZero():
			first = now
		case now.Sub(first) > 2*time.Millisecond:
			return
		}
	}
}

func TestCandidatePageShowsTimeline(t *testing.T) {
	w := newWard(t)
	w.known()
	p := w.person(api.ScopeRead)
	p.get(candidates).wants(t, http.StatusOK, "Look up a candidate", "Look up several")
	got := p.get(candidates + "?id=+c-1+")
	got.wants(t, http.StatusOK, "In iCIMS", "person 17</a>", "linkTo/people/17", "on job 1709 with workflow 3", "Waiting for a worker.", "nobody has the e-mail yet", "Succeeded",
		"Skipped ", "Export 3 of 3 to job 1710", "to prospects", `hx-get="/customers/1234/candidates?id=c-1"`)
	got.lacks(t, append(personal, "Erase")...)
	if i, j := strings.Index(got.text, "Export 3 of 3"), strings.Index(got.text, "Export 1 of 3"); i > j {
		t.Error("the latest export does not come first")
	}
	part := p.get(candidates+"?id=c-1", "HX-Request", "true")
	part.wants(t, http.StatusOK, "Export 3 of 3")
	part.lacks(t, "<html", "Look up several")
	for name, c := range map[string]struct {
		id     string
		status int
		want   string
	}{
		"of whom nothing is known": {"c-99", http.StatusNotFound, "No exports found for <strong>c-99</strong>"},
		"entered as an address":    {"ana@example.com", http.StatusUnprocessableEntity, "not a name or an email address"},
		"entered as a path":        {"../batches", http.StatusUnprocessableEntity, "Invalid candidate ID"},
		"entered as dots":          {"..", http.StatusUnprocessableEntity, "Invalid candidate ID"},
		"entered as a novel":       {strings.Repeat("c", 5000), http.StatusUnprocessableEntity, "Candidate ID is too long. Enter at most 128 characters"},
		"entered as markup":        {markup, http.StatusUnprocessableEntity, "&lt;b&gt;it&lt;/b&gt;"},
	} {
		t.Run("one "+name, func(t *testing.T) {
			got := p.get(candidates + "?id=" + url.QueryEscape(c.id))
			got.wants(t, c.status, c.want)
			got.lacks(t, "<b>it</b>", "Export 1 of")
		})
	}
}

func TestICIMSMessagesAreShownOnRequest(t *testing.T) {
	w := newWard(t)
	w.makeDeadLetters()
	reader := w.person(api.ScopeRead)
	reader.get(candidates+"?id=c-200").lacks(t, append(personal, "words=1")...)
	reader.get(candidates+"?id=c-200&words=1").wants(t, http.StatusForbidden)
	p := w.person(api.ScopeOperate)
	got := p.get(candidates + "?id=c-200")
	got.wants(t, http.StatusOK, "Not exported yet", "dead letter", "code 4 on email", "View dead letter", "words=1")
	got.lacks(t, personal...)
	p.get(candidates+"?id=c-200&words=1").wants(t, http.StatusOK, "ottoline@example.com is not welcome", "They may contain personal data")
}

func TestManyCandidatesAreLookedUpAtOnce(t *testing.T) {
	w := newWard(t)
	w.known()
	p := w.person(api.ScopeRead)
	got := p.post(candidates, url.Values{"ids": {"c-2, c-1\r\nc-1;\tc-3"}})
	got.wants(t, http.StatusOK, "<strong>1 of 3</strong> exported", "person 17", "linkTo/people/17", ">1709<", "not exported")
	if strings.Index(got.text, "id=c-2") > strings.Index(got.text, "id=c-1") {
		t.Error("they are not in the order in which they were entered")
	}
	for name, c := range map[string]struct{ ids, want string }{
		"none":       {" \n", "No ID entered"},
		"an address": {"c-1\nana@example.com", "“ana@example.com” is not a candidate"},
		"a novel":    {strings.Repeat("c", 5000), "The ID starting with “cccccccccccccccccccc” is too long"},
		"markup":     {`<b>it</b>`, "&lt;b&gt;it&lt;/b&gt;"},
		"too many":   {strings.Join(testrig.Numbered(0, mostCandidates+1), "\n"), "More than 1,000"},
	} {
		t.Run("but not "+name, func(t *testing.T) {
			got := p.post(candidates, url.Values{"ids": {c.ids}})
			got.wants(t, http.StatusUnprocessableEntity, c.want, "ids-wrong", `aria-invalid="true"`)
			got.lacks(t, "<b>it</b>", " exported.</p>")
		})
	}
	w.person(api.ScopeRead, "77").post(candidates, url.Values{"ids": {"c-1"}}).wants(t, http.StatusNotFound)
}

func TestErasingACandidateNeedsPermission(t *testing.T) {
	w := newWard(t)
	w.known()
	operator, p := w.person(api.ScopeOperate), w.person(api.ScopeAdmin)
	operator.get(candidates+"?id=c-1").lacks(t, "Erase")
	operator.get(candidates+"/erase?id=c-1").wants(t, http.StatusForbidden, "lacks a scope")
	operator.post(candidates+"/erase", url.Values{"id": {"c-1"}, "why": {"DSR-17"}}).wants(t, http.StatusForbidden)
	p.get(candidates+"?id=c-1").wants(t, http.StatusOK, candidates+"/erase?id=c-1")
	p.get(candidates+"/erase?id=c-1").wants(t, http.StatusOK, "1 waiting export: canceled", "2 completed exports", "person 17", "cannot be undone", "do not enter names")
	for name, why := range map[string]string{"without a why": "", "with a why of blanks": "  ", "with the id": "C-1 asked for it", "with an address": "ana@example.com asked"} {
		t.Run("not "+name, func(t *testing.T) {
			p.post(candidates+"/erase", url.Values{"id": {"c-1"}, "why": {why}}).wants(t, http.StatusUnprocessableEntity, "why-wrong", `aria-invalid="true"`, "1 waiting export")
		})
	}
	if m, err := w.ledger.Candidates.Markers(t.Context(), "1234", []string{"c-1"}); err != nil || len(m) != 1 {
		t.Fatalf("something was erased: %v", err)
	}
	got := p.post(candidates+"/erase", url.Values{"id": {"c-1"}, "why": {markup}})
	got.wants(t, http.StatusOK, "was erased", "Keep this receipt", "1 open export", "2 completed exports", "person 17", "&lt;b&gt;it")
	got.lacks(t, "<b>it</b>", ">c-1<", `"c-1"`)
	p.get(candidates+"?id=c-1").wants(t, http.StatusNotFound, "No exports found for")
	p.post(candidates+"/erase", url.Values{"id": {"c-1"}, "why": {"DSR-17"}}).wants(t, http.StatusOK, "No data found for this candidate.")
	p.get(candidates+"/erase?id=c-99").wants(t, http.StatusOK, "No data found for this candidate.")
	if strings.Contains(w.log.String(), "c-1") {
		t.Error("the log names the candidate")
	}
}

func TestExportsInProgressAreErasedLater(t *testing.T) {
	w := newWard(t)
	_, refs := w.accept("1234", 8, "c-1")
	claim, err := w.ledger.Claim(t.Context(), refs[0], store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
	if err == nil {
		err = w.ledger.Step(t.Context(), claim, store.Step{To: store.Creating, Lease: time.Hour})
	}
	if err != nil {
		t.Fatal(err)
	}
	p := w.person(api.ScopeAdmin)
	p.get(candidates+"/erase?id=c-1").wants(t, http.StatusOK, "1 export in progress: not erased while a write is unconfirmed")
	p.post(candidates+"/erase", url.Values{"id": {"c-1"}, "why": {"DSR-17"}}).wants(t, http.StatusConflict, "are in work", "Try again in 90s", `value="DSR-17"`, "Erase permanently")
}

// interrupter calls a function before the n-th command to Redis.
type interrupter struct {
	left atomic.Int64 // commands until then; 0 or less for never
	do   func()
}

func (i *interrupter) count() {
	if i.left.Add(-1) == 0 {
		i.do()
	}
}

func (i *interrupter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (i *interrupter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { i.count(); return next(ctx, cmd) }
}

func (i *interrupter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { i.count(); return next(ctx, cmds) }
}

// If an export ends while its timeline is read, the page never shows it as done next to a candidate
// without an export: such a page would not refresh.
func TestTimelineOfAnEndingExportIsConsistent(t *testing.T) {
	w := newWard(t)
	p := w.person(api.ScopeRead)
	i := &interrupter{}
	w.API.Redis.AddHook(i)
	for n := int64(1); ; n++ {
		id := fmt.Sprintf("c-%d", n)
		_, refs := w.accept("1234", 1709, id)
		i.do = func() {
			w.finish(store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 1709, Workflow: 18}, refs...)
		}
		i.left.Store(n)
		got := p.get("/customers/1234/candidates?id=" + id)
		got.wants(t, http.StatusOK, "Candidate "+id)
		if got.has("It was done", "Not exported yet") {
			t.Errorf("ended before command %d: %s", n, got.text)
		}
		if i.left.Load() > 0 {
			return // the page needs no more commands
		}
	}
}
