package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// keysetFile writes a new keyset to a file.
func keysetFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyset.json")
	if err := store.WriteKeysetFile(path, newKeys(t)); err != nil {
		t.Fatal(err)
	}
	return path
}

// process returns the keyset as a process reads it from a file.
func process(t *testing.T, path string) *store.Keyset {
	t.Helper()
	keys, err := store.ReadKeysetFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// rotate adds a key to the file.
func rotate(t *testing.T, path string) store.KeyID {
	t.Helper()
	next, id, err := process(t, path).WithNewKey(false)
	if err == nil {
		err = store.WriteKeysetFile(path, next)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestSealingKeyRotation(t *testing.T) {
	t.Parallel()
	old := newKeys(t)
	sealed, err := old.Seal([]byte("x"), "here")
	if err != nil {
		t.Fatal(err)
	}
	standby, id, err := old.WithNewKey(true)
	if err != nil || standby.Primary() != old.Primary() || !cmp.Equal(standby.KeyIDs(), []store.KeyID{old.Primary(), id}) {
		t.Fatalf("on standby: primary %d of %v, %v", standby.Primary(), standby.KeyIDs(), err)
	}
	next, err := standby.WithPrimary(id)
	if err != nil || next.Primary() != id {
		t.Fatalf("promoted: %d, %v", next.Primary(), err)
	}
	byNext, err := next.Seal([]byte("y"), "here")
	if err != nil {
		t.Fatal(err)
	}
	if by, ok := store.SealedBy(byNext); !ok || by != id {
		t.Errorf("sealed by %d, %t, want %d", by, ok, id)
	}
	for name, keys := range map[string]*store.Keyset{"on standby": standby, "promoted": next} {
		for _, value := range [][]byte{sealed, byNext} {
			if _, err := keys.Open(value, "here"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		// Values looked up by hash are found after a rotation.
		if keys.EmailHash("1", "a@b.c") != old.EmailHash("1", "a@b.c") || keys.ExportID("b", "c") != old.ExportID("b", "c") || keys.BatchID("1", "k") != old.BatchID("1", "k") ||
			keys.CredentialsHash(connectionOf("1")) != old.CredentialsHash(connectionOf("1")) {
			t.Errorf("%s: the hashes are others", name)
		}
	}
	if _, err := old.Open(byNext, "here"); !errors.Is(err, store.ErrSealed) {
		t.Errorf("the old keys open a value of the new one: %v", err)
	}
	if _, err := next.Without(id); !errors.Is(err, store.ErrPrimaryKey) {
		t.Errorf("the key that seals was dropped: %v", err)
	}
	if _, err := next.Without(17); !errors.Is(err, store.ErrNoKey) {
		t.Errorf("a key that is not there was dropped: %v", err)
	}
	if _, err := next.WithPrimary(17); !errors.Is(err, store.ErrNoKey) {
		t.Errorf("a key that is not there was promoted: %v", err)
	}
	dropped, err := next.Without(old.Primary())
	if err != nil || !cmp.Equal(dropped.KeyIDs(), []store.KeyID{id}) {
		t.Fatalf("dropped: %v, %v", dropped.KeyIDs(), err)
	}
	if _, err := dropped.Open(sealed, "here"); !errors.Is(err, store.ErrSealed) {
		t.Errorf("it opens without its key: %v", err)
	}
}

func TestKeysetFileIsReread(t *testing.T) {
	t.Parallel()
	path := keysetFile(t)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	first, second := process(t, path), process(t, path)
	if changed, err := first.Reread(); changed || err != nil {
		t.Errorf("nothing has changed: %t, %v", changed, err)
	}
	id := rotate(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode has become %v, %v", info.Mode(), err)
	}
	if changed, err := first.Reread(); !changed || err != nil || first.Primary() != id {
		t.Errorf("a new key: %t, %v, primary %d", changed, err, first.Primary())
	}
	sealed, err := first.Seal([]byte("x"), "here")
	if err != nil {
		t.Fatal(err)
	}
	// The other process sees a value of the new key before it checks the file.
	if data, err := second.Open(sealed, "here"); err != nil || string(data) != "x" {
		t.Errorf("by the other process: %q, %v", data, err)
	}
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"half a file":                   {"{", "not a keyset"},
		"another deployment's keyset":   {string(exported(t, newKeys(t))), "differs from that of the keyset in use"},
		"and of one that is gone again": {"", "no such file"},
	} {
		if c.text == "" {
			os.Remove(path)
		} else if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if changed, err := first.Reread(); changed || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %t, %v", name, changed, err)
		}
		if data, err := first.Open(sealed, "here"); err != nil || string(data) != "x" {
			t.Errorf("%s: the keys in use are gone: %v", name, err)
		}
	}
}

func exported(t *testing.T, keys *store.Keyset) []byte {
	t.Helper()
	data, err := keys.Export()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCheckKeyset(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		old := newKeys(t)
		next, _, err := old.WithNewKey(false)
		if err != nil {
			t.Fatal(err)
		}
		check := func(keys *store.Keyset) *store.KeysetError {
			t.Helper()
			err := store.NewLedger(client, keys).Checks.CheckKeyset(t.Context())
			wrong, ok := errors.AsType[*store.KeysetError](err)
			if err != nil && !ok {
				t.Fatal(err)
			}
			return wrong
		}
		if w := check(old); w != nil {
			t.Errorf("the first to come: %v", w)
		}
		if w := check(old); w != nil {
			t.Errorf("again: %v", w)
		}
		if w := check(newKeys(t)); w == nil || !w.OtherHashing {
			t.Errorf("another keyset: %v", w)
		}
		if w := check(next); w != nil {
			t.Errorf("with a new key: %v", w)
		}
		if w := check(old); w == nil || !cmp.Equal(w.Missing, []store.KeyID{next.Primary()}) {
			t.Errorf("behind the others: %v", w)
		}
		without, err := next.Without(old.Primary())
		if err != nil {
			t.Fatal(err)
		}
		if w := check(without); w == nil || !cmp.Equal(w.Missing, []store.KeyID{old.Primary()}) {
			t.Errorf("the old key dropped too early: %v", w)
		}
		if err := store.NewLedger(client, without).Checks.AdoptKeyset(t.Context()); err != nil || check(without) != nil || check(next) != nil {
			t.Errorf("adopted: %v", err)
		}
	})
}

// everythingSealed creates one of everything the store seals.
func everythingSealed(b *book) {
	b.t.Helper()
	ctx := b.t.Context()
	mine := b.batch.Customer()
	for i := range 3 {
		ref := b.accept(fmt.Sprint("c-", i), fmt.Sprint("c-", i, "@example.com"))
		c := b.claimed(ref)
		b.hold(c, store.Hold{To: store.Retrying, Delay: time.Hour, Reason: "icims_server_error", Entry: &store.Entry{What: "retry"}})
	}
	_, err := b.Connections.Add(ctx, connectionOf(mine), "ana", "")
	for i := range 3 {
		err = errors.Join(err, b.AuditLog.Act(ctx, mine, store.Action{Who: "ana", What: fmt.Sprint("thing ", i)}))
	}
	for i := range 3 {
		err = errors.Join(err, b.AuditLog.Append(ctx, store.AuditLogEntry{Who: "ana", What: fmt.Sprint("change ", i), Outcome: store.JournalDone}))
	}
	task, _, asked := b.Control.Record(ctx, mine, store.ControlVerify, "look", "ana")
	claim, begun := b.Control.Begin(ctx, mine, store.ControlVerify, task.ID, 1)
	err = errors.Join(err, asked, begun, b.Control.Step(ctx, claim, store.ControlStep{Result: "seen"}))
	_, _, err2 := b.Access.NewAPIKey(ctx, store.APIKey{Name: "console", Scopes: []string{"read"}}, time.Now())
	b.refuse(false, refusedRow(4, "c-3"))
	if err := errors.Join(err, err2, b.Lanes.Pause(ctx, mine, store.Pause{By: "ana", Why: "lunch"})); err != nil {
		b.t.Fatal(err)
	}
}

// readable reads it all back.
func readable(b *book) string {
	b.t.Helper()
	ctx, mine := b.t.Context(), b.batch.Customer()
	var told strings.Builder
	for i := range 3 {
		ref := store.Ref{Customer: mine, Export: b.Keys().ExportID(string(b.batch), fmt.Sprint("c-", i))}
		payload, err := b.DeadLetters.Payload(ctx, ref)
		story, err2 := b.Timeline(ctx, ref)
		if err := errors.Join(err, err2); err != nil {
			b.t.Fatal(err)
		}
		fmt.Fprintln(&told, string(payload), story)
	}
	conn, err := b.Connections.Get(ctx, mine)
	history, err2 := b.Connections.History(ctx, mine)
	actions, _, err3 := b.AuditLog.Actions(ctx, mine, 100)
	journal, err4 := b.AuditLog.Page(ctx, store.AuditLogFilter{})
	keys, err5 := b.Access.APIKeys(ctx)
	errands, err6 := b.Control.List(ctx, mine, store.ControlVerify)
	if err := errors.Join(err, err2, err3, err4, err5, err6); err != nil {
		b.t.Fatal(err)
	}
	refused, _ := b.refused(0, 10)
	fmt.Fprintln(&told, journal, keys, refused)
	for _, e := range errands {
		fmt.Fprintln(&told, e.By, string(e.Args), string(e.Result))
	}
	fmt.Fprintln(&told, conn.Username, string(conn.Password), conn.Pause.By, conn.Pause.Why, history, actions)
	return told.String()
}

// keysIn returns the sealing keys with values anywhere in Redis.
func keysIn(t *testing.T, client redis.UniversalClient, of *store.Keyset) map[store.KeyID]bool {
	t.Helper()
	found := map[store.KeyID]bool{}
	for _, entry := range redistest.Dump(t, client) {
		for _, value := range entry.Values {
			if id, ok := store.SealedBy([]byte(value)); ok && slices.Contains(of.KeyIDs(), id) {
				found[id] = true
			}
		}
	}
	return found
}

func TestReseal(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		old := newKeys(t)
		next, id, err := old.WithNewKey(false)
		if err != nil {
			t.Fatal(err)
		}
		b := openBook(t, client, store.BatchSpec{})
		b.Ledger = store.NewLedger(client, old)
		if b.batch, _, err = b.Batches.Open(t.Context(), store.BatchSpec{Customer: customer}); err != nil {
			t.Fatal(err)
		}
		if err := b.Checks.CheckKeyset(t.Context()); err != nil {
			t.Fatal(err)
		}
		everythingSealed(b)
		want := readable(b)
		before, err := b.Checks.SealedWith(t.Context())
		if err != nil || before[old.Primary()] != 3+3+1+2+4+2+3+1+3+1+1+2 || len(before) != 1 {
			t.Errorf("sealed at first: %v, %v", before, err)
		}

		b.Ledger = store.NewLedger(client, next)
		first, err := b.Checks.Reseal(t.Context())
		if err != nil || first.Replaced != before[old.Primary()] || first.Old(id) != first.Replaced || first.Unopened+first.Moved != 0 {
			t.Errorf("the first walk: %+v, %v", first, err)
		}
		if got := readable(b); got != want {
			t.Errorf("resealed it reads\n%s\nwant\n%s", got, want)
		}
		second, err := b.Checks.Reseal(t.Context())
		if err != nil || second.Replaced != 0 || !maps.Equal(second.Sealed, map[store.KeyID]int{id: first.Replaced}) {
			t.Errorf("the second walk: %+v, %v", second, err)
		}
		if ids, err := b.Checks.CheckedKeys(t.Context()); err != nil || !cmp.Equal(ids, []store.KeyID{id}) {
			t.Errorf("check values of %v, %v", ids, err)
		}
		// No value that the old key opens is left anywhere.
		if found := keysIn(t, client, next); found[old.Primary()] || !found[id] {
			t.Errorf("sealed in Redis by %v, want %d alone", found, id)
		}
		only, err := next.Without(old.Primary())
		if err != nil {
			t.Fatal(err)
		}
		b.Ledger = store.NewLedger(client, only)
		if got := readable(b); got != want {
			t.Errorf("without the old key it reads\n%s\nwant\n%s", got, want)
		}
	})
}

func TestResealCountsUnopenedValues(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	b := openBook(t, client, store.BatchSpec{})
	ref := b.accept("a", "a@example.com")
	b.accept("b", "b@example.com")
	sealed := client.Get(t.Context(), "ix:{1234}:p:"+ref.Export).Val()
	client.Set(t.Context(), "ix:{1234}:p:"+ref.Export, sealed[:len(sealed)-1]+"!", 0)
	next, _, err := b.Keys().WithNewKey(false)
	if err != nil {
		t.Fatal(err)
	}
	r, err := store.NewLedger(client, next).Checks.Reseal(t.Context())
	if err != nil || r.Replaced != 1 || r.Unopened != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// While everything changes concurrently, nothing is lost or restored.
func TestResealDuringChanges(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		path := keysetFile(t)
		b := openBook(t, client, store.BatchSpec{})
		b.Ledger = store.NewLedger(client, process(t, path))
		var err error
		if b.batch, _, err = b.Batches.Open(t.Context(), store.BatchSpec{Customer: customer}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Connections.Add(t.Context(), connectionOf(customer), "ana", ""); err != nil {
			t.Fatal(err)
		}
		ref := b.accept("a", "a@example.com")
		ctx, stop := context.WithCancel(t.Context())
		var crowd sync.WaitGroup
		const acts = 150
		crowd.Go(func() {
			defer stop()
			worker := store.NewLedger(client, process(t, path))
			for i := range acts {
				c, err := worker.Claim(t.Context(), ref, longLease)
				if err == nil && (c.Verdict != store.ClaimOK || string(c.Payload) != "payload of a") {
					err = fmt.Errorf("claim %d: %s, %q", i, c.Verdict, c.Payload)
				}
				if err == nil {
					err = worker.Hold(t.Context(), c, store.Hold{To: store.Deferred, Reason: "paused", Entry: &store.Entry{What: "deferred", Attempt: i}})
				}
				if err == nil {
					err = worker.AuditLog.Act(t.Context(), customer, store.Action{Who: "ana", Count: i})
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		crowd.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if i%3 == 0 {
					rotate(t, path)
				}
				if _, err := store.NewLedger(client, process(t, path)).Checks.Reseal(ctx); err != nil && ctx.Err() == nil {
					t.Errorf("reseal: %v", err)
					return
				}
			}
		})
		crowd.Wait()
		last := process(t, path)
		b.Ledger = store.NewLedger(client, last)
		for range 2 {
			if _, err := b.Checks.Reseal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if found := keysIn(t, client, last); len(found) != 1 || !found[last.Primary()] {
			t.Errorf("sealed by %v, want %d alone", found, last.Primary())
		}
		actions, _, err := b.AuditLog.Actions(t.Context(), customer, 2*acts)
		if err != nil || len(actions) != acts {
			t.Fatalf("%d actions, want %d (%v)", len(actions), acts, err)
		}
		for i, a := range actions {
			if a.Count != acts-1-i {
				t.Fatalf("action %d is number %d", i, a.Count)
			}
		}
		story, err := b.Timeline(t.Context(), ref)
		if err != nil || len(story) != 20 || story[19].Attempt != acts-1 {
			t.Errorf("the timeline has %d entries, %v", len(story), err)
		}
	})
}

func TestAKnownKeysetNeedsNoWrite(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(client, keys)
	if err := ledger.Checks.CheckKeyset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.ConfigSet(t.Context(), "min-replicas-to-write", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Set(t.Context(), "x", "", 0).Err(); err == nil {
		t.Fatal("Redis takes writes, so this shows nothing")
	}
	if err := ledger.Checks.CheckKeyset(t.Context()); err != nil {
		t.Errorf("%v: a Redis that refuses writes for a while is no reason not to start", err)
	}
}
