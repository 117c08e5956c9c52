package console

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

var tags = regexp.MustCompile(`(?s)<head>.*?</head>|<[^>]*>|\s+`)

// If Redis refuses writes, pages show its message and the remedy next to waiting work and failed
// changes.
func TestPagesNameARefusingRedis(t *testing.T) {
	for _, refusal := range redistest.Refusals() {
		t.Run(refusal.Name, func(t *testing.T) {
			server := refusal.Start(t)
			client := server.Client(t)
			r := newRig(t, func(d *api.Deps, o *Options) {
				d.Redis, d.Ledger = client, store.NewLedger(client, o.Keys)
				d.Producer = tasks.NewClient(client, d.Ledger)
			})
			r.ledger = store.NewLedger(client, r.Keys)
			_, refs := testrig.Accept(t, r.ledger, "1234", 1709, testrig.Numbered(0, 2)...)
			testrig.GiveUp(t, r.ledger, "job_not_found", testrig.NoJob, refs[0])
			conn := store.Connection{Customer: "1234", Username: "export-user", Password: "hunter2-hunter2", PortalURLs: "https://api.icims.com/customers/1234/search/portals/1?staleness=0"}
			if _, err := r.ledger.Connections.Add(t.Context(), conn, "a test", ""); err != nil {
				t.Fatal(err)
			}
			p, key := r.person(api.ScopeAdmin), r.key(api.ScopeRead)
			refusal.Begin(t, server)
			r.now.Pass(time.Second)

			named := func(what, page string, status, want int) {
				t.Helper()
				said := html.UnescapeString(page)
				if missing := refusal.Missing(said); len(missing) > 0 || strings.Contains(said, "Start one") || status != want {
					t.Errorf("%s: %d, lacks %q or asks for a worker: %s", what, status, missing, tags.ReplaceAllString(said, " "))
				}
			}
			for _, path := range []string{"/lanes", "/customers/1234/lane", "/customers/1234/dead-letters", "/customers/1234/export", "/customers/1234/batches"} {
				page := p.get(path)
				named(path, page.text, page.StatusCode, http.StatusOK)
			}
			failed := p.post("/customers/1234/verifications", url.Values{"job": {"1709"}})
			named("a change", failed.text, failed.StatusCode, http.StatusServiceUnavailable)
			if late := r.visitor(); late.post("/login", url.Values{"key": {key}}).StatusCode == http.StatusSeeOther {
				page := late.get("/lanes")
				named("a new session", page.text, page.StatusCode, http.StatusOK)
			} else {
				failed := late.post("/login", url.Values{"key": {key}})
				named("a log-in", failed.text, failed.StatusCode, http.StatusServiceUnavailable)
			}
		})
	}
}
