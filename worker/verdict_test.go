package worker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestVerdictsChangeConnectionState(t *testing.T) {
	t.Parallel()
	const degraded, connected = store.ConnectionDegraded, store.ConnectionConnected
	for name, c := range map[string]struct {
		from   store.ConnectionState
		reason store.Reason
		told   store.ConnectionState
		want   store.ConnectionState
	}{
		"a long outage degrades a connected one":          {connected, "", degraded, degraded},
		"a long outage does not change an unverified one": {store.ConnectionNew, "", degraded, store.ConnectionNew},
		"a success ends the outage":                       {degraded, store.ReasonBreakerOpen, connected, connected},
		"a success does not override a verification":      {degraded, "verify_right_missing", connected, degraded},
		"a success ends refused credentials":              {store.CredentialsRejected, "icims_credentials", connected, connected},
		"a success does not verify a new one":             {store.ConnectionNew, "", connected, store.ConnectionNew},
		"refused credentials reject a verified one":       {connected, "", store.CredentialsRejected, store.CredentialsRejected},
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
			stored, err := ledger.Connections.Add(t.Context(), store.Connection{Customer: "1234", Username: "u", Password: "p", PortalURLs: "x"}, "maria", "")
			if err != nil {
				t.Fatal(err)
			}
			for _, to := range []store.ConnectionState{store.ConnectionVerifying, c.from} {
				reason := store.Reason("")
				if to == c.from {
					reason = c.reason
				}
				if err := ledger.Connections.Move(t.Context(), "1234", store.ConnectionMove{To: to, Reason: reason, Who: "maria"}); err != nil {
					t.Fatal(err)
				}
			}
			use := stored.WithDefaults()
			use.Stored = true
			if err := w.setConnectionState(t.Context(), use, c.told, store.ReasonBreakerOpen); err != nil {
				t.Fatal(err)
			}
			now, err := ledger.Connections.Get(t.Context(), "1234")
			if err != nil || now.Below() != c.want {
				t.Errorf("%s, %v; want %s", now.Below(), err, c.want)
			}
			edited := use
			edited.Username = "another"
			if err := w.setConnectionState(t.Context(), edited, store.AccessDenied, ""); err != nil {
				t.Fatal(err)
			}
			if after, err := ledger.Connections.Get(t.Context(), "1234"); err != nil || after.Below() != c.want {
				t.Errorf("a verdict on other settings: %s, %v", after.Below(), err)
			}
		})
	}
}

// verdictStore is a store of verdicts that may fail.
type verdictStore struct {
	states []store.ConnectionState
	fails  bool
}

func (s *verdictStore) setState(_ context.Context, _ store.Connection, to store.ConnectionState, _ store.Reason) error {
	if s.fails {
		return errors.New("the store of the test fails")
	}
	s.states = append(s.states, to)
	return nil
}

func TestVerdictIsStoredUntilItSucceeds(t *testing.T) {
	t.Parallel()
	var s verdictStore
	now := time.Unix(1_800_000_000, 0)
	l := &lane{conn: store.Connection{Customer: "1234", Stored: true}, base: t.Context(), setState: s.setState, now: func() time.Time { return now }, log: zerolog.Nop()}
	note := func(o outcome, want ...store.ConnectionState) {
		t.Helper()
		s.states = nil
		l.noteVerdict(o)
		l.background.Wait()
		if !slices.Equal(s.states, want) {
			t.Errorf("stored %v, want %v", s.states, want)
		}
	}
	success := outcome{kind: done}
	refusal := outcome{kind: deferred, reason: "icims_credentials", err: &icims.Error{Class: icims.ClassCredentials}}
	s.fails = true
	note(success)
	s.fails = false
	note(success, store.ConnectionConnected)
	note(success)
	note(refusal, store.CredentialsRejected)
	note(refusal)
	note(success, store.ConnectionConnected)
	now = now.Add(verdictValid)
	note(success, store.ConnectionConnected) // another process may have stored another one
	l.verdicts.forget()
	note(success, store.ConnectionConnected)
	note(outcome{kind: retry, err: errors.New("of no account")})
}

func TestVerdictsAreStoredInOrder(t *testing.T) {
	t.Parallel()
	var v verdicts
	now := time.Unix(1_800_000_000, 0)
	connected, rejected := connectionVerdict{to: store.ConnectionConnected}, connectionVerdict{to: store.CredentialsRejected}
	if news, tell := v.add(rejected, now); !news || !tell {
		t.Fatal("the first verdict is not stored")
	}
	first, _ := v.take()
	for range 2 { // while it is being stored
		if _, tell := v.add(connected, now); tell {
			t.Error("two stores at the same time")
		}
	}
	v.setStored(first.to, now, nil)
	second, ok := v.take()
	if first != rejected || second != connected || !ok {
		t.Errorf("stored %v, then %v", first, second)
	}
	v.add(connected, now)
	v.setStored(second.to, now, nil)
	if third, ok := v.take(); ok {
		t.Errorf("%v is stored again", third)
	}
	if _, tell := v.add(rejected, now); !tell {
		t.Error("a new verdict is not stored")
	}
}
