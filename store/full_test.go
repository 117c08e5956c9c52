package store_test

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// fill uses up a Redis's memory, so that it rejects plain writes.
func fill(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	ctx := t.Context()
	if err := client.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Set(ctx, "filler", "x", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "OOM") {
		t.Fatalf("Redis still takes writes: %v", err)
	}
}

// While Redis is full, candidates are refused, exports in progress finish, and every operator
// action that ends work or access succeeds.
func TestFullRedisTakesOperatorsActions(t *testing.T) {
	client := redistest.Start(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ctx, l, now := t.Context(), store.NewLedger(client, keys), time.Now()
	batch, refs := testrig.Accept(t, l, "1234", 7, testrig.Numbered(0, 8)...)
	_, others := testrig.Accept(t, l, "1234", 8, testrig.Numbered(100, 2)...)
	testrig.GiveUp(t, l, "job_not_found", testrig.NoJob, refs[0], refs[1])
	claimed, held := testrig.Claim(t, l, refs[2]), testrig.Claim(t, l, refs[3])
	key, token, err := l.Access.NewAPIKey(ctx, store.APIKey{Name: "a test", Scopes: []string{"admin"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	conn := store.Connection{Customer: "1234", Username: "export-user", Password: "hunter2-hunter2", PortalURLs: "https://api.icims.com/customers/1234/search/portals/1?staleness=0"}
	if _, err := l.Connections.Add(ctx, conn, "a test", ""); err != nil {
		t.Fatal(err)
	}
	fill(t, client)

	producer := store.NewLedger(client, keys)
	if _, _, err := producer.Batches.Open(ctx, store.BatchSpec{Customer: "1234", Job: 9}); !errors.Is(err, store.ErrMemoryReserved) {
		t.Errorf("a batch was opened: %v", err)
	}
	if _, err := producer.AcceptFor(ctx, store.BatchSpec{Customer: "1234", Job: 7}, batch, []store.NewExport{{Export: keys.ExportID(string(batch), "c-9"), Candidate: "c-9", Payload: []byte("{}")}}, store.Rows{}, store.NormalQueue); !errors.Is(err, store.ErrMemoryReserved) {
		t.Errorf("a candidate was accepted: %v", err)
	}

	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	must("finish", l.Finish(ctx, claimed, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 7, Workflow: 3}))
	must("hold", l.Hold(ctx, held, store.Hold{To: store.Deferred, Reason: "paused", Delay: time.Minute}))
	must("pause", l.Lanes.Pause(ctx, "1234", store.Pause{By: "ana", Why: "x"}))
	if p, err := l.Lanes.PauseOf(ctx, "1234"); err != nil || p == nil {
		t.Errorf("the pause is %+v, %v", p, err)
	}
	_, err = l.Lanes.Resume(ctx, "1234", "ana", "x")
	must("resume", err)
	must("discard", l.DeadLetters.Discard(ctx, refs[0], "ana", "x"))
	err = l.DeadLetters.Revive(ctx, refs[1], "ana", "x")
	must("retry", err)
	receipt, err := l.Candidates.Erase(ctx, "1234", "c-00004", store.EraseOptions{Who: "ana", Why: "x"})
	if must("erase", err); !receipt.Complete {
		t.Errorf("erased: %+v", receipt)
	}
	c, err := l.Cancel(ctx, batch, store.CancelOptions{Who: "ana", Why: "x"})
	if must("cancel a batch", err); c.Cancelled == 0 {
		t.Errorf("canceled: %+v", c)
	}
	c, err = l.CancelCustomer(ctx, "1234", store.CancelOptions{Who: "ana", Why: "x"})
	if must("cancel a customer", err); c.Cancelled != len(others) {
		t.Errorf("canceled: %+v", c)
	}
	must("journal", l.AuditLog.Append(ctx, store.AuditLogEntry{What: "a test", Outcome: store.JournalDone}))
	err = l.Connections.Remove(ctx, "1234", 1, "ana", "x")
	must("remove a connection", err)
	_, err = l.Access.RevokeAPIKey(ctx, key.ID, now)
	must("revoke", err)
	if _, err := l.Access.CheckAPIKey(ctx, token, now); !errors.Is(err, store.ErrAPIKeyRefused) {
		t.Errorf("the revoked key: %v", err)
	}
	if live, err := l.Recovery.Live(ctx, "1234"); err != nil || live != 0 {
		t.Errorf("%d exports still move, %v", live, err)
	}
}

// Candidates are refused at a share of the memory, before anything else is.
func TestMemoryReserveIsKeptFromProducers(t *testing.T) {
	client := redistest.Start(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for i := range 200 {
		if err := client.Set(ctx, "filler"+strconv.Itoa(i), strings.Repeat("x", 50_000), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := client.Info(ctx, "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	used, err := strconv.Atoi(regexp.MustCompile(`(?m)^used_memory:(\d+)`).FindStringSubmatch(info)[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := client.ConfigSet(ctx, "maxmemory", strconv.Itoa(used*10/6)).Err(); err != nil {
		t.Fatal(err)
	}
	for percent, refused := range map[int]bool{40: true, 95: false, 100: false} {
		l := store.NewLedger(client, keys, store.WithAcceptMemory(percent))
		_, _, err := l.Batches.Open(ctx, store.BatchSpec{Customer: "1234", Job: 7})
		if errors.Is(err, store.ErrMemoryReserved) != refused || !refused && err != nil {
			t.Errorf("with %d%%: %v", percent, err)
		}
	}
	if err := client.Set(ctx, "plain", "x", 0).Err(); err != nil {
		t.Errorf("a plain write is refused already: %v", err)
	}
	// Without the right to run INFO, nothing is blocked.
	if err := client.Do(ctx, "ACL", "SETUSER", "default", "-info").Err(); err != nil {
		t.Fatal(err)
	}
	l := store.NewLedger(client, keys, store.WithAcceptMemory(40))
	if _, _, err := l.Batches.Open(ctx, store.BatchSpec{Customer: "1234", Job: 7}); err != nil {
		t.Errorf("without INFO: %v", err)
	}
}
