package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

// moved changes the connection's state step by step, the last time for a reason.
func (r *rig) moved(reason store.Reason, states ...store.ConnectionState) {
	r.t.Helper()
	for i, to := range states {
		move := store.ConnectionMove{To: to, Who: "w1"}
		if i == len(states)-1 {
			move.Reason = reason
		}
		if err := r.ledger.Connections.Move(r.t.Context(), mine, move); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestEmptyConnectionListExplainsTheSteps(t *testing.T) {
	r := newRig(t, func(d *api.Deps, _ *Options) { d.Settings.EgressAddresses = []string{"192.0.2.7", "192.0.2.8"} })
	r.person(api.ScopeAdmin).get("/").wants(t, http.StatusOK, "No connections yet", "<b>Capabilities</b>", "<b>Verify</b>", `href="/connections/new"`,
		"192.0.2.7, 192.0.2.8", `data-copy="192.0.2.7, 192.0.2.8"`, "allow-list them")
	got := r.person(api.ScopeOperate).get("/")
	got.wants(t, http.StatusOK, "a key with the admin scope")
	got.lacks(t, `href="/connections/new"`)
	newRig(t).person(api.ScopeRead).get("/").wants(t, http.StatusOK, "egress_addresses")
}

func TestConnectionListLinksToExportsThatNeedAttention(t *testing.T) {
	w := newWard(t)
	w.connected()
	w.moved("", store.ConnectionVerifying, store.ConnectionConnected)
	p := w.person(api.ScopeRead)
	p.get("/").lacks(t, "/customers/1234/lane", "/customers/1234/dead-letters")
	w.makeDeadLetters()
	got := p.get("/")
	got.wants(t, http.StatusOK, `<span class="badge good">connected</span> <a class="badge bad" href="/customers/1234/dead-letters">8 dead</a>`)
	got.lacks(t, "/customers/1234/lane", "No action needed.")
	_, refs := w.accept(mine, 1709, "c-1")
	w.enqueue(refs...)
	w.pause(mine, "go-live")
	p.get("/").wants(t, http.StatusOK, `<a class="badge warn" href="/customers/1234/lane">1 waiting</a>`, "8 dead")
}

func TestEachConnectionShowsStateAndRemedy(t *testing.T) {
	cases := map[string]struct {
		before func(*rig)
		has    []string
	}{
		"not verified": {func(*rig) {}, []string{"not verified", "Not verified since", "Verify the connection to check"}},
		"connected": {func(r *rig) { r.moved("", store.ConnectionVerifying, store.ConnectionConnected) },
			[]string{`class="badge good">connected`, "No action needed."}},
		"credentials rejected": {func(r *rig) { r.moved("icims_credentials", store.CredentialsRejected) },
			[]string{`class="badge bad">credentials rejected`, "iCIMS refuses the user name or password", "Put the right credentials"}},
		"paused": {func(r *rig) {
			if err := r.ledger.Lanes.Pause(r.t.Context(), mine, store.Pause{By: "ana", Why: markup, Until: time.Now().Add(time.Hour)}); err != nil {
				r.t.Fatal(err)
			}
		}, []string{`class="badge warn">paused`, "Paused by ana: &lt;script&gt;", "Until <time"}},
		"what a verification found": {func(r *rig) {
			r.verified(verify.ResultDegraded, verify.Check{Name: verify.CheckTest, Title: "Test candidate", State: verify.Warned, Code: verify.CodeNoJob, Cause: "The portals show no job.", Remedy: "Verify again when there is one."})
			r.moved(store.VerifyReason(string(verify.CodeNoJob)), store.ConnectionVerifying, store.ConnectionDegraded)
		}, []string{`class="badge warn">degraded`, "The portals show no job.", "Verify again when there is one.", `/verifications/`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.connected()
			c.before(r)
			p := r.person(api.ScopeRead)
			for _, path := range []string{"/", "/connections/1234"} {
				has := c.has
				if path != "/" && name == "connected" {
					has = []string{"The last verification passed all checks"}
				}
				if path != "/" && name == "paused" {
					has = []string{"Paused by ana", "&lt;script&gt;", "Exports are waiting", "State after the pause: not verified"}
				}
				got := p.get(path)
				got.wants(t, http.StatusOK, has...)
				got.lacks(t, "<script>alert", "correct horse", "icims_")
			}
			p.get("/").wants(t, http.StatusOK, `href="/connections/1234"`, ">US<")
		})
	}
}

func TestConnectionListHasPages(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	r := newRig(t, func(d *api.Deps, _ *Options) {
		d.Answered = func(operation string, _ int, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, operation)
		}
	})
	for i := range shownIntegrations + 1 {
		customer := strconv.Itoa(100 + i)
		r.connected(func(c *store.Connection) {
			c.Customer, c.PortalURLs = customer, strings.Replace(portalURL, mine, customer, 1)
		})
	}
	last, more := strconv.Itoa(100+shownIntegrations-1), strconv.Itoa(100+shownIntegrations)
	p := r.person(api.ScopeRead)
	mu.Lock()
	asked = nil
	mu.Unlock()
	first := p.get("/")
	first.wants(t, http.StatusOK, `href="/connections/100"`, `href="/connections/`+last+`"`, `href="/?cursor=`+last+`"`)
	first.lacks(t, `href="/connections/`+more+`"`)
	mu.Lock()
	// The page itself is counted after its response.
	asked = slices.DeleteFunc(asked, func(operation string) bool { return operation == "page" })
	if want := []string{"whoami", "list-connections", "get-egress"}; !slices.Equal(asked, want) {
		t.Errorf("the page asks for %v, want %v however many it lists", asked, want)
	}
	mu.Unlock()
	second := p.get("/?cursor=" + last)
	second.wants(t, http.StatusOK, `href="/connections/`+more+`"`)
	second.lacks(t, `href="/connections/`+last+`"`, `rel="next"`)
	p.get("/?cursor="+more).wants(t, http.StatusOK, "No more connections")
	bound := r.person(api.ScopeRead, "103").get("/")
	bound.wants(t, http.StatusOK, `href="/connections/103"`)
	bound.lacks(t, `href="/connections/104"`, "Open customer")
}

func TestACustomerIsOpenedByNumber(t *testing.T) {
	p := newRig(t).person(api.ScopeRead)
	for query, to := range map[string]string{"?customer=+77+": "/connections/77", "?customer=x%2F..%2Fy": "/?wrong=1", "": "/", "?choose=1": "/"} {
		if got := p.get("/integrations" + query); got.StatusCode != http.StatusSeeOther || got.to() != to {
			t.Errorf("%q leads to %q", query, got.to())
		}
	}
	p.get("/?wrong=1").wants(t, http.StatusOK, "Enter up to 18 digits")
}

func TestConnectionPageShowsSettingsAndHistory(t *testing.T) {
	r := newRig(t)
	r.connected(func(c *store.Connection) { c.Source, c.LinkedInField, c.Limits.InFlight = markup, "field51001", 2 })
	other := r.stored().Connection
	other.Username = "<i>user</i>"
	if _, err := r.ledger.Connections.Edit(t.Context(), other, 1, "joe", markup); err != nil {
		t.Fatal(err)
	}
	admin := r.person(api.ScopeAdmin).get("/connections/1234")
	admin.wants(t, http.StatusOK, "&lt;i&gt;user&lt;/i&gt;", "field51001", "<dt>Concurrent calls</dt><dd>2</dd>", "<dt>Calls per second</dt><dd>5 <span class=\"fine\">default</span>", portalURL,
		"Findings about this iCIMS", "Not verified: each new candidate costs about 4 calls instead of 2", "revision 2", "edited <span class=\"fine\">username</span>", "joe", "maria", "a new customer", "Verify now", `href="/connections/1234/edit"`, `href="/connections/1234/remove"`, `href="/customers/1234/jobs"`,
		`href="/customers/1234/export"`, `href="/customers/1234/batches"`, `href="/customers/1234/dead-letters"`)
	admin.lacks(t, "<script>alert", "<i>user", "correct horse")
	reader := r.person(api.ScopeRead, mine).get("/connections/1234")
	reader.wants(t, http.StatusOK, "a key with the admin scope")
	reader.lacks(t, "Verify now", "/edit", "/remove", `href="/customers/1234/export"`)
	r.person(api.ScopeRead, "77").get("/connections/1234").wants(t, http.StatusNotFound)
}

func TestCustomerWithoutConnectionIsToldAboutTheFile(t *testing.T) {
	r := newRig(t)
	r.person(api.ScopeAdmin).get("/connections/1234").wants(t, http.StatusOK, "no connection", "connections file", `href="/connections/new?customer=1234"`, "Verify now", "Test Candidate (icims-export)", "or to skip the test person")
	r.connected()
	if err := r.ledger.Connections.Remove(t.Context(), mine, 0, "joe", "they left"); err != nil {
		t.Fatal(err)
	}
	got := r.person(api.ScopeAdmin).get("/connections/1234")
	got.wants(t, http.StatusOK, `class="badge plain">removed`, "are erased", "they left", `href="/connections/new?customer=1234"`)
	got.lacks(t, "Verify now", "Account and portals", "export-user")
}

func TestFileConnectionIsListedReadOnly(t *testing.T) {
	r := newRig(t, func(d *api.Deps, _ *Options) {
		d.Admin = admin.New(admin.Config{Redis: d.Redis, Ledger: d.Ledger, Filed: func() map[string]store.Connection {
			return map[string]store.Connection{mine: {Customer: mine, Username: "file-user", Password: "correct horse", PortalURLs: portalURL}}
		}})
	})
	p := r.person(api.ScopeAdmin)
	list := p.get("/")
	list.wants(t, http.StatusOK, `href="/connections/1234"`, `class="badge plain">connections file`, "Managed in the connections file", ">US<", ">never<")
	page := p.get("/connections/1234")
	page.wants(t, http.StatusOK, `class="badge plain">connections file`, "Managed in the connections file", "file-user", portalURL, "Verify now", `href="/connections/new?customer=1234"`)
	page.lacks(t, "correct horse", "/connections/1234/edit", "/connections/1234/remove", "Last changed")
	if got := p.get("/connections/1234/edit"); got.to() != "/connections/new?customer=1234" {
		t.Errorf("an edit leads to %q", got.to())
	}
	p.get("/connections/1234/remove").wants(t, http.StatusNotFound, "no connection")
	r.verified(verify.ResultRefused, verify.Check{Name: verify.CheckCredentials, State: verify.Failed, Code: verify.CodeCredentials, Cause: "iCIMS refuses the user.", Remedy: "Enter another."})
	for _, path := range []string{"/", "/connections/1234"} {
		p.get(path).wants(t, http.StatusOK, "iCIMS refuses the user.", "Enter another. Edit it in the workers&#39; connections file.", "/verifications/")
	}
	p.get("/customers/1234/lane").lacks(t, "This customer has no connection")
}

func TestRemovalAsksWhyAndShowsItsEffect(t *testing.T) {
	w := newWard(t)
	w.connected()
	_, refs := w.accept(mine, 1709, "c-1", "c-2")
	w.enqueue(refs...)
	p := w.person(api.ScopeAdmin, mine)
	form := p.get("/connections/1234/remove")
	form.wants(t, http.StatusOK, "Waiting exports (2)", "Cancels 2 exports", "Prevents duplicate exports", `name="revision" value="1"`)
	p.post("/connections/1234/remove", url.Values{"revision": {"1"}, "exports": {"cancel"}, "markers": {"erase"}, "why": {" "}}).
		wants(t, http.StatusUnprocessableEntity, `id="why-wrong"`, `value="cancel" checked`, `value="erase" checked`)
	p.post("/connections/1234/remove", url.Values{"revision": {"7"}, "why": {markup}}).
		wants(t, http.StatusPreconditionFailed, "Not removed: the connection has changed.", "&lt;script&gt;", `name="revision" value="1"`)
	if c := w.stored(); c.State != store.ConnectionNew {
		t.Fatalf("it is %s", c.State)
	}
	done := p.post("/connections/1234/remove", url.Values{"revision": {"1"}, "exports": {"cancel"}, "why": {"they left"}})
	if done.StatusCode != http.StatusSeeOther || done.to() != "/connections/1234?did=connection-removed" {
		t.Fatalf("%d to %q: %s", done.StatusCode, done.to(), done.text)
	}
	p.get(done.to()).wants(t, http.StatusOK, "Connection removed", "they left")
	if n, err := w.ledger.Recovery.Live(t.Context(), mine); err != nil || n != 0 {
		t.Errorf("%d exports wait still, %v", n, err)
	}
	p.get("/connections/1234/remove").wants(t, http.StatusOK, "already removed")
	w.person(api.ScopeAdmin).get("/connections/77/remove").wants(t, http.StatusNotFound, "no connection")
}
