package main

import (
	"os"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
)

func TestFollow(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, said *watch) (*miniredis.Miniredis, *follower, store.BatchID) {
		t.Helper()
		keys, err := store.NewKeyset()
		if err != nil {
			t.Fatal(err)
		}
		server := miniredis.RunT(t)
		client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
		t.Cleanup(func() { client.Close() })
		ledger := store.NewLedger(client, keys)
		id, _, err := ledger.Batches.Open(t.Context(), store.BatchSpec{Customer: "1234"})
		if err != nil {
			t.Fatal(err)
		}
		p := &process{stderr: said, lookupEnv: os.LookupEnv}
		return server, &follower{p: p, ledger: ledger, batch: id, progress: newProgress(p), name: "exporting"}, id
	}
	t.Run("a Redis outage is reported once and waited for", func(t *testing.T) {
		said := &watch{text: "Redis is still loading its data (\"LOADING"}
		server, f, id := begin(t, said)
		if err := f.ledger.Batches.Close(t.Context(), id, 0); err != nil {
			t.Fatal(err)
		}
		server.SetError("LOADING its data")
		said.then = func() { server.SetError("") }
		if b, err := f.follow(t.Context()); err != nil || b.ID != id {
			t.Errorf("got %+v, %v", b, err)
		}
		if n := strings.Count(said.String(), "\n"); n != 1 {
			t.Errorf("it said %s", said)
		}
	})
	t.Run("an unknown batch is not waited for", func(t *testing.T) {
		server, f, _ := begin(t, &watch{then: func() {}})
		server.FlushAll()
		if _, err := f.follow(t.Context()); err == nil {
			t.Error("no error")
		}
	})
}
