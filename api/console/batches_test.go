package console

import (
	"bufio"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

func TestBatchListShowsResults(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	w.beat()
	first, refs := w.accept(mine, 1709, "c-1", "c-2")
	w.finish(store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 1709, Workflow: 3}, refs[0])
	w.makeDead(store.ReasonJobNotFound, testrig.NoJob, refs[1])
	second, others := w.accept(mine, 0, "c-3")
	got := w.person(api.ScopeRead, mine).get("/customers/1234/batches")
	got.wants(t, http.StatusOK, string(first), string(second), "job 1709", "prospects", "1 created, 1 dead.", `<span class="badge bad">partly dead</span>`, `<span class="badge busy">exporting</span>`, "2 of 2", `hx-trigger="every 5s"`)
	if strings.Index(got.text, string(second)) > strings.Index(got.text, string(first)) {
		t.Error("the newest does not come first")
	}
	got.lacks(t, "/customers/1234/export")

	w.finish(store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 18}, others[0])
	part := w.person(api.ScopeRead, mine).get("/customers/1234/batches", "HX-Request", "true")
	part.wants(t, http.StatusOK, "1 updated.")
	part.lacks(t, "<html", "hx-trigger") // nothing can change anymore
}

func TestBatchListMatchesBatchPage(t *testing.T) {
	const waits, checkSession = `<span class="badge busy">waiting</span>`, `<span class="badge busy">exporting</span>`
	for name, c := range map[string]struct {
		keep  func(w ward)
		badge string
		said  []string
	}{
		"nothing keeps it":          {func(w ward) { w.beat() }, checkSession, nil},
		"the customer is paused":    {func(w ward) { w.beat(); w.pause(mine, markup) }, waits, []string{"is paused by ana until resumed: &lt;script&gt;", `href="/customers/1234/lane"`}},
		"its calls are used up":     {func(w ward) { w.beat(); w.spend(mine) }, waits, []string{html.EscapeString(store.Reason("icims_quota_exhausted").Info().Hint)}},
		"its account is refused":    {func(w ward) { w.beat(); w.called(mine, 3, 401) }, waits, []string{"iCIMS refuses the user name or password, until"}},
		"iCIMS keeps failing":       {func(w ward) { w.beat(); w.breaks(mine) }, waits, []string{html.EscapeString(store.ReasonBreakerOpen.Info().Hint)}},
		"no worker runs":            {func(ward) {}, waits, []string{"No active workers"}},
		"no worker can connect it":  {func(w ward) { w.beat(mine) }, waits, []string{"No worker has a usable connection for customer 1234"}},
		"another customer is held":  {func(w ward) { w.beat("77"); w.pause("77", "go-live") }, checkSession, nil},
		"the pause has been lifted": {func(w ward) { w.beat(); w.pause(mine, "go-live"); w.resume(mine) }, checkSession, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			w.connect(mine)
			_, ended := w.accept(mine, 0, "c-1")
			w.finish(store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17}, ended...)
			batch, _ := w.accept(mine, 1709, "c-2")
			c.keep(w)
			p := w.person(api.ScopeRead, mine)
			list := p.get("/customers/1234/batches")
			list.wants(t, http.StatusOK, append(c.said, c.badge, `<span class="badge good">complete</span>`)...)
			list.lacks(t, "<script>alert", "<b>it</b>")
			if c.said == nil {
				list.lacks(t, "Exports are waiting")
			}
			page := p.get("/customers/1234/batches/" + string(batch))
			page.wants(t, http.StatusOK, c.said...)
			if page.has("The export is waiting.") != (c.badge == waits) {
				t.Errorf("the batch's page says something else: %s", page.text)
			}
		})
	}
}

func TestBatchProgressInWords(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		batch  store.Batch
		status api.BatchStatus
		state  string
		said   string
	}{
		"while candidates come in":     {batch: store.Batch{Accepted: 4, Created: 1}, state: "receiving", said: "Receiving candidates. 25% done."},
		"at its begin":                 {batch: store.Batch{Accepted: 4, Closed: now}, state: "exporting", said: "Exporting."},
		"just before the half":         {batch: store.Batch{Accepted: 1000, Created: 499, Closed: now}, state: "exporting", said: "Exporting. 25% done."},
		"past the half":                {batch: store.Batch{Accepted: 1000, Created: 501, Closed: now}, state: "exporting", said: "Exporting. 50% done."},
		"a moment before the end":      {batch: store.Batch{Accepted: 1000, Created: 500, Skipped: 499, Closed: now}, state: "exporting", said: "Exporting. 75% done."},
		"kept by a sentence":           {batch: store.Batch{Accepted: 4, Closed: now}, status: api.BatchStatus{Waits: []string{"No worker runs now."}}, state: "waiting", said: "Waiting."},
		"kept by what forecasts know":  {batch: store.Batch{Accepted: 4, Closed: now}, status: api.BatchStatus{Forecast: &forecast.Forecast{Waits: store.ReasonPaused}}, state: "waiting", said: "Waiting."},
		"at its end":                   {batch: store.Batch{Accepted: 1200, Created: 1199, Dead: 1, Closed: now}, state: "partly dead", said: "Export ended: 1 of 1,200 failed. 1,199 created, 1 dead."},
		"with all well":                {batch: store.Batch{Accepted: 3, Created: 1, Updated: 1, Skipped: 1, Refused: 2, Closed: now}, state: "complete", said: "Export complete. 1 created, 1 updated, 1 skipped."},
		"all are dead":                 {batch: store.Batch{Accepted: 2, Dead: 2, Closed: now}, state: "dead", said: "Export ended: 2 of 2 failed. 2 dead."},
		"dead and canceled":            {batch: store.Batch{Accepted: 2, Dead: 1, Cancelled: 1, Closed: now}, state: "dead", said: "Export ended: 1 of 2 failed. 1 dead, 1 canceled."},
		"cancelled as a whole":         {batch: store.Batch{Accepted: 2, Cancelled: 2, Closed: now}, state: "cancelled", said: "Canceled. 2 canceled."},
		"cancelled in part":            {batch: store.Batch{Accepted: 2, Updated: 1, Cancelled: 1, Closed: now}, state: "partly cancelled", said: "Canceled: 1 of 2 candidates. 1 updated, 1 canceled."},
		"without an accepted row":      {batch: store.Batch{Refused: 3, Closed: now}, state: "empty", said: "No candidates accepted."},
		"before the first one came in": {batch: store.Batch{}, state: "receiving", said: "Receiving candidates."},
	} {
		c.status.Batch = c.batch
		s := batchProgress{BatchStatus: c.status, now: now}
		if s.State() != c.state || strings.TrimSpace(s.Step()) != c.said {
			t.Errorf("%s: %s, %q", name, s.State(), s.Step())
		}
	}
}

func TestBatchListHasPages(t *testing.T) {
	w := newWard(t)
	var ids []string
	for _, candidate := range testrig.Numbered(0, shownBatches+1) {
		id, _ := w.accept(mine, 7, candidate)
		ids = append(ids, string(id))
	}
	p := w.person(api.ScopeRead)
	first := p.get("/customers/1234/batches")
	second := p.get(linkTo(t, first.text, "/customers/1234/batches?cursor="))
	second.wants(t, http.StatusOK, "Newest batches")
	for _, id := range ids {
		if first.has(id) == second.has(id) {
			t.Errorf("%s is on both pages, or on none", id)
		}
	}
	if n := strings.Count(first.text, "<tr>") - 1; n != shownBatches {
		t.Errorf("%d are on the first page", n)
	}
}

// linkTo returns the first link that starts with begins.
func linkTo(t *testing.T, text, begins string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, `href="`+begins)
	if !ok {
		t.Fatalf("there is no link to %s in %s", begins, text)
	}
	address, _, _ := strings.Cut(rest, `"`)
	return strings.ReplaceAll(begins+address, "&amp;", "&")
}

func TestEmptyListLinksToTheExport(t *testing.T) {
	w := newWard(t)
	w.person(api.ScopeExport).get("/customers/1234/batches").wants(t, http.StatusNotFound, "Customer not found")
	w.connect(mine)
	w.person(api.ScopeExport).get("/customers/1234/batches").wants(t, http.StatusOK, "No batches yet", `href="/customers/1234/export"`)
	got := w.person(api.ScopeRead).get("/customers/1234/batches")
	got.wants(t, http.StatusOK, "the export scope")
	got.lacks(t, `href="/customers/1234/export"`)
	w.person(api.ScopeRead).get("/customers/1234/batches?tests=true").wants(t, http.StatusOK, "No verification batches yet")
}

func TestBatchPageShowsProgress(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	w.beat()
	batch, refs := w.accept(mine, 1709, "c-1", "c-2", "c-3", "c-4")
	path := "/customers/1234/batches/" + string(batch)
	p := w.person(api.ScopeExport, mine)
	w.finish(store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 1709, Workflow: 3, Calls: 3}, refs[0])
	got := p.get(path)
	got.wants(t, http.StatusOK, "Export to job 1709", "Exporting", "if you leave this page", "1 of 4 candidates done (25%), 3 calls to iCIMS", "calls remaining", `hx-sse:connect="`+path+`/events"`,
		`role="status">Exporting. 25% done.<`, "Refresh", `href="`+path+`/cancel"`, "https://api.icims.com/customers/1234/linkTo/people/17", "person 17", "workflow 3",
		`href="/customers/1234/candidates?id=c-1"`)
	w.person(api.ScopeRead, mine).get(path).lacks(t, path+"/cancel")

	w.finish(store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore}, refs[1])
	w.makeDead(store.ReasonJobNotFound, testrig.NoJob, refs[2], refs[3])
	got = p.get(path)
	got.wants(t, http.StatusOK, "Export ended: 2 of 4 failed", "4 of 4 candidates done (100%)", "2 exports failed and are kept as dead letters.", `href="/customers/1234/dead-letters?batch=`+string(batch)+`"`,
		"Exported before", "to any job, are skipped. To add them to this job", "The job does not exist or cannot be seen", html.EscapeString(store.ReasonJobNotFound.Info().Hint), `role="status">Export ended: 2 of 4 failed. 1 created, 1 skipped, 2 dead.<`)
	got.lacks(t, "Export complete", "if you leave this page", "hx-sse:connect", "hx-trigger", path+"/cancel", "Refresh", "Quillfeather", "example.com")
}

func TestBlockedBatchSaysWhy(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	batch, _ := w.accept(mine, 0, "c-1")
	if err := w.ledger.Lanes.Pause(t.Context(), mine, store.Pause{By: "maria", Why: markup, Until: w.now.Now().AddDate(0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	got := w.person(api.ScopeRead).get("/customers/1234/batches/" + string(batch))
	got.wants(t, http.StatusOK, "Export to prospects", "Waiting", "The export is waiting.", "No active workers", "An operator has paused the customer&#39;s exports", `<a href="/customers/1234/lane">View lane</a>`)
	got.lacks(t, "<script>alert", "<b>it</b>")
}

func TestOnlyResumeCommandsLinkToTheLane(t *testing.T) {
	for sentence, leads := range map[string]bool{
		"Customer 5678 is paused. Exports wait; icims-export resume 5678 sets them going.":       true,
		"No active workers, so nothing moves. Start one: icims-export worker.":                   false,
		"Customer 5678: the user name or password is wrong. Correct the connection's user name.": false,
	} {
		to := openLane("5678", []string{"The export is waiting.", sentence})
		if (to != nil) != leads || to != nil && to.Path != "/customers/5678/lane" {
			t.Errorf("%q leads to %v", sentence, to)
		}
	}
}

func TestResultsHaveFiltersAndPages(t *testing.T) {
	w := newWard(t)
	batch, refs := w.accept(mine, 0, testrig.Numbered(0, shownResults+1)...)
	w.makeDead(store.ReasonJobNotFound, testrig.NoJob, refs[2])
	path := "/customers/1234/batches/" + string(batch)
	p := w.person(api.ScopeRead)
	all := p.get(path)
	all.wants(t, http.StatusOK, "c-00000", "c-00099")
	all.lacks(t, "c-00100")
	p.get(strings.TrimSuffix(linkTo(t, all.text, path+"?cursor="), "#results")).wants(t, http.StatusOK, "c-00100", "First page")
	dead := p.get(path + "?outcome=dead&reason=job_not_found")
	dead.wants(t, http.StatusOK, "c-00002", `<option value="dead" selected>dead</option>`, `value="job_not_found" selected>`)
	dead.lacks(t, "c-00001", "c-00003")
	p.get(path+"?outcome=created").wants(t, http.StatusOK, "No matching results")
	p.get(path+"?outcome=sold").wants(t, http.StatusUnprocessableEntity)
	p.get(path+"?reason=%3Cb%3E").wants(t, http.StatusUnprocessableEntity)

	part := p.get(path+"/results?outcome=dead", "HX-Request", "true")
	part.wants(t, http.StatusOK, "c-00002", `hx-get="`+path+`/results?outcome=dead"`, "step from:#standing, end from:#standing")
	part.lacks(t, "<html", "c-00001")
	if got := p.get(path + "/results?outcome=dead"); got.to() != path+"?outcome=dead" {
		t.Errorf("without htmx the results lead to %q", got.to())
	}
}

func TestResultFilterListsReasonsInUse(t *testing.T) {
	w := newWard(t)
	batch, refs := w.accept(mine, 0, testrig.Numbered(0, shownResults+8)...)
	path := "/customers/1234/batches/" + string(batch)
	p := w.person(api.ScopeRead)
	choices := func(query string) []string {
		t.Helper()
		_, form, _ := strings.Cut(p.get(path+query).text, `<select id="reason"`)
		form, _, _ = strings.Cut(form, "</select>")
		var found []string
		for _, option := range strings.Split(form, "<option ")[1:] {
			_, text, _ := strings.Cut(option, ">")
			text, _, _ = strings.Cut(text, "</option>")
			found = append(found, text)
		}
		return found
	}
	wants := func(when, query string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, choices(query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	wants("while nothing has a reason", "")
	last := len(refs) - 1
	w.makeDead(store.ReasonJobNotFound, testrig.NoJob, refs[last-1], refs[last])
	w.finish(store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore, Person: 3}, refs[last-2])
	w.putOff(store.Hold{To: store.Retrying, Reason: "icims_timeout", Delay: time.Minute}, refs[1])
	const skipped, jobless, late = "Exported before (1)", "The job does not exist or cannot be seen (2)", "iCIMS did not answer in time"
	wants("with one of the page that is put off", "", "all", skipped, late, jobless)
	if err := w.ledger.DeadLetters.Discard(t.Context(), refs[last], "ana", "not needed"); err != nil {
		t.Fatal(err)
	}
	wants("however they ended for it", "?outcome=dead", "all", skipped, jobless)
	wants("with the one that is chosen, though there is none", "?reason=dummy_taken", "all", skipped, "No free dummy address was found", jobless)

	testrig.Uncount(t, w.API.Redis, batch, store.CountDead, store.ReasonJobNotFound)
	offered := choices("?outcome=dead")
	if len(offered) != 1+len(store.Reasons()) || !slices.Contains(offered, "The job does not exist or cannot be seen") || slices.Contains(offered, skipped) {
		t.Errorf("of a batch that has not counted all of them: %q", offered)
	}
}

func TestBatchOfAnotherCustomerIsHidden(t *testing.T) {
	w := newWard(t)
	batch, _ := w.accept("77", 0, "c-1")
	p := w.person(api.ScopeExport, mine)
	for _, path := range []string{
		"/customers/77/batches", "/customers/77/batches/" + string(batch), "/customers/1234/batches/" + string(batch), "/customers/1234/batches/1234-aaaaaaaaaaaaaaaa",
		"/customers/1234/batches/x%2Fy", "/customers/1234/batches/" + string(batch) + "/events", "/customers/1234/batches/" + string(batch) + "/cancel",
	} {
		if got := p.get(path); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
}

func TestCancelBatchFromTheConsole(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	batch, refs := w.accept(mine, 7, "c-1", "c-2", "c-3")
	w.finish(store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17}, refs[0])
	path := "/customers/1234/batches/" + string(batch)
	p := w.person(api.ScopeExport, mine)
	p.get(path+"/cancel").wants(t, http.StatusOK, "<strong>2 waiting exports</strong> will be canceled", "Cancel 2 exports", `name="why"`)
	if b, err := w.ledger.Batches.Get(t.Context(), batch); err != nil || b.Cancelled != 0 {
		t.Fatalf("asking cancels: %+v, %v", b, err)
	}
	p.post(path+"/cancel", url.Values{"why": {"  "}}).wants(t, http.StatusUnprocessableEntity, `aria-invalid="true"`, "Missing. Give a reason", "Cancel 2 exports")
	w.person(api.ScopeRead).post(path+"/cancel", url.Values{"why": {"x"}}).wants(t, http.StatusForbidden)
	got := p.post(path+"/cancel", url.Values{"why": {"the wrong list"}})
	if got.StatusCode != http.StatusSeeOther || got.to() != path+"?did="+saidCancelled {
		t.Fatalf("%d to %q", got.StatusCode, got.to())
	}
	p.get(got.to()).wants(t, http.StatusOK, "The data of the canceled candidates was deleted", "Canceled: 2 of 3 candidates. 1 created, 2 canceled.")
	p.get(path+"/cancel").wants(t, http.StatusOK, "nothing to cancel")
	if got := p.post(path+"/cancel", url.Values{"why": {"again"}}); got.to() != path+"?did="+saidNothingWaited {
		t.Errorf("a second time: %d to %q", got.StatusCode, got.to())
	}
}

// told reads the events of a stream.
type told struct {
	t     *testing.T
	lines *bufio.Scanner
}

func (p *person) listen(path string, header ...string) (*http.Response, told) {
	p.r.t.Helper()
	r, err := http.NewRequestWithContext(p.r.t.Context(), http.MethodGet, p.r.server.URL+path, nil)
	if err != nil {
		p.r.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := p.client.Do(r)
	if err != nil {
		p.r.t.Fatal(err)
	}
	p.r.t.Cleanup(func() { response.Body.Close() })
	return response, told{p.r.t, bufio.NewScanner(response.Body)}
}

// next returns the next event with a kind or data. An event without a name has the kind "message".
func (s told) next() (kind, id, data string, ok bool) {
	s.t.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && (kind != "" || data != ""):
			if kind == "" {
				kind = "message"
			}
			return kind, id, data, true
		case name == "event":
			kind = value
		case name == "id":
			id = value
		case name == "data":
			data += value + "\n"
		}
	}
	return "", "", "", false
}

func TestFollowBatchToItsEnd(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	batch, refs := w.accept(mine, 7, "c-1", "c-2")
	path := "/customers/1234/batches/" + string(batch) + "/events"
	p := w.person(api.ScopeRead, mine)
	response, events := p.listen(path)
	if response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	kind, _, data, _ := events.next()
	if kind != "message" || !strings.Contains(data, "0 of 2 candidates done") || strings.Contains(data, "<section") || strings.Contains(data, "<html") {
		t.Fatalf("first %s: %s", kind, data)
	}
	w.finish(store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17}, refs[0])
	if kind, _, data, _ = events.next(); kind != "message" || !strings.Contains(data, "1 of 2 candidates done") {
		t.Fatalf("then %s: %s", kind, data)
	}
	if kind, _, _, _ = events.next(); kind != "step" {
		t.Fatalf("half of it is a step, but %s follows", kind)
	}
	w.finish(store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 18}, refs[1])
	kind, last, data, _ := events.next()
	if kind != "message" || last == "" || !strings.Contains(data, "Export complete") {
		t.Fatalf("at the end %s %q: %s", kind, last, data)
	}
	if kind, _, _, _ = events.next(); kind != "end" {
		t.Fatalf("the last is %s", kind)
	}
	if kind, _, _, ok := events.next(); ok {
		t.Errorf("after the end: %s", kind)
	}
	_, again := p.listen(path, "Last-Event-ID", last)
	if kind, _, data, _ := again.next(); kind != "end" || strings.TrimSpace(data) != "" {
		t.Errorf("who had the end is told %s: %s", kind, data)
	}
}

func TestBatchPageCountsProfilesWithoutWorkflow(t *testing.T) {
	w := newWard(t)
	batch, refs := w.accept(mine, 1709, "c-1", "c-2")
	p, path := w.person(api.ScopeRead), "/customers/1234/batches/"+string(batch)
	p.get(path).lacks(t, "without a workflow")
	testrig.LeaveProfile(t, w.ledger, 17, refs[0])
	p.get(path).wants(t, http.StatusOK, "1 profile exists without a workflow")
	testrig.LeaveProfile(t, w.ledger, 18, refs[1])
	p.get(path).wants(t, http.StatusOK, "2 profiles exist without a workflow")
}
