package worker

import (
	"testing"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestVerdictsMoveAConnectionOnlyWhereTheyAreNews(t *testing.T) {
	t.Parallel()
	const degraded, connected = store.ConnectionDegraded, store.ConnectionConnected
	for name, c := range map[string]struct {
		from   store.ConnectionState
		reason store.Reason
		told   store.ConnectionState
		want   store.ConnectionState
	}{
		"long trouble degrades one that was connected":        {connected, "", degraded, degraded},
		"long trouble says nothing of one never verified":     {store.ConnectionNew, "", degraded, store.ConnectionNew},
		"a success ends the trouble":                          {degraded, store.ReasonBreakerOpen, connected, connected},
		"a success does not overrule a verification":          {degraded, "verify_right_missing", connected, degraded},
		"a success ends refused credentials":                  {store.CredentialsRejected, "icims_credentials", connected, connected},
		"a success does not verify one that is new":           {store.ConnectionNew, "", connected, store.ConnectionNew},
		"refused credentials count for one that was verified": {connected, "", store.CredentialsRejected, store.CredentialsRejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := redistest.Shared(t).Client(t)
			keys, err := store.NewKeyset()
			if err != nil {
				t.Fatal(err)
			}
			ledger := store.NewLedger(client, keys)
			w := New(client, ledger, DefaultSettings(), icims.HostPolicy{}, zerolog.Nop())
			stored, err := ledger.AddConnection(t.Context(), store.Connection{Customer: "1234", Username: "u", Password: "p", PortalURLs: "x"}, "maria", "")
			if err != nil {
				t.Fatal(err)
			}
			for _, to := range []store.ConnectionState{store.ConnectionVerifying, c.from} {
				reason := store.Reason("")
				if to == c.from {
					reason = c.reason
				}
				if err := ledger.MoveConnection(t.Context(), "1234", store.ConnectionMove{To: to, Reason: reason, Who: "maria"}); err != nil {
					t.Fatal(err)
				}
			}
			use := stored.WithDefaults()
			use.Stored = true
			if err := w.tellVerdict(t.Context(), use, c.told, store.ReasonBreakerOpen); err != nil {
				t.Fatal(err)
			}
			now, err := ledger.Connection(t.Context(), "1234")
			if err != nil || now.Below() != c.want {
				t.Errorf("%s, %v; want %s", now.Below(), err, c.want)
			}
			edited := use
			edited.Username = "another"
			if err := w.tellVerdict(t.Context(), edited, store.AccessDenied, ""); err != nil {
				t.Fatal(err)
			}
			if after, err := ledger.Connection(t.Context(), "1234"); err != nil || after.Below() != c.want {
				t.Errorf("a verdict on other settings: %s, %v", after.Below(), err)
			}
		})
	}
}
