package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func connectionOf(customer string) store.Connection {
	return store.Connection{
		Customer: customer, Username: "export-user", Password: "hunter2-hunter2",
		PortalURLs: "https://api.icims.com/customers/" + customer + "/search/portals/1?staleness=0",
		Limits:     store.Limits{CallsPerSecond: 3}, DummyDomain: "dummies.example.com",
	}
}

// register is a ledger with connections.
type register struct {
	*store.Ledger
	t     *testing.T
	redis redis.UniversalClient
}

func newRegister(t *testing.T, client redis.UniversalClient) *register {
	t.Helper()
	return &register{store.NewLedger(client, newKeys(t)), t, client}
}

func (r *register) added(customer string) store.StoredConnection {
	r.t.Helper()
	c, err := r.Connections.Add(r.t.Context(), connectionOf(customer), "ana", "a new customer")
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *register) read(customer string) store.StoredConnection {
	r.t.Helper()
	c, err := r.Connections.Get(r.t.Context(), customer)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// stands brings a connection into a state.
func (r *register) stands(customer string, s store.ConnectionState) {
	r.t.Helper()
	var err error
	switch s {
	case store.ConnectionAbsent:
		err = r.redis.Del(r.t.Context(), "ix:{"+customer+"}:conn").Err()
	case store.ConnectionPaused:
		err = r.Lanes.Pause(r.t.Context(), customer, store.Pause{By: "ana", Why: "a test"})
	default:
		err = r.redis.HSet(r.t.Context(), "ix:{"+customer+"}:conn", "st", string(s)).Err()
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestConnectionsAreKeptSealed(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		r := newRegister(t, client)
		r.added("1234")
		c := r.read("1234")
		if diff := cmp.Diff(connectionOf("1234"), c.Connection); diff != "" {
			t.Errorf("read otherwise than added (-want +got):\n%s", diff)
		}
		if c.Revision != 1 || c.State != store.ConnectionNew || c.Since.IsZero() || c.Edited.IsZero() {
			t.Errorf("revision, state and times: %+v", c)
		}
		if keys := redistest.Dump(t, client).Holding("hunter2", "export-user", "portals", "a new customer", "dummies"); len(keys) > 0 {
			t.Errorf("in clear in %v", keys)
		}
		stranger := store.NewLedger(client, newKeys(t))
		sealed, err := stranger.Connections.Get(t.Context(), "1234")
		if !errors.Is(err, store.ErrSealed) || !sealed.Sealed || sealed.State != store.ConnectionNew {
			t.Errorf("by another keyset: %+v, %v", sealed, err)
		}
		// A document copied to another customer's key cannot be opened.
		r.added("77")
		document, err := client.HGet(t.Context(), "ix:{1234}:conn", "d").Result()
		if err != nil {
			t.Fatal(err)
		}
		client.HSet(t.Context(), "ix:{77}:conn", "d", document)
		if _, err := r.Connections.Get(t.Context(), "77"); !errors.Is(err, store.ErrSealed) {
			t.Errorf("another customer's document opens: %v", err)
		}
	})
}

func TestConnectionIsAddedEditedRemoved(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		r, ctx := newRegister(t, client), t.Context()
		if _, err := r.Connections.Get(ctx, "1234"); !errors.Is(err, store.ErrNoConnection) {
			t.Errorf("before it is added: %v", err)
		}
		if _, err := r.Connections.Edit(ctx, connectionOf("1234"), 0, "ana", ""); !errors.Is(err, store.ErrNoConnection) {
			t.Errorf("an edit of none: %v", err)
		}
		c := r.added("1234")
		if _, err := r.Connections.Add(ctx, connectionOf("1234"), "ana", ""); !errors.Is(err, store.ErrConnectionExists) {
			t.Errorf("added twice: %v", err)
		}
		r.stands("1234", store.ConnectionConnected)

		edited := c.Connection
		edited.Password, edited.Limits.InFlight = "", 2
		c, err := r.Connections.Edit(ctx, edited, 1, "bo", "they asked for less")
		if err != nil || c.Revision != 2 || c.State != store.ConnectionConnected || c.Password != "hunter2-hunter2" {
			t.Fatalf("other limits, a blank password: %+v, %v", c, err)
		}
		edited.Username = "other-user"
		if c, err = r.Connections.Edit(ctx, edited, 2, "bo", ""); err != nil || c.State != store.ConnectionNew || c.Username != "other-user" || c.Password != "hunter2-hunter2" {
			t.Fatalf("another user: %+v, %v", c, err)
		}
		edited.Password = "next"
		if c, err = r.Connections.Edit(ctx, edited, 3, "bo", ""); err != nil || c.Password != "next" || c.Revision != 4 {
			t.Fatalf("another password: %+v, %v", c, err)
		}
		if c, err = r.Connections.Edit(ctx, edited, 4, "bo", ""); err != nil || c.Revision != 4 {
			t.Errorf("an edit that changes nothing: revision %d, %v", c.Revision, err)
		}

		if err := r.Connections.Remove(ctx, "1234", 2, "cy", ""); !isChanged(err) {
			t.Errorf("removed by an old revision: %v", err)
		}
		if err := r.Connections.Remove(ctx, "1234", 4, "cy", "they left"); err != nil {
			t.Fatal(err)
		}
		c = r.read("1234")
		if c.State != store.ConnectionRemoved || c.Username != "" || c.Password != "" || c.Revision != 5 {
			t.Errorf("removed: %+v", c)
		}
		if n := client.HExists(ctx, "ix:{1234}:conn", "d").Val(); n {
			t.Error("the sealed settings are still there")
		}
		if _, err := r.Connections.Edit(ctx, edited, 5, "cy", ""); !errors.Is(err, store.ErrNoConnection) {
			t.Errorf("an edit of a removed one: %v", err)
		}
		if c := r.added("1234"); c.Revision != 6 || c.State != store.ConnectionNew {
			t.Errorf("added again: %+v", c)
		}

		history, err := r.Connections.History(ctx, "1234")
		if err != nil {
			t.Fatal(err)
		}
		want := []store.ConnectionEvent{
			{Who: "ana", Why: "a new customer", What: "added", From: store.ConnectionRemoved, To: store.ConnectionNew, Revision: 6},
			{Who: "cy", Why: "they left", What: "removed", From: store.ConnectionNew, To: store.ConnectionRemoved, Revision: 5},
			{Who: "bo", What: "edited", From: store.ConnectionNew, To: store.ConnectionNew, Revision: 4, Settings: []string{"password"}},
			{Who: "bo", What: "edited", From: store.ConnectionConnected, To: store.ConnectionNew, Revision: 3, Settings: []string{"username"}},
			{Who: "bo", Why: "they asked for less", What: "edited", From: store.ConnectionConnected, To: store.ConnectionConnected, Revision: 2, Settings: []string{"limits.in_flight"}},
			{Who: "ana", Why: "a new customer", What: "added", From: store.ConnectionAbsent, To: store.ConnectionNew, Revision: 1},
		}
		if diff := cmp.Diff(want, history, cmpopts.IgnoreFields(store.ConnectionEvent{}, "At")); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
	})
}

func isChanged(err error) bool {
	_, ok := errors.AsType[*store.ConnectionChangedError](err)
	return ok
}

// If many users edit the same revision at once, every change but one is rejected, and none is
// overwritten unseen.
func TestEditorsDoNotOverwriteEachOther(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		r := newRegister(t, client)
		r.added("1234")
		const editors, edits = 6, 8
		var crowd sync.WaitGroup
		var mu sync.Mutex
		done := map[int64]int{} // edits by the revision they were made at
		for e := range editors {
			crowd.Go(func() {
				for made := 0; made < edits; {
					c, err := r.Connections.Get(t.Context(), "1234")
					if err != nil {
						t.Error(err)
						return
					}
					next := c.Connection
					next.Limits.CallsPerDay++
					next.Username = string(rune('a' + e))
					next.Password = ""
					_, err = r.Connections.Edit(t.Context(), next, c.Revision, next.Username, "")
					switch {
					case err == nil:
						mu.Lock()
						done[c.Revision]++
						mu.Unlock()
						made++
					case !isChanged(err):
						t.Error(err)
						return
					}
				}
			})
		}
		// Concurrent verdicts do not get in the way.
		crowd.Go(func() {
			for range 50 {
				for _, to := range []store.ConnectionState{store.ConnectionVerifying, store.ConnectionConnected} {
					err := r.Connections.Move(t.Context(), "1234", store.ConnectionMove{To: to})
					if _, illegal := errors.AsType[*store.ConnectionMoveError](err); err != nil && !illegal {
						t.Error(err)
					}
				}
			}
		})
		crowd.Wait()
		c := r.read("1234")
		if c.Limits.CallsPerDay != editors*edits || c.Revision != editors*edits+1 || c.Password != "hunter2-hunter2" {
			t.Errorf("%d edits, revision %d after %d", c.Limits.CallsPerDay, c.Revision, editors*edits)
		}
		for revision, n := range done {
			if n != 1 {
				t.Errorf("%d edits of revision %d", n, revision)
			}
		}
	})
}

// Tries every pair of states: the script allows the transitions in the table and rejects all
// others.
func TestEveryPairOfConnectionStates(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		for _, from := range store.ConnectionStates() {
			for _, to := range store.ConnectionStates() {
				r := newRegister(t, client)
				r.added("1234")
				r.stands("1234", from)
				moved := r.tryMove("1234", from, to)
				want := store.CanMoveConnection(from, to)
				if moved != want {
					t.Errorf("%s to %s: %t, want %t", from, to, moved, want)
				}
				if err := client.Del(t.Context(), "ix:{1234}:conn", "ix:{1234}:pause", "ix:{1234}:conn:h").Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// tryMove makes a transition as production code does, and reports whether the connection is in the
// new state and the history has an entry.
func (r *register) tryMove(customer string, from, to store.ConnectionState) bool {
	r.t.Helper()
	ctx := r.t.Context()
	var err error
	switch {
	case to == store.ConnectionPaused:
		err = r.Lanes.Pause(ctx, customer, store.Pause{By: "bo", Why: "a pause"})
	case from == store.ConnectionPaused && to != store.ConnectionRemoved:
		// A pause ends in the state below it, whatever that is by then.
		if to != store.ConnectionAbsent {
			r.stands(customer, to)
		}
		_, err = r.Lanes.Resume(ctx, customer, "bo", "it is over")
	case to == store.ConnectionNew && (from == store.ConnectionAbsent || from == store.ConnectionRemoved):
		_, err = r.Connections.Add(ctx, connectionOf(customer), "bo", "again")
	default:
		err = r.Connections.Move(ctx, customer, store.ConnectionMove{To: to, Who: "bo"})
	}
	_, illegal := errors.AsType[*store.ConnectionMoveError](err)
	if err != nil && !illegal && !errors.Is(err, store.ErrNoConnection) {
		r.t.Fatalf("%s to %s: %v", from, to, err)
	}
	history, err := r.Connections.History(ctx, customer)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := r.Connections.Get(ctx, customer)
	if err != nil && !errors.Is(err, store.ErrNoConnection) {
		r.t.Fatal(err)
	}
	told := history[0].From == from && history[0].To == to && history[0].Who == "bo"
	if stands := from != to && c.State == to; told != stands && from != to {
		r.t.Errorf("%s to %s: stands so: %t, told so: %t", from, to, stands, told)
	}
	return told && c.State == to && from != to
}

func TestConnectionPause(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		r, ctx := newRegister(t, client), t.Context()
		r.added("1234")
		r.stands("1234", store.ConnectionConnected)
		if err := r.Lanes.Pause(ctx, "1234", store.Pause{By: "ana", Why: "a migration", Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if c := r.read("1234"); c.State != store.ConnectionPaused || c.Below() != store.ConnectionConnected || c.Pause.Why != "a migration" {
			t.Errorf("paused: %+v", c)
		}
		// A verdict on calls that were in flight shows when the pause ends.
		if err := r.Connections.Move(ctx, "1234", store.ConnectionMove{To: store.CredentialsRejected, Reason: "icims_credentials"}); err != nil {
			t.Fatal(err)
		}
		if c := r.read("1234"); c.State != store.ConnectionPaused || c.Below() != store.CredentialsRejected {
			t.Errorf("a verdict in a pause: %+v", c)
		}
		client.HSet(ctx, "ix:{1234}:pause", "until", time.Now().Add(-time.Second).UnixMilli())
		if c := r.read("1234"); c.State != store.CredentialsRejected || c.Reason != "icims_credentials" {
			t.Errorf("after the pause: %+v", c)
		}
	})
}

func TestVerdictsApplyToOneRevision(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		r, ctx := newRegister(t, client), t.Context()
		c := r.added("1234")
		edited := c.Connection
		edited.Password = "mended"
		if _, err := r.Connections.Edit(ctx, edited, c.Revision, "ana", ""); err != nil {
			t.Fatal(err)
		}
		late := store.ConnectionMove{To: store.CredentialsRejected, Reason: "icims_credentials", Revision: c.Revision}
		if err := r.Connections.Move(ctx, "1234", late); !isChanged(err) {
			t.Errorf("a verdict on the old password: %v", err)
		}
		late.Revision++
		if err := r.Connections.Move(ctx, "1234", late); err != nil {
			t.Error(err)
		}
		if c := r.read("1234"); c.State != store.CredentialsRejected || c.Reason != "icims_credentials" {
			t.Errorf("a verdict on the new one: %+v", c)
		}
	})
}

func TestConnectionChangesAreAnnounced(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		r, ctx := newRegister(t, client), t.Context()
		told := r.Connections.Announcements(ctx)
		r.added("9")
		r.added("1234")
		r.added("77")
		customers, mark, err := r.Connections.Changes(ctx, 0)
		if err != nil || !cmp.Equal(customers, []string{"9", "1234", "77"}) {
			t.Fatalf("at first: %v, %v", customers, err)
		}
		if again, same, err := r.Connections.Changes(ctx, mark); err != nil || len(again) != 0 || same != mark {
			t.Errorf("nothing since: %v, %v", again, err)
		}
		if err := r.Connections.Remove(ctx, "9", 0, "ana", ""); err != nil {
			t.Fatal(err)
		}
		if since, _, err := r.Connections.Changes(ctx, mark); err != nil || !cmp.Equal(since, []string{"9"}) {
			t.Errorf("since: %v, %v", since, err)
		}
		all, err := r.Connections.All(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, c := range all {
			order = append(order, c.Customer)
		}
		if !cmp.Equal(order, []string{"9", "77", "1234"}) || all[0].State != store.ConnectionRemoved {
			t.Errorf("all: %v", order)
		}
		// The subscription may have started after the first messages.
		for customer := range told {
			if customer == "9" {
				return
			}
		}
		t.Error("the change was not announced")
	})
}

func TestSettingsByName(t *testing.T) {
	t.Parallel()
	var c store.Connection
	for name, value := range map[string]string{
		"username": "u", "auth": "hmac", "limits.calls_per_second": "2.5", "limits.in_flight": "3", "status.id": "D1",
		"fields.education.school": "s", "dummy_email_domain": "d.example.com",
	} {
		if err := c.Set(name, value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := store.Connection{
		Username: "u", Auth: "hmac", Limits: store.Limits{CallsPerSecond: 2.5, InFlight: 3}, Status: store.NodeRef{ID: "D1"},
		Fields: store.FieldNames{Education: store.EducationFields{School: "s"}}, DummyDomain: "d.example.com",
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	after := c
	if err := errors.Join(after.Set("limits.in_flight", ""), after.Set("username", "v"), after.Set("source", "S")); err != nil {
		t.Fatal(err)
	}
	if got := store.ChangedSettings(c, after); !cmp.Equal(got, []string{"limits.in_flight", "source", "username"}) {
		t.Errorf("changed: %v", got)
	}
	for _, name := range []string{"password", "customer", "Username", "limits", "limits.DayAssumed", ""} {
		if err := c.Set(name, "x"); err == nil {
			t.Errorf("%q can be set", name)
		}
	}
	if err := c.Set("limits.burst", "many"); err == nil {
		t.Error("a limit can be a word")
	}
}

func TestMarkersAreErased(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		for _, candidate := range []string{"a", "b", "c"} {
			c := b.claimed(b.accept(candidate, candidate+"@example.com"))
			b.step(c, store.Step{To: store.Created, Person: 17})
			b.finish(c, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17})
		}
		if n, err := b.Candidates.EraseMarkers(t.Context(), "99"); err != nil || n != 0 {
			t.Errorf("another customer's: %d, %v", n, err)
		}
		if n, err := b.Candidates.EraseMarkers(t.Context(), customer); err != nil || n != 3 {
			t.Errorf("erased %d, %v", n, err)
		}
		if left, err := b.Candidates.Markers(t.Context(), customer, []string{"a", "b", "c"}); err != nil || len(left) != 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		b.auditIsClean() // the audit does not report them as lost
	})
}
