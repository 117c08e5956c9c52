package console

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

// move changes a connection's state, as a verification or a refusal would.
func (w ward) move(customer string, moves ...store.ConnectionMove) {
	w.t.Helper()
	for _, m := range moves {
		m.Who = "a test"
		if err := w.ledger.Connections.Move(w.t.Context(), customer, m); err != nil {
			w.t.Fatal(err)
		}
	}
}

// The form shows what would block the exports before submitting. It is not disabled, since the API
// decides whether it accepts candidates.
func TestExportFormShowsObstacles(t *testing.T) {
	const absent, idle = "has no connection", "No active workers"
	verifying := store.ConnectionMove{To: store.ConnectionVerifying}
	connected := store.ConnectionMove{To: store.ConnectionConnected}
	toConnection, toLane := `href="/connections/1234">View connection`, `href="/customers/1234/lane">View lane`
	specs := map[string]struct {
		scope       api.Scope
		arrange     func(ward)
		wants, lack []string
	}{
		"no connection": {
			api.ScopeExport, func(ward) {},
			[]string{`class="note bad">This customer has no connection. Add one to export candidates.`, `href="/connections/1234">View connection`, "a key with the admin scope"},
			[]string{"/connections/new", idle},
		},
		"no connection, for who may enter one": {
			api.ScopeAdmin, func(ward) {}, []string{absent, `href="/connections/new?customer=1234">Add connection`}, []string{"a key with the admin scope"},
		},
		"a connection that was removed": {
			api.ScopeExport, func(w ward) {
				w.connect(mine)
				if err := w.ledger.Connections.Remove(w.t.Context(), mine, 0, "a test", ""); err != nil {
					w.t.Fatal(err)
				}
			}, []string{`class="note bad">This customer ` + absent}, nil,
		},
		"one that was never verified": {
			api.ScopeExport, func(w ward) { w.connect(mine) },
			[]string{`class="note warn">The connection has not been verified since its last change. Verify it first to be sure that exports work.`, toConnection}, []string{absent, idle},
		},
		"one that is being verified": {
			api.ScopeExport, func(w ward) { w.connect(mine); w.move(mine, verifying) }, []string{"is being verified", toConnection}, []string{"has not been verified"},
		},
		"one that is connected": {
			api.ScopeExport, func(w ward) { w.connect(mine); w.move(mine, verifying, connected) }, nil, []string{`<p class="note`},
		},
		"one that is degraded": {
			api.ScopeExport, func(w ward) {
				w.connect(mine)
				w.move(mine, verifying, store.ConnectionMove{To: store.ConnectionDegraded, Reason: "verify_" + store.Reason(verify.CodeRightMissing)})
			}, []string{"The connection is degraded. Verification found: right missing. See the verification", toConnection}, []string{absent},
		},
		"one that is degraded, with its verification": {
			api.ScopeExport, func(w ward) {
				w.connect(mine)
				w.verified(verify.ResultDegraded, verify.Check{Name: verify.CheckSearch, State: verify.Failed, Code: verify.CodeRightMissing, Cause: "The account may not search.", Remedy: "Have the right given."})
				w.move(mine, verifying, store.ConnectionMove{To: store.ConnectionDegraded, Reason: "verify_" + store.Reason(verify.CodeRightMissing)})
			}, []string{"The connection is degraded. The account may not search. Have the right given.", toConnection}, nil,
		},
		"credentials that iCIMS refuses, said once": {
			api.ScopeExport, func(w ward) {
				w.connect(mine)
				w.move(mine, store.ConnectionMove{To: store.CredentialsRejected, Reason: "icims_credentials"})
				w.called(mine, 1, http.StatusUnauthorized)
			}, []string{"iCIMS refuses the user name or password. Put the right credentials", toConnection}, []string{"Exports will wait"},
		},
		"a lane that iCIMS closed": {
			api.ScopeExport, func(w ward) {
				w.called(mine, 1, http.StatusUnauthorized)
				w.connect(mine)
				w.move(mine, verifying, connected)
			},
			[]string{"Exports will wait: iCIMS refuses the user name or password, until", toConnection}, nil,
		},
		"a paused lane": {
			api.ScopeExport, func(w ward) { w.connect(mine); w.move(mine, verifying, connected); w.pause(mine, markup) },
			[]string{"Exports will wait: the lane is paused by ana until resumed: &lt;script&gt;", toLane}, []string{"<script>alert", "not verified"},
		},
		"a paused lane, for who may resume it": {
			api.ScopeAdmin, func(w ward) { w.connect(mine); w.pause(mine, "maintenance") },
			[]string{"paused by ana", `href="/customers/1234/lane">Resume lane`, "has not been verified"}, nil,
		},
		"no worker": {
			api.ScopeExport, func(w ward) {
				w.connect(mine)
				if err := w.ledger.Workers.Leave(w.t.Context(), "w-1"); err != nil {
					w.t.Fatal(err)
				}
			}, []string{"No active workers", "Start one: icims-export worker"}, nil,
		},
		"workers that have no usable connection": {
			api.ScopeExport, func(w ward) {
				w.connect(mine)
				w.move(mine, verifying, connected)
				if _, err := w.ledger.Workers.Beat(w.t.Context(), store.Peer{Worker: "w-1", Free: 10, Refuses: []string{mine}}); err != nil {
					w.t.Fatal(err)
				}
			}, []string{"no worker has a usable connection for this customer", toConnection}, nil,
		},
	}
	for name, s := range specs {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			w.beat()
			s.arrange(w)
			got := w.person(s.scope, mine).get(exportPath)
			got.wants(t, http.StatusOK, append(s.wants, `name="file"`, `<button class="primary">Export</button>`)...)
			got.lacks(t, s.lack...)
		})
	}
}

func TestFileConnectionIsNotReportedMissing(t *testing.T) {
	w := newWard(t, func(d *api.Deps, _ *Options) {
		d.Admin = admin.New(admin.Config{Redis: d.Redis, Ledger: d.Ledger, Hosts: d.Hosts, Filed: func() map[string]store.Connection {
			return map[string]store.Connection{mine: {Customer: mine, Username: "export-user", Password: "correct horse", PortalURLs: portalURL}}
		}})
	})
	w.beat()
	p := w.person(api.ScopeExport)
	got := p.get(exportPath)
	got.wants(t, http.StatusOK, "has not been verified since", `href="/connections/1234">View connection`)
	got.lacks(t, "has no connection")
	w.verified(verify.ResultConnected, verify.Check{Name: verify.CheckCredentials, State: verify.OK})
	p.get(exportPath).lacks(t, `class="note`)
	w.verified(verify.ResultRefused, verify.Check{Name: verify.CheckCredentials, State: verify.Failed, Code: verify.CodeCredentials, Cause: "iCIMS refuses the user.", Remedy: "Enter another."})
	p.get(exportPath).wants(t, http.StatusOK, "iCIMS refuses the user. Enter another. Edit it in the workers")
	if got := p.send(exportPath, "a.csv", csvOf("c-1"), "key", newKey(), "job", "7"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("it was refused: %d %s", got.StatusCode, got.text)
	}
}

// Obstacles are checked each time the form is shown, but not repeated next to a refusal with the
// same text.
func TestMissingConnectionIsReportedOnce(t *testing.T) {
	w := newWard(t)
	p := w.person(api.ScopeAdmin)
	for _, path := range []string{exportPath, exportPath + "/preview"} {
		got := p.send(path, "a.csv", csvOf("c-1"), "key", newKey(), "job", "7")
		got.wants(t, http.StatusNotFound, "The customer has no connection", `href="/connections/new?customer=1234">Add connection`)
		if n := strings.Count(got.text, "Add connection</a>"); n != 1 {
			t.Errorf("%s leads to the connection %d times", path, n)
		}
	}
	p.send(exportPath, "", "", "key", newKey(), "job", "7").wants(t, http.StatusUnprocessableEntity, "are missing. Choose a file", "has no connection")
}
