package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

func (w ward) pause(customer, why string) {
	w.t.Helper()
	if err := w.ledger.Lanes.Pause(w.t.Context(), customer, store.Pause{By: "ana", Why: why, At: time.Now()}); err != nil {
		w.t.Fatal(err)
	}
}

func (w ward) resume(customer string) {
	w.t.Helper()
	if _, err := w.ledger.Lanes.Resume(w.t.Context(), customer, "ana", "done"); err != nil {
		w.t.Fatal(err)
	}
}

func TestLanesShowWhoWaitsAndWhy(t *testing.T) {
	w := newWard(t)
	p := w.person(api.ScopeRead)
	p.get("/lanes").wants(t, http.StatusOK, "No active or blocked customers", "No active workers")
	_, refs := w.accept("1234", 1709, testrig.Numbered(0, 30)...)
	w.enqueue(refs...)
	w.accept("77", 0, "c-1")
	w.called("77", 3, 401)
	w.pause("5", markup)
	w.accept("9", 0) // has no work
	w.beat()
	got := p.get("/lanes")
	got.wants(t, http.StatusOK, "3 customers: 1 waiting, 1 paused, 1 closed; 30 exports remaining.", `href="/customers/1234/lane"`, "iCIMS refuses the user name or password, until",
		"Put the right credentials into the connection", `href="/connections/77"`, "by ana until resumed: &lt;script&gt;", "when resumed", "9,997", "Show all (1 more)")
	got.lacks(t, "<script>alert", "<b>it</b>", `id="lane-9"`, "No worker")
	if i, j := strings.Index(got.text, `id="lane-77"`), strings.Index(got.text, `id="lane-1234"`); i < 0 || j < i {
		t.Error("who is held back does not come first")
	}
	p.get("/lanes?all=1").wants(t, http.StatusOK, `id="lane-9"`, "Hide idle customers", `hx-get="/lanes?all=1"`)
	part := p.get("/lanes", "HX-Request", "true")
	part.wants(t, http.StatusOK, `id="lane-1234"`)
	part.lacks(t, "<html", `id="lanes"`)
	t.Run("a key of one customer sees no others", func(t *testing.T) {
		got := w.person(api.ScopeRead, "77").get("/lanes?all=1")
		got.wants(t, http.StatusOK, `id="lane-77"`)
		got.lacks(t, `id="lane-1234"`, `id="lane-5"`, "ana")
	})
	t.Run("an invalid address is refused with a sentence", func(t *testing.T) {
		p.get("/lanes?cursor=x").wants(t, http.StatusUnprocessableEntity, "query.cursor")
	})
}

func TestLanePageShowsCallsBatchesAndActivity(t *testing.T) {
	w := newWard(t)
	p := w.person(api.ScopeRead)
	batch, refs := w.accept("1234", 1709, testrig.Numbered(0, 30)...)
	w.enqueue(refs...)
	w.called("1234", 3, 200)
	w.beat()
	got := p.get("/customers/1234/lane")
	got.wants(t, http.StatusOK, "Exports are waiting for a worker", "<b>30</b> queued in large batches", "3 made; 9,997 of 10,000 left", string(batch), "job 1709", "0 of 30", "calls remaining",
		`href="/customers/1234/batches/`+string(batch)+`"`, "No activity yet")
	got.lacks(t, "Pause lane", "/lane/pause")
	w.pause("1234", markup)
	got = p.get("/customers/1234/lane", "HX-Request", "true")
	got.wants(t, http.StatusOK, "by ana until resumed: &lt;script&gt;", "ana paused: “&lt;script&gt;", "ETA unknown until exports resume")
	got.lacks(t, "<script>alert", "<b>it</b>", "<html", "/lane/resume")
	p.get("/customers/99/lane").wants(t, http.StatusNotFound, "Customer not found")
	w.connect("99")
	p.get("/customers/99/lane").wants(t, http.StatusOK, "No exports.", "No calls yet", "No open batches")
}

func TestPauseAndResumeLane(t *testing.T) {
	w := newWard(t)
	w.connect("1234")
	p := w.person(api.ScopeOperate)
	pauseOf := func() *store.Pause {
		t.Helper()
		pause, err := w.ledger.Lanes.PauseOf(t.Context(), "1234")
		if err != nil {
			t.Fatal(err)
		}
		return pause
	}
	const lane = "/customers/1234/lane"
	later := time.Now().Add(3 * time.Hour).UTC().Truncate(time.Minute)
	for name, c := range map[string]struct {
		form url.Values
		want string
	}{
		"without a why":                     {url.Values{"for": {"1h0m0s"}}, "Missing. Enter a reason"},
		"with a why of blanks":              {url.Values{"why": {"  "}}, "pause-why-wrong"},
		"until a time that is over":         {url.Values{"why": {markup}, "until": {"2020-01-01T00:00"}}, "pause-until-wrong"},
		"until a time that is none":         {url.Values{"why": {markup}, "until": {markup}}, "pause-until-wrong"},
		"for a duration that is none":       {url.Values{"why": {markup}, "for": {"-1h"}}, "pause-until-wrong"},
		"for a duration and until a moment": {url.Values{"why": {markup}, "for": {"1h0m0s"}, "until": {later.Format("2006-01-02T15:04")}}, "Choose one of them"},
	} {
		t.Run("not "+name, func(t *testing.T) {
			got := p.post(lane+"/pause", c.form)
			got.wants(t, http.StatusUnprocessableEntity, c.want, `aria-invalid="true"`, "<details open>")
			got.lacks(t, "<script>alert", "<b>it</b>")
			if why := c.form.Get("why"); why == markup && !got.has("&lt;b&gt;it&lt;/b&gt;") {
				t.Error("what was entered is lost")
			}
			if pause := pauseOf(); pause != nil {
				t.Errorf("it is paused: %+v", pause)
			}
		})
	}
	for name, c := range map[string]struct {
		form  url.Values
		until time.Time
	}{
		"until resumed":        {url.Values{"why": {"go-live"}}, time.Time{}},
		"for a while":          {url.Values{"why": {"go-live"}, "for": {"1h0m0s"}}, w.now.Now().Add(time.Hour)},
		"until a time, in UTC": {url.Values{"why": {"go-live"}, "until": {later.Format("2006-01-02T15:04")}}, later},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.post(lane+"/pause", c.form)
			if got.StatusCode != http.StatusSeeOther || got.to() != lane+"?did=paused" {
				t.Fatalf("%d to %q: %s", got.StatusCode, got.to(), got.text)
			}
			if pause := pauseOf(); pause == nil || pause.Why != "go-live" || pause.By != "test operate" || pause.Until.Sub(c.until).Abs() > time.Second {
				t.Errorf("the pause is %+v", pause)
			}
			got = p.get(got.to())
			got.wants(t, http.StatusOK, "Lane paused", "Resume lane", "go-live")
			got.lacks(t, "Pause lane")
			p.post(lane+"/resume", url.Values{"why": {" "}}).wants(t, http.StatusUnprocessableEntity, "resume-why-wrong")
			if pauseOf() == nil {
				t.Error("resumed without a why")
			}
			got = p.post(lane+"/resume", url.Values{"why": {"it went well"}})
			if got.to() != lane+"?did=resumed" || pauseOf() != nil {
				t.Errorf("%d to %q", got.StatusCode, got.to())
			}
			p.get(got.to()).wants(t, http.StatusOK, "Lane resumed", "Pause lane", "it went well")
		})
	}
	t.Run("only with permission", func(t *testing.T) {
		reader := w.person(api.ScopeRead)
		for _, path := range []string{"/pause", "/resume"} {
			reader.post(lane+path, url.Values{"why": {"x"}}).wants(t, http.StatusForbidden, "lacks a scope")
			w.person(api.ScopeOperate, "77").post(lane+path, url.Values{"why": {"x"}}).wants(t, http.StatusNotFound)
		}
		if pause := pauseOf(); pause != nil {
			t.Errorf("it is paused: %+v", pause)
		}
	})
}

func TestLaneReportsMissingConnection(t *testing.T) {
	w := newWard(t)
	w.pause("5", "a test")
	p := w.person(api.ScopeRead)
	p.get("/customers/5/lane").wants(t, http.StatusOK, "This customer has no connection", `href="/connections/5"`)
	got := p.get("/connections/5")
	got.wants(t, http.StatusOK, "no connection")
	got.lacks(t, "never")
	r := newRig(t)
	r.connected()
	r.person(api.ScopeRead).get("/customers/1234/lane").lacks(t, "has no connection")
}

// The lanes page and the API report that Redis has lost writes.
func TestLanesReportLostWrites(t *testing.T) {
	var client redis.UniversalClient
	w := newWard(t, func(d *api.Deps, _ *Options) { client = d.Redis })
	p := w.person(api.ScopeRead)
	const says, remedy = "Redis lost the last 5 seconds", "Send the batches of that time again with their idempotency keys"
	p.get("/lanes").lacks(t, "Redis lost")
	now, err := client.Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{"loss": "went_back", "loss_at": now.UnixMilli(), "lost": 4200, "creates_from": now.Add(time.Minute).UnixMilli()}
	if err := client.HSet(t.Context(), "ix:redis", fields).Err(); err != nil {
		t.Fatal(err)
	}
	p.get("/lanes").wants(t, http.StatusOK, says, remedy)
}
