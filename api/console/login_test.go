package console

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

func TestLoginReturnsToThePage(t *testing.T) {
	r := newRig(t)
	p := r.visitor()
	got := p.get("/customers/77/candidates?id=a%26b")
	if got.StatusCode != http.StatusSeeOther || got.to() != "/login?next=%2Fcustomers%2F77%2Fcandidates%3Fid%3Da%2526b" {
		t.Fatalf("%d to %q", got.StatusCode, got.to())
	}
	form := p.get(got.to())
	if form.StatusCode != http.StatusOK || !form.has(`name="next" value="/customers/77/candidates?id=a%26b"`, "API key") {
		t.Fatalf("%d: %s", form.StatusCode, form.text)
	}
	got = p.post("/login", url.Values{"key": {" " + r.key(api.ScopeRead) + "\n"}, "next": {"/customers/77/candidates?id=a%26b"}})
	if got.StatusCode != http.StatusSeeOther || got.to() != "/customers/77/candidates?id=a%26b" {
		t.Fatalf("%d to %q", got.StatusCode, got.to())
	}
}

func TestChangeWithoutSessionIsNotRedirected(t *testing.T) {
	got := newRig(t).visitor().post("/lanes", nil)
	if got.StatusCode != http.StatusUnauthorized || !got.has("Log in again") {
		t.Errorf("%d: %s", got.StatusCode, got.text)
	}
}

func TestLoginDoesNotRedirectElsewhere(t *testing.T) {
	for _, address := range []string{
		"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)", "evil", "/\t/evil.example", "/login?next=/login", "http:/x", "\r\n/x",
	} {
		if got := localPath(address); got != "/" {
			t.Errorf("%q leads to %q", address, got)
		}
	}
	if got := localPath("/customers/1/batches?x=1"); got != "/customers/1/batches?x=1" {
		t.Errorf("an address of ours leads to %q", got)
	}
}

func TestInvalidKeyIsRefusedWithASentence(t *testing.T) {
	r := newRig(t)
	for _, key := range []string{"", "nonsense", "ixk_abc", strings.Repeat("x", 5000), "<script>alert(1)</script>"} {
		got := r.visitor().post("/login", url.Values{"key": {key}})
		if got.StatusCode != http.StatusUnauthorized || !got.has("Invalid API key") || len(got.Cookies()) > 0 {
			t.Errorf("%d: %s", got.StatusCode, got.text)
		}
		if key != "" && strings.Contains(got.text, key) {
			t.Errorf("the page repeats the key")
		}
	}
}

func TestAnonymousFormsAreSmall(t *testing.T) {
	p := newRig(t).visitor()
	for name, body := range map[string]io.Reader{
		"of unknown length": io.MultiReader(strings.NewReader("key=ixk_x")),
		"a large one":       strings.NewReader("key=" + strings.Repeat("x", api.SmallForm)),
	} {
		if got := p.do(http.MethodPost, "/login", body, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"); got.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
}

// slowForm is the body of a login that stalls.
type slowForm struct {
	began chan<- struct{}
	end   <-chan struct{}
	io.Reader
}

func (f slowForm) Read(p []byte) (int, error) {
	f.began <- struct{}{}
	<-f.end
	return f.Reader.Read(p)
}

func TestSlowLoginsDoNotBlockSessions(t *testing.T) {
	const share = 8
	r := newRig(t, func(d *api.Deps, _ *Options) { d.Settings.MaxRequests = 40 })
	p := r.person(api.ScopeRead)
	const form = "key=ixk_x"
	began, end := make(chan struct{}, 10*share), make(chan struct{})
	// So the client sends the body only when the server reads it.
	waiting := &http.Transport{ExpectContinueTimeout: time.Minute}
	t.Cleanup(waiting.CloseIdleConnections)
	ended := make(chan int, share)
	for range share {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+"/login", slowForm{began, end, strings.NewReader(form)})
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = int64(len(form))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Expect", "100-continue")
		go func() {
			response, err := waiting.RoundTrip(req)
			if err != nil {
				t.Error(err)
				ended <- 0
				return
			}
			response.Body.Close()
			ended <- response.StatusCode
		}()
		<-began
	}
	if got := r.visitor().get("/login"); got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" || !got.has("Try again in a few seconds") {
		t.Errorf("one more: %d: %s", got.StatusCode, got.text)
	}
	p.get("/batches").wants(t, http.StatusOK)
	close(end)
	for range share {
		if status := <-ended; status != http.StatusUnauthorized {
			t.Errorf("a slow log-in got %d", status)
		}
	}
	r.visitor().get("/login").wants(t, http.StatusOK)
}

func TestManyWrongKeysFromOneAddressAreDelayed(t *testing.T) {
	r := newRig(t)
	p := r.visitor()
	for range 200 {
		if got := p.post("/login", url.Values{"key": {"ixk_wrong"}}); got.StatusCode == http.StatusTooManyRequests {
			if !got.has("Try again in") {
				t.Errorf("the page does not say when: %s", got.text)
			}
			return
		}
	}
	t.Error("200 wrong keys were tried from one address")
}

func TestSessionEnds(t *testing.T) {
	cases := map[string]func(*rig, *person, string){
		"when the key is revoked": func(r *rig, _ *person, id string) {
			if _, err := r.ledger.Access.RevokeAPIKey(r.t.Context(), id, r.now.Now()); err != nil {
				r.t.Fatal(err)
			}
		},
		"after twelve hours": func(r *rig, _ *person, _ string) { r.now.Pass(12*time.Hour + time.Second) },
		"by logging out":     func(_ *rig, p *person, _ string) { p.post("/logout", nil) },
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			key, token, err := r.ledger.Access.NewAPIKey(t.Context(), store.APIKey{Name: "someone", Scopes: []string{"read"}, By: "a test"}, r.now.Now())
			if err != nil {
				t.Fatal(err)
			}
			p := r.visitor()
			p.post("/login", url.Values{"key": {token}})
			if got := p.get("/batches"); got.StatusCode != http.StatusOK {
				t.Fatalf("while it lasts: %d", got.StatusCode)
			}
			end(r, p, key.ID)
			if got := p.get("/batches"); got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.to(), "/login") {
				t.Errorf("afterwards: %d to %q", got.StatusCode, got.to())
			}
			if got := p.get("/batches", "HX-Request", "true"); got.StatusCode != http.StatusUnauthorized || got.Header.Get("HX-Retarget") != "#session" || !got.has("your input is kept") {
				t.Errorf("afterwards, for htmx: %d at %q: %s", got.StatusCode, got.Header.Get("HX-Retarget"), got.text)
			}
			form := r.server.URL + "/customers/1234/export?x=1"
			if got := p.post("/customers/1234/export", nil, "Referer", form); got.StatusCode != http.StatusUnauthorized || !got.has("Your session has ended", `name="next" value="/customers/1234/export?x=1"`) {
				t.Errorf("afterwards, a form: %d: %s", got.StatusCode, got.text)
			}
			if got := p.post("/customers/1234/export", nil, "Referer", "https://elsewhere.example/x"); !got.has(`name="next" value="/"`) {
				t.Errorf("a form from elsewhere: %s", got.text)
			}
		})
	}
}

func TestRateLimitPageHasTheFrame(t *testing.T) {
	r := newRig(t, func(d *api.Deps, _ *Options) { d.Settings.KeyRate, d.Settings.KeyBurst = 0.5, 3 })
	ward{r}.connect(mine)
	p := r.person(api.ScopeExport, mine)
	wanted := "/customers/1234/batches?tests=true"
	p.get(wanted).wants(t, http.StatusOK)
	// The rate limit has no request left for whoami.
	got := p.get(wanted)
	got.wants(t, http.StatusTooManyRequests, "Too many requests with this API key.", "Try again in 2s.", `href="/customers/1234/batches?tests=true">Try again`, `aria-label="Sections"`, `href="/lanes"`, "test export", "Log out")
	if after := got.Header.Get("Retry-After"); after != "2" {
		t.Errorf("Retry-After is %q", after)
	}
	got = p.post("/customers/1234/jobs/refresh", nil)
	got.wants(t, http.StatusTooManyRequests, `aria-label="Sections"`)
	got.lacks(t, ">Try again<")
	if got = p.get("/lanes", "HX-Request", "true"); got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "2" || got.has("<html") {
		t.Errorf("to htmx: %d: %s", got.StatusCode, got.text)
	}
	r.now.Pass(time.Minute)
	p.get(wanted).wants(t, http.StatusOK)
}

func TestSessionCookieIsProtected(t *testing.T) {
	r := newRig(t, func(d *api.Deps, _ *Options) { d.Settings.TrustedProxies = []string{"127.0.0.1"} })
	token := r.key(api.ScopeRead)
	for _, overTLS := range []bool{false, true} {
		var header []string
		if overTLS {
			header = []string{"X-Forwarded-Proto", "https"}
		}
		got := r.visitor().post("/login", url.Values{"key": {token}}, header...)
		if len(got.Cookies()) != 1 {
			t.Fatalf("%d cookies", len(got.Cookies()))
		}
		c := got.Cookies()[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure != overTLS || strings.HasPrefix(c.Name, "__Host-") != overTLS || c.Path != "/" {
			t.Errorf("over TLS %t: %+v", overTLS, c)
		}
		if strings.Contains(c.Value, token) || strings.Contains(r.log.String(), token) {
			t.Error("the key can be read")
		}
	}
}

func TestForeignCookieIsNoSession(t *testing.T) {
	r := newRig(t)
	other, err := r.Keys.Seal([]byte(`{"token":"x","until":"2100-01-01T00:00:00Z"}`), "jobs:1")
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"", "x", string(other), "AAAA"} {
		if got := r.visitor().get("/batches", "Cookie", sessionCookie+"="+url.QueryEscape(value)); got.StatusCode != http.StatusSeeOther {
			t.Errorf("%q: %d", value, got.StatusCode)
		}
	}
}

func TestOtherSitesCannotMakeChanges(t *testing.T) {
	r := newRig(t)
	p := r.person(api.ScopeAdmin)
	for name, header := range map[string][]string{
		"cross-site":                   {"Sec-Fetch-Site", "cross-site"},
		"same-site, another origin":    {"Sec-Fetch-Site", "same-site"},
		"another origin, old browser":  {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		"a hidden origin, old browser": {"Sec-Fetch-Site", "", "Origin", "null"},
	} {
		if got := p.post("/logout", nil, header...); got.StatusCode != http.StatusForbidden || !got.has("another site") || len(got.Cookies()) > 0 {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
	if got := p.get("/batches"); got.StatusCode != http.StatusOK {
		t.Errorf("the session is gone: %d", got.StatusCode)
	}
}

func TestPagesLoadNothingForeignAndAreNotCached(t *testing.T) {
	p := newRig(t).person(api.ScopeRead)
	for _, path := range []string{"/batches", "/login", "/nowhere", "/customers/x/batches"} {
		got := p.get(path)
		policy := got.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %q", path, policy)
		}
		if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("X-Content-Type-Options") != "nosniff" || got.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v", path, got.Header)
		}
	}
}

func TestStaticFilesAreCachedByContent(t *testing.T) {
	p := newRig(t).visitor()
	for _, name := range []string{"console.css", "htmx.min.js", "hx-sse.min.js", "console.js", "icon.svg"} {
		if got := p.get(asset(name)); got.StatusCode != http.StatusOK || !strings.Contains(got.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %q", name, got.StatusCode, got.Header.Get("Cache-Control"))
		}
		if got := p.get("/static/" + name); strings.Contains(got.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s without its version is kept for good", name)
		}
	}
	if got := p.get("/static/"); got.StatusCode != http.StatusNotFound {
		t.Errorf("the list of files: %d", got.StatusCode)
	}
}

func TestKeyOfOneCustomerOpensNoOthers(t *testing.T) {
	r := newRig(t, func(_ *api.Deps, o *Options) { o.Monitoring = http.NotFoundHandler() })
	p := r.person(api.ScopeRead, "1234")
	if got := p.get("/batches"); got.StatusCode != http.StatusSeeOther || got.to() != "/customers/1234/batches" {
		t.Errorf("the only customer: %d to %q", got.StatusCode, got.to())
	}
	p = r.person(api.ScopeRead, "1234", "77")
	if got := p.get("/batches"); got.StatusCode != http.StatusOK || !got.has(`href="/batches?customer=1234"`, `href="/batches?customer=77"`) {
		t.Errorf("the chooser: %d: %s", got.StatusCode, got.text)
	}
	if got := p.get("/batches?customer=77"); got.to() != "/customers/77/batches" {
		t.Errorf("the chosen one: %d to %q", got.StatusCode, got.to())
	}
	if got := p.get("/monitoring"); got.StatusCode != http.StatusForbidden || !got.has("requires a key for all customers") {
		t.Errorf("asynq's web UI: %d: %s", got.StatusCode, got.text)
	}
}
