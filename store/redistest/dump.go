package redistest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Entry is one key with its values, in plaintext.
type Entry struct {
	Key  string
	Type string
	// Values are a string's value, a hash's fields and values alternately, the members of a list,
	// set or sorted set (there followed by their scores), or the IDs, fields and values of a
	// stream.
	Values []string
}

// Snapshot is the content of a Redis, in no particular order.
type Snapshot []Entry

// Holding returns the keys whose name or values contain one of the needles, ignoring case.
func (s Snapshot) Holding(needles ...string) []string {
	var keys []string
	for _, e := range s {
		text := strings.ToLower(e.Key + "\n" + strings.Join(e.Values, "\n"))
		if slices.ContainsFunc(needles, func(n string) bool { return strings.Contains(text, strings.ToLower(n)) }) {
			keys = append(keys, e.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// String formats the snapshot for a test failure.
func (s Snapshot) String() string {
	var b strings.Builder
	for _, e := range s {
		fmt.Fprintf(&b, "%s (%s): %q\n", e.Key, e.Type, e.Values)
	}
	return b.String()
}

// Dump reads every key of the client's database, or of all masters of a cluster. It may run
// concurrently with writes and leaves out keys that vanish. An unknown type fails the test, so that
// nothing is missed.
func Dump(t testing.TB, client redis.UniversalClient) Snapshot {
	t.Helper()
	ctx := context.Background()
	var (
		mu  sync.Mutex
		all Snapshot
	)
	one := func(ctx context.Context, c redis.Cmdable) error {
		found, err := dumpNode(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return err
	}
	var err error
	if cluster, ok := client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return one(ctx, c) })
	} else {
		err = one(ctx, client)
	}
	if err != nil {
		t.Fatalf("dump Redis: %v", err)
	}
	return all
}

func dumpNode(ctx context.Context, c redis.Cmdable) (Snapshot, error) {
	var found Snapshot
	seen := map[string]bool{} // SCAN may return a key twice
	for cursor := uint64(0); ; {
		keys, next, err := c.Scan(ctx, cursor, "*", 500).Result()
		if err != nil {
			return found, fmt.Errorf("scan: %w", err)
		}
		for _, key := range keys {
			if seen[key] {
				continue
			}
			seen[key] = true
			entry, err := readEntry(ctx, c, key)
			if err != nil {
				return found, fmt.Errorf("key %q: %w", key, err)
			}
			if entry.Type != "none" {
				found = append(found, entry)
			}
		}
		if cursor = next; cursor == 0 {
			return found, nil
		}
	}
}

// readEntry reads one key, and again if its type changed in between.
func readEntry(ctx context.Context, c redis.Cmdable, key string) (Entry, error) {
	const tries = 10
	var last error
	for range tries {
		kind, err := c.Type(ctx, key).Result()
		if err != nil {
			return Entry{}, err
		}
		values, err := readValues(ctx, c, key, kind)
		switch {
		case err == nil:
			return Entry{Key: key, Type: kind, Values: values}, nil
		case errors.Is(err, redis.Nil):
			return Entry{Key: key, Type: "none"}, nil
		case !strings.HasPrefix(err.Error(), "WRONGTYPE"):
			return Entry{}, err
		}
		last = err
	}
	return Entry{}, last
}

func readValues(ctx context.Context, c redis.Cmdable, key, kind string) ([]string, error) {
	switch kind {
	case "none":
		return nil, nil
	case "string":
		value, err := c.Get(ctx, key).Result()
		return []string{value}, err
	case "list":
		return c.LRange(ctx, key, 0, -1).Result()
	case "set":
		return c.SMembers(ctx, key).Result()
	case "hash":
		fields, err := c.HGetAll(ctx, key).Result()
		var values []string
		for name, value := range fields {
			values = append(values, name, value)
		}
		return values, err
	case "zset":
		members, err := c.ZRangeWithScores(ctx, key, 0, -1).Result()
		var values []string
		for _, m := range members {
			values = append(values, fmt.Sprint(m.Member), fmt.Sprint(m.Score))
		}
		return values, err
	case "stream":
		messages, err := c.XRange(ctx, key, "-", "+").Result()
		var values []string
		for _, m := range messages {
			values = append(values, m.ID)
			for name, value := range m.Values {
				values = append(values, name, fmt.Sprint(value))
			}
		}
		return values, err
	default:
		return nil, fmt.Errorf("type %q cannot be dumped; teach readValues to read it", kind)
	}
}
