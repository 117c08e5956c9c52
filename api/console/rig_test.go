package console

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }

// rig is a running API with its console.
type rig struct {
	*Console
	t      *testing.T
	ledger *store.Ledger
	client *tasks.Client
	server *httptest.Server
	log    *testrig.Log
	now    *testrig.Clock
}

// newRig returns a console with an empty Redis. change may change the options of the console and
// its API.
func newRig(t *testing.T, change ...func(*api.Deps, *Options)) *rig {
	t.Helper()
	client := redistest.Shared(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(client, keys)
	r := &rig{t: t, ledger: ledger, client: tasks.NewClient(client, ledger), log: &testrig.Log{}, now: testrig.NewClock()}
	log := zerolog.New(r.log)
	d := api.Deps{Redis: client, Ledger: ledger, Producer: r.client, Log: log, Now: r.now.Now}
	o := Options{Keys: keys, Version: "test", Log: log, Now: r.now.Now}
	for _, c := range change {
		c(&d, &o)
	}
	if o.API, err = api.New(d); err != nil {
		t.Fatal(err)
	}
	if r.Console, err = New(o); err != nil {
		t.Fatal(err)
	}
	o.API.Mount(r.Console)
	r.server = httptest.NewServer(o.API.Handler())
	t.Cleanup(func() {
		o.API.Close()
		r.server.Close()
	})
	return r
}

// key creates an API key; without customers it is valid for all.
func (r *rig) key(scope api.Scope, customers ...string) string {
	r.t.Helper()
	_, token, err := r.ledger.Access.NewAPIKey(r.t.Context(), store.APIKey{Name: "test " + string(scope), Scopes: []string{string(scope)}, Customers: customers, By: "a test"}, r.now.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// person is a browser without JavaScript, which keeps cookies and does not follow redirects.
type person struct {
	r      *rig
	client *http.Client
}

// visitor returns a browser that is not logged in.
func (r *rig) visitor() *person {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	client := &http.Client{
		Jar: jar, Transport: r.server.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r.t.Cleanup(client.CloseIdleConnections)
	return &person{r, client}
}

// person returns a browser that is logged in with a key of the scope.
func (r *rig) person(scope api.Scope, customers ...string) *person {
	r.t.Helper()
	p := r.visitor()
	if got := p.post("/login", url.Values{"key": {r.key(scope, customers...)}}); got.StatusCode != http.StatusSeeOther {
		r.t.Fatalf("the log-in was answered %d: %s", got.StatusCode, got.text)
	}
	return p
}

// shown is a response to a browser.
type shown struct {
	*http.Response
	text string
}

// to returns the target of a redirect.
func (s shown) to() string { return s.Header.Get("Location") }

// has reports whether the page contains all texts.
func (s shown) has(texts ...string) bool {
	for _, text := range texts {
		if !strings.Contains(s.text, text) {
			return false
		}
	}
	return true
}

// get opens a URL; header alternates names and values.
func (p *person) get(path string, header ...string) shown {
	p.r.t.Helper()
	return p.do(http.MethodGet, path, nil, header...)
}

// post sends a form, as the console's own pages do.
func (p *person) post(path string, form url.Values, header ...string) shown {
	p.r.t.Helper()
	return p.do(http.MethodPost, path, strings.NewReader(form.Encode()), append([]string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"}, header...)...)
}

func (p *person) do(method, path string, body io.Reader, header ...string) shown {
	p.r.t.Helper()
	r, err := http.NewRequestWithContext(p.r.t.Context(), method, p.r.server.URL+path, body)
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
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.r.t.Fatal(err)
	}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
		wantVisible(p.r.t, method+" "+path, string(text))
	}
	return shown{response, string(text)}
}

// formValues matches input that a page returns unchanged, and data for scripts.
var formValues = regexp.MustCompile(`(?s) (?:value|data-[a-z-]+)="[^"]*"|<textarea.*?</textarea>`)

// wantVisible fails if a page displays foreign control characters.
func wantVisible(t *testing.T, what, page string) {
	t.Helper()
	page = formValues.ReplaceAllString(page, "")
	if i := strings.IndexFunc(page, prose.Misleading); i >= 0 {
		t.Errorf("%s displays control characters: %q", what, page[max(0, i-80):min(len(page), i+20)])
	}
}
