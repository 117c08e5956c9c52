package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// TestRemovedAuditLogEntriesAreReported changes the audit log as someone with write access to Redis
// can.
func TestRemovedAuditLogEntriesAreReported(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	name := func(daysAgo int) string { return now.AddDate(0, 0, -daysAgo).Format("20060102") }
	today, yesterday := "ix:journal:"+name(0), "ix:journal:"+name(1)
	head := func(daysAgo int) string { return "ix:{ix:journal:" + name(daysAgo) + "}:head" }
	for title, tt := range map[string]struct {
		attack func(t *testing.T, c redis.UniversalClient)
		want   string // "" for nothing
	}{
		"nothing": {func(*testing.T, redis.UniversalClient) {}, ""},
		"one entry": {func(t *testing.T, c redis.UniversalClient) {
			c.LRem(t.Context(), today, 1, c.LIndex(t.Context(), today, 1).Val())
		}, "1 entry is missing"},
		"the last entries": {func(t *testing.T, c redis.UniversalClient) { c.LTrim(t.Context(), today, 0, 0) }, "3 entries are missing"},
		"a day":            {func(t *testing.T, c redis.UniversalClient) { c.Del(t.Context(), yesterday) }, "4 entries are missing"},
		"a day and its count": {func(t *testing.T, c redis.UniversalClient) { c.Del(t.Context(), yesterday, head(1)) },
			now.AddDate(0, 0, -1).Format("2 Jan 2006") + ": all entries are missing"},
		"the last day and its count": {func(t *testing.T, c redis.UniversalClient) { c.Del(t.Context(), today, head(0)) }, "all entries are missing"},
		"the count":                  {func(t *testing.T, c redis.UniversalClient) { c.Del(t.Context(), head(0)) }, "count of its entries was removed"},
		"the list of days":           {func(t *testing.T, c redis.UniversalClient) { c.Del(t.Context(), "ix:journals") }, "list of the audit log's days was removed"},
		"the list of days with a day": {func(t *testing.T, c redis.UniversalClient) {
			c.Del(t.Context(), "ix:journals")
			c.Del(t.Context(), yesterday)
			c.Del(t.Context(), head(1))
		},
			"list of the audit log's days was removed"},
		"an entry replaced by an older one": {func(t *testing.T, c redis.UniversalClient) {
			c.LSet(t.Context(), today, 2, c.LIndex(t.Context(), today, 0).Val())
		}, "1 entry is missing"},
		"an entry of another day": {func(t *testing.T, c redis.UniversalClient) {
			c.LSet(t.Context(), today, 2, c.LIndex(t.Context(), yesterday, 2).Val())
		}, "1 entry is changed or copied from elsewhere"},
		"an entry replaced by noise": {func(t *testing.T, c redis.UniversalClient) { c.LSet(t.Context(), today, 2, "noise") }, "1 entry is missing"},
		"two entries swapped": {func(t *testing.T, c redis.UniversalClient) {
			first, second := c.LIndex(t.Context(), today, 0).Val(), c.LIndex(t.Context(), today, 1).Val()
			c.LSet(t.Context(), today, 0, second)
			c.LSet(t.Context(), today, 1, first)
		}, "entries were reordered"},
		"the count of another day": {func(t *testing.T, c redis.UniversalClient) {
			c.Set(t.Context(), head(0), c.Get(t.Context(), head(1)).Val(), 0)
		}, "count of its entries was removed"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
				l := store.NewLedger(client, newKeys(t))
				for _, at := range []time.Time{now.AddDate(0, 0, -1), now} {
					for range 4 {
						if err := l.AuditLog.Append(t.Context(), store.AuditLogEntry{At: at, Outcome: store.JournalDone, Who: "ana", What: "pause"}); err != nil {
							t.Fatal(err)
						}
					}
				}
				tt.attack(t, client)
				found, err := l.AuditLog.Check(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if all := strings.Join(found, "\n"); (tt.want == "") != (all == "") || !strings.Contains(all, tt.want) {
					t.Errorf("found %q, want %q", all, tt.want)
				}
				// A later entry hides nothing.
				if err := l.AuditLog.Append(t.Context(), store.AuditLogEntry{At: now, Outcome: store.JournalDone}); err != nil {
					t.Fatal(err)
				}
				if found, err := l.AuditLog.Check(t.Context()); err != nil || (len(found) == 0) != (tt.want == "") {
					t.Errorf("after one more entry: %q, %v", found, err)
				}
			})
		})
	}
}

// TestAuditLogNumbersConcurrentEntries shows that concurrent entries get different numbers.
func TestAuditLogNumbersConcurrentEntries(t *testing.T) {
	t.Parallel()
	client, keys := redistest.Shared(t).Client(t), newKeys(t)
	var group errgroup.Group
	for range 8 {
		l := store.NewLedger(client, keys)
		group.Go(func() error {
			for range 20 {
				if err := l.AuditLog.Append(t.Context(), store.AuditLogEntry{Outcome: store.JournalDone}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	l := store.NewLedger(client, keys)
	if found, err := l.AuditLog.Check(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("found %q, %v", found, err)
	}
	if requests, _ := pages(t, l, store.AuditLogFilter{}); len(requests) != 160 {
		t.Errorf("%d entries", len(requests))
	}
}
