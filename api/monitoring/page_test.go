package monitoring

import (
	"compress/gzip"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/seekout/icims-export/store/redistest"
)

// element is an element of a page with its text.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

func elements(t *testing.T, page string) []element {
	t.Helper()
	var all []element
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return all
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			e := element{name: token.Data, attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Key] = a.Val
			}
			all = append(all, e)
		case html.TextToken:
			if len(all) > 0 {
				all[len(all)-1].text += strings.TrimSpace(string(z.Text()))
			}
		default:
		}
	}
}

// fetches matches places in a script or style sheet that load a foreign URL: import, url() and the
// like, with a scheme or two slashes.
var fetches = regexp.MustCompile(`(?i)(@import|url\(|import\(|importScripts\(|fetch\(|\.src\s*=|\.href\s*=|new (WebSocket|EventSource|Worker)\(|sendBeacon\()\s*["'(]*\s*(https?:|wss?:)?//`)

func TestPageLoadsOnlyServedFiles(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	for who, h := range map[string]*Handler{"operate": newHandler(t, client), "look": newHandler(t, client, onlyLook)} {
		w := call(t, h, http.MethodGet, "/monitoring")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		scripts, home, flags := 0, false, ""
		for _, e := range elements(t, w.Body.String()) {
			if e.name == "script" && (e.attrs["src"] == "" || e.text != "") || e.name == "style" || e.attrs["style"] != "" || e.name == "base" || e.name == "iframe" {
				t.Errorf("inline: %+v", e)
			}
			for name := range e.attrs {
				if strings.HasPrefix(name, "on") {
					t.Errorf("a handler: %+v", e)
				}
			}
			for _, address := range []string{e.attrs["src"], e.attrs["href"], e.attrs["srcset"], e.attrs["action"]} {
				switch {
				case address == "":
				case address == "/" && e.name == "a":
					home = true
				case !strings.HasPrefix(address, "/monitoring/"):
					t.Errorf("leads outside: %+v", e)
				default:
					file := call(t, h, http.MethodGet, address)
					if file.Code != http.StatusOK || file.Body.Len() == 0 || strings.Contains(file.Header().Get("Content-Type"), "html") {
						t.Errorf("%s: %d %s", address, file.Code, file.Header())
					}
					if found := fetches.FindString(file.Body.String()); found != "" {
						t.Errorf("%s loads from outside: %s", address, found)
					}
					if e.name == "script" {
						scripts++
					}
					if strings.Contains(file.Body.String(), "FLAG_READ_ONLY=") {
						flags = file.Body.String()
					}
				}
			}
		}
		if scripts != 5 || !home {
			t.Errorf("%d scripts, and a way home is %v", scripts, home)
		}
		if readOnly := strings.Contains(flags, `FLAG_READ_ONLY="true"`); readOnly != (who == "look") || !strings.Contains(flags, `FLAG_PROMETHEUS_SERVER_ADDRESS=""`) {
			t.Errorf("flags of %s: %s", who, flags)
		}
	}
}

func TestFetchesAreFound(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`@import "https://fonts.test/css";`, `@font-face{src:url(//fonts.test/a.woff)}`, `i.src="https://cdn.test/x.js"`, `import("https://cdn.test/x.js")`, `new WebSocket('wss://a.test')`,
	} {
		if !fetches.MatchString(text) {
			t.Errorf("not found: %s", text)
		}
	}
}

func TestPolicyAllowsOnlyWhatThePageNeeds(t *testing.T) {
	t.Parallel()
	h := newHandler(t, redistest.Shared(t).Client(t))
	nonces := map[string]bool{}
	for _, path := range []string{"", "/", "/servers", "/queues/icims:1234?status=active", "/queues/icims:1234/tasks/" + someTask} {
		w := call(t, h, http.MethodGet, "/monitoring"+path)
		policy := w.Header().Get("Content-Security-Policy")
		m := regexp.MustCompile(`'nonce-([A-Z2-7]{26})'`).FindStringSubmatch(policy)
		if m == nil || !strings.Contains(w.Body.String(), `<meta property="csp-nonce" content="`+m[1]+`">`) {
			t.Fatalf("%s: %s with\n%s", path, policy, w.Body)
		}
		nonces[m[1]] = true
		want := "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + m[1] + "'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		if policy != want {
			t.Errorf("%s has the policy %s", path, policy)
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s has the headers %v", path, w.Header())
		}
	}
	if len(nonces) != 5 {
		t.Errorf("a nonce was used again: %v", nonces)
	}
	w := call(t, h, http.MethodGet, "/monitoring/api/queues")
	if w.Header().Get("Content-Security-Policy") != "default-src 'none'; frame-ancestors 'none'" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("headers of JSON: %v", w.Header())
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	h := newHandler(t, redistest.Shared(t).Client(t))
	var bundle string
	for path := range h.files {
		if strings.HasPrefix(path, "/static/js/main.") && strings.HasSuffix(path, ".js") {
			bundle = "/monitoring" + path
		}
	}
	plain := call(t, h, http.MethodGet, bundle)
	t.Run("files with a hash in their name are cached forever", func(t *testing.T) {
		t.Parallel()
		for path, f := range h.files {
			w := call(t, h, http.MethodGet, "/monitoring"+path)
			want := "no-cache"
			if strings.HasSuffix(path, ".js") || strings.HasSuffix(path, ".css") {
				want = "private, max-age=31536000, immutable"
			}
			if got := w.Header().Get("Cache-Control"); got != want || w.Header().Get("ETag") != f.tag {
				t.Errorf("%s: %v", path, w.Header())
			}
			if again := call(t, h, http.MethodGet, "/monitoring"+path, "If-None-Match", f.tag); again.Code != http.StatusNotModified {
				t.Errorf("%s again: %d", path, again.Code)
			}
		}
	})
	t.Run("large files are compressed if accepted", func(t *testing.T) {
		t.Parallel()
		w := call(t, h, http.MethodGet, bundle, "Accept-Encoding", "gzip, br")
		if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" || w.Header().Get("ETag") == plain.Header().Get("ETag") || w.Body.Len()*2 > plain.Body.Len() {
			t.Fatalf("%d of %d bytes: %v", w.Body.Len(), plain.Body.Len(), w.Header())
		}
		r, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || string(text) != plain.Body.String() {
			t.Errorf("%d bytes, %v", len(text), err)
		}
	})
	t.Run("the bundle's licenses are served", func(t *testing.T) {
		t.Parallel()
		if m := regexp.MustCompile(`[\w.]+LICENSE\.txt`).FindString(call(t, h, http.MethodGet, "/monitoring/static/js/2.83624df2.chunk.js").Body.String()); m == "" {
			t.Error("the bundle names no licences")
		} else if w := call(t, h, http.MethodGet, "/monitoring/static/js/"+m); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "MIT") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("nothing else is", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/static/js/2.83624df2.chunk.js.map", "/manifest.json", "/static/other", "/../handler.go"} {
			if w := call(t, h, http.MethodGet, "/monitoring"+path); w.Code != http.StatusNotFound {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
	})
}

func TestUnexpectedPagesAreNotServed(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a script from outside":      `<!doctype html><script>1</script><script src="https://cdn.test/a.js"></script><link rel="icon" href="/monitoring/a.ico">`,
		"a script that is not there": `<!doctype html><script>1</script><script src="/monitoring/a.js"></script><link rel="icon" href="/monitoring/a.ico">`,
		"no scripts":                 `<!doctype html><p>Welcome`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &Handler{options: Options{Path: "/monitoring"}, files: map[string]*file{}}
			p, err := h.adopt(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if path.Ext(r.URL.Path) == ".ico" {
					_, _ = io.WriteString(w, "an icon")
					return
				}
				_, _ = io.WriteString(w, text)
			}))
			if err == nil {
				t.Errorf("it is served: %+v", p)
			}
		})
	}
}
