package console

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

// watchful checks often whether open pages still have access.
func watchful(d *api.Deps, _ *Options) { d.Settings.AccessEvery = 5 * time.Millisecond }

// sessions returns the sessions that have not ended.
func (r *rig) sessions() []store.Session {
	r.t.Helper()
	all, err := r.ledger.Access.Sessions(r.t.Context(), r.now.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// cookie returns the session cookie of a person.
func (p *person) cookie() *http.Cookie {
	p.r.t.Helper()
	at, err := url.Parse(p.r.server.URL)
	if err != nil {
		p.r.t.Fatal(err)
	}
	for _, c := range p.client.Jar.Cookies(at) {
		if c.Name == sessionCookie {
			return c
		}
	}
	p.r.t.Fatal("there is no session")
	return nil
}

// Logging out ends the session on the server: a copied cookie becomes useless.
func TestLogOutEndsTheSessionOnTheServer(t *testing.T) {
	r := newRig(t)
	p, other := r.person(api.ScopeRead), r.person(api.ScopeRead)
	kept := p.cookie()
	p.post("/logout", nil)
	got := r.visitor().get("/lanes", "Cookie", kept.Name+"="+kept.Value)
	if got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.to(), "/login") {
		t.Errorf("the cookie still opens the console: %d to %q", got.StatusCode, got.to())
	}
	other.get("/lanes").wants(t, http.StatusOK)
	if left := r.sessions(); len(left) != 1 {
		t.Errorf("sessions: %+v", left)
	}
}

// An unused session ends. Requests that a page makes on its own do not count as use; typing into a
// search field does.
func TestIdleSessionsEnd(t *testing.T) {
	r := newRig(t, func(_ *api.Deps, o *Options) { o.Idle = 20 * time.Minute })
	p := r.person(api.ScopeRead)
	for range 3 {
		r.now.Pass(15 * time.Minute)
		p.get("/lanes").wants(t, http.StatusOK)
	}
	for range 3 {
		r.now.Pass(15 * time.Minute)
		p.get("/lanes", "HX-Request", "true", "HX-Source", "input#q").wants(t, http.StatusOK)
	}
	for range 3 {
		r.now.Pass(6 * time.Minute)
		p.get("/lanes", "HX-Request", "true", "HX-Source", "div#lanes").wants(t, http.StatusOK)
	}
	r.now.Pass(3 * time.Minute)
	if got := p.get("/lanes"); got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.to(), "/login?next=%2Flanes&why=ended") {
		t.Errorf("%d to %q", got.StatusCode, got.to())
	}
	if left := r.sessions(); len(left) != 0 {
		t.Errorf("sessions: %+v", left)
	}
}

// The stream of an open page ends with its session.
func TestAccessEndsForPagesThatAreOpen(t *testing.T) {
	for name, end := range map[string]func(r *rig, p *person){
		"log-out":             func(_ *rig, p *person) { p.post("/logout", nil) },
		"idle":                func(r *rig, _ *person) { r.now.Pass(DefaultIdle) },
		"ended by somebody":   func(r *rig, _ *person) { r.endAll() },
		"its key was revoked": func(r *rig, _ *person) { r.revokeAll() },
		"after twelve hours":  func(r *rig, _ *person) { r.now.Pass(sessionTime) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t, watchful)
			w.connect(mine)
			batch, _ := w.accept(mine, 7, "c-1")
			p := w.person(api.ScopeRead, mine)
			_, events := p.listen("/customers/1234/batches/" + string(batch) + "/events")
			if kind, _, data, _ := events.next(); kind != "message" || !strings.Contains(data, "0 of 1 candidate done") {
				t.Fatalf("first %s: %s", kind, data)
			}
			end(w.rig, p)
			if kind, _, data, _ := events.next(); kind != "message" || !strings.Contains(data, `hx-target="#session"`) || !strings.Contains(data, "Your session has ended") {
				t.Errorf("then %s: %s", kind, data)
			}
			if kind, _, _, _ := events.next(); kind != "end" {
				t.Errorf("the last is %s", kind)
			}
			if kind, _, _, more := events.next(); more {
				t.Errorf("after the end: %s", kind)
			}
		})
	}
}

func (r *rig) endAll() {
	r.t.Helper()
	for _, s := range r.sessions() {
		if err := r.ledger.Access.EndSession(r.t.Context(), s.ID); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) revokeAll() {
	r.t.Helper()
	keys, err := r.ledger.Access.APIKeys(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, k := range keys {
		if _, err := r.ledger.Access.RevokeAPIKey(r.t.Context(), k.ID, r.now.Now()); err != nil {
			r.t.Fatal(err)
		}
	}
}

// An upload ends with its session. The login page says what was accepted, and the following form
// continues the same batch.
func TestAccessEndsForUploadsOfPages(t *testing.T) {
	for name, end := range map[string]func(r *rig, p *person){
		"ended by somebody":   func(r *rig, _ *person) { r.endAll() },
		"its key was revoked": func(r *rig, _ *person) { r.revokeAll() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t, watchful)
			w.connect(mine)
			p := w.person(api.ScopeExport)
			key := newKey()
			all := csvOf(testrig.Numbered(0, 3000)...)
			contentType, form := filled("a.csv", all, "key", key, "job", "7", "generate_dummy_emails", "true")
			from, to := io.Pipe()
			answered := make(chan shown, 1)
			go func() {
				answered <- p.do(http.MethodPost, exportPath, from, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin")
			}()
			if _, err := to.Write(form.Next(form.Len() * 2 / 3)); err != nil {
				t.Fatal(err)
			}
			batch := store.BatchID(w.ledger.Keys().BatchID(mine, key))
			accepted := func() int {
				b, err := w.ledger.Batches.Get(t.Context(), batch)
				if err != nil {
					return 0
				}
				return b.Accepted
			}
			testrig.Eventually(t, "a part is accepted", func() bool { return accepted() > 0 })
			end(w.rig, p)
			got := <-answered
			_ = to.Close()
			before := accepted()
			got.wants(t, http.StatusUnauthorized, "Upload interrupted", prose.Plural(before, "candidate")+" (batch "+string(batch)+")", "only missing candidates are added")
			next := regexp.MustCompile(`name="next" value="([^"]*)"`).FindStringSubmatch(got.text)
			if next == nil {
				t.Fatalf("no way back in %s", got.text)
			}
			other := w.visitor()
			in := other.post("/login", url.Values{"key": {w.key(api.ScopeExport)}, "next": {html.UnescapeString(next[1])}})
			again := other.get(in.to())
			if hiddenKey(t, again) != key {
				t.Errorf("the form has another key: %s", again.text)
			}
			other.send(exportPath, "a.csv", all, "key", key, "job", "7", "generate_dummy_emails", "true").wants(t, http.StatusSeeOther)
			if accepted() != 3000 || before >= 3000 {
				t.Errorf("%d were accepted before, %d after", before, accepted())
			}
		})
	}
}

// A running upload counts as use, so that it does not end its own session.
func TestUploadKeepsItsSession(t *testing.T) {
	w := newWard(t, watchful)
	w.connect(mine)
	p := w.person(api.ScopeExport)
	key := newKey()
	contentType, form := filled("a.csv", csvOf(testrig.Numbered(0, 3000)...), "key", key, "job", "7")
	from, to := io.Pipe()
	answered := make(chan shown, 1)
	go func() {
		answered <- p.do(http.MethodPost, exportPath, from, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin")
	}()
	if _, err := to.Write(form.Next(form.Len() / 2)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.now.Pass(DefaultIdle * 3 / 4)
		testrig.Eventually(t, "the session counts as used", func() bool {
			all := w.sessions()
			return len(all) == 1 && w.now.Now().Sub(all[0].Used) < time.Minute
		})
	}
	if _, err := io.Copy(to, form); err != nil {
		t.Fatal(err)
	}
	_ = to.Close()
	if got := <-answered; got.StatusCode != http.StatusSeeOther {
		t.Errorf("%d: %s", got.StatusCode, got.text)
	}
}

// The page lists and ends the reader's sessions.
func TestSessionsPage(t *testing.T) {
	r := newRig(t)
	p, other, admin := r.person(api.ScopeRead), r.person(api.ScopeExport), r.person(api.ScopeAdmin)
	cookie := other.cookie()
	ids := map[string]string{}
	for _, s := range r.sessions() {
		ids[s.Name] = s.ID
	}
	own, others := ids["test read"], ids["test export"]
	page := p.get("/sessions")
	page.wants(t, http.StatusOK, own, "this session", "127.0.0.1", "Open sessions of your API key", "after 1h 0m of inactivity")
	page.lacks(t, others, "/end")
	p.get("/lanes").wants(t, http.StatusOK, `href="/sessions"`)

	admin.get("/sessions").wants(t, http.StatusOK, own, others, "Open sessions of all API keys", "/sessions/"+others+"/end")
	if got := p.post("/sessions/"+others+"/end", nil); got.StatusCode != http.StatusSeeOther { // the key has no such session
		t.Errorf("%d: %s", got.StatusCode, got.text)
	}
	other.get("/lanes").wants(t, http.StatusOK)
	got := admin.post("/sessions/"+others+"/end", nil)
	if got.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d: %s", got.StatusCode, got.text)
	}
	admin.get(got.to()).wants(t, http.StatusOK, "Session ended.")
	if got := r.visitor().get("/lanes", "Cookie", cookie.Name+"="+cookie.Value); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the session goes on: %d", got.StatusCode)
	}
	if left := r.sessions(); len(left) != 2 {
		t.Errorf("sessions: %+v", left)
	}
}
