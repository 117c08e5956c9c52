package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// noted adds one entry per customer, at intervals of `apart` up to now.
func noted(t *testing.T, l *store.Ledger, apart time.Duration, customers ...string) {
	t.Helper()
	now := time.Now()
	for i, c := range customers {
		err := l.AuditLog.Append(t.Context(), store.AuditLogEntry{
			At: now.Add(-time.Duration(len(customers)-1-i) * apart), Request: fmt.Sprint("r-", i), Outcome: store.JournalDone, Who: "ana", What: "pause", Customer: c, Why: "maintenance",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// pages reads the audit log to its end and returns the requests.
func pages(t *testing.T, l *store.Ledger, f store.AuditLogFilter) (requests []string, n int) {
	t.Helper()
	for {
		page, err := l.AuditLog.Page(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			requests = append(requests, e.Request)
		}
		n++
		if f.Cursor = page.Next; f.Cursor == "" || n > 100 {
			return requests, n
		}
	}
}

func TestAuditLogIsReadNewestFirst(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		l := store.NewLedger(client, newKeys(t))
		noted(t, l, 9*time.Hour, "1", "2", "1", "3", "", "1", "2", "2", "1") // over four days
		for name, tt := range map[string]struct {
			filter store.AuditLogFilter
			want   []string
		}{
			"all":                   {store.AuditLogFilter{}, []string{"r-8", "r-7", "r-6", "r-5", "r-4", "r-3", "r-2", "r-1", "r-0"}},
			"those of one customer": {store.AuditLogFilter{Customers: []string{"2"}}, []string{"r-7", "r-6", "r-1"}},
			"of some":               {store.AuditLogFilter{Customers: []string{"2", "3"}}, []string{"r-7", "r-6", "r-3", "r-1"}},
			"of no customer at all": {store.AuditLogFilter{Customers: []string{}}, nil},
			"lately":                {store.AuditLogFilter{Since: time.Now().Add(-20 * time.Hour)}, []string{"r-8", "r-7", "r-6"}},
			"by somebody else":      {store.AuditLogFilter{Who: "ben"}, nil},
			"by ana, of one kind":   {store.AuditLogFilter{Who: "ana", What: "pause", Customers: []string{"3"}}, []string{"r-3"}},
			"of another kind":       {store.AuditLogFilter{What: "resume"}, nil},
		} {
			for _, limit := range []int{0, 1, 2, 9, 10} {
				filter := tt.filter
				filter.Limit = limit
				if got, _ := pages(t, l, filter); !cmp.Equal(got, tt.want) {
					t.Errorf("%s, %d a page: got %v", name, limit, got)
				}
			}
		}
	})
}

func TestAuditLogCursorIsStable(t *testing.T) {
	t.Parallel()
	l := store.NewLedger(redistest.Shared(t).Client(t), newKeys(t))
	noted(t, l, time.Minute, "1", "1", "1", "1")
	first, err := l.AuditLog.Page(t.Context(), store.AuditLogFilter{Limit: 2})
	if err != nil || len(first.Entries) != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	noted(t, l, 0, "7", "7")
	if rest, _ := pages(t, l, store.AuditLogFilter{Cursor: first.Next}); !cmp.Equal(rest, []string{"r-1", "r-0"}) {
		t.Errorf("went on with %v", rest)
	}
}

func TestAuditLogExpiresByAge(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	keys := newKeys(t)
	l := store.NewLedger(client, keys, store.WithJournalAge(48*time.Hour))
	noted(t, l, 24*time.Hour, "1", "2", "3", "4", "5")
	// Redis expires days beyond the age, and the reader does not ask for others.
	got, _ := pages(t, l, store.AuditLogFilter{})
	if !slices.Contains(got, "r-4") || !slices.Contains(got, "r-2") || slices.Contains(got, "r-0") {
		t.Errorf("got %v", got)
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for _, key := range client.Keys(t.Context(), "ix:journal:*").Val() {
		day, err := time.Parse("20060102", key[len("ix:journal:"):])
		if err != nil {
			t.Fatal(err)
		}
		if ends := client.ExpireTime(t.Context(), key).Val(); ends != time.Duration(day.AddDate(0, 0, 3).Unix())*time.Second {
			t.Errorf("the entries of %s go at %v", day, ends)
		}
		if day.Before(today.AddDate(0, 0, -3)) {
			t.Errorf("the entries of %s are still there", day)
		}
	}
}

func TestAuditLogCursorIsChecked(t *testing.T) {
	t.Parallel()
	l := store.NewLedger(redistest.Shared(t).Client(t), newKeys(t))
	for _, cursor := range []string{"x", "20261122", "20261122-", "20261122--1", "20261122-x", "99991231-0", "2026-11-22-4"} {
		if _, err := l.AuditLog.Page(t.Context(), store.AuditLogFilter{Cursor: cursor}); !errors.Is(err, store.ErrAuditLogCursor) {
			t.Errorf("%s: %v", cursor, err)
		}
	}
	if page, err := l.AuditLog.Page(t.Context(), store.AuditLogFilter{Cursor: time.Now().UTC().Format("20060102") + "-999999"}); err != nil || len(page.Entries) != 0 {
		t.Errorf("a cursor beyond the end: %+v, %v", page, err)
	}
}

func TestAuditLogShowsUnreadableEntries(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	noted(t, store.NewLedger(client, newKeys(t)), time.Second, "1", "2")
	other := store.NewLedger(client, newKeys(t))
	page, err := other.AuditLog.Page(t.Context(), store.AuditLogFilter{})
	if err != nil || len(page.Entries) != 2 || page.Entries[0].Outcome != store.JournalSealed {
		t.Errorf("%+v, %v", page, err)
	}
	// Readers without access do not even see that there is an entry.
	page, err = other.AuditLog.Page(t.Context(), store.AuditLogFilter{Customers: []string{"1"}})
	if err != nil || len(page.Entries) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestAuditLogIsNotReadableInRedis(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	l := store.NewLedger(client, newKeys(t))
	noted(t, l, time.Hour, "987654")
	if found := redistest.Dump(t, client).Holding("987654", "ana", "maintenance", "pause"); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}
