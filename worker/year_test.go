package worker_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// year is a ledger whose time the test advances by days. Redis's times to live follow the
// machine's clock, so the test subtracts each day from them.
type year struct {
	t      *testing.T
	redis  redis.UniversalClient
	ledger *store.Ledger
	now    time.Time
}

const oneDay = 24 * time.Hour

func (y *year) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

// pass advances the time by a day: keys with less than a day to live expire.
func (y *year) pass() {
	y.t.Helper()
	ctx := y.t.Context()
	y.now = y.now.Add(oneDay)
	y.must(y.redis.Set(ctx, store.SimulatedClockKey, y.now.UnixMilli(), 0).Err())
	keys, err := y.redis.Keys(ctx, "*").Result()
	y.must(err)
	left := make([]*redis.DurationCmd, len(keys))
	_, err = y.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			left[i] = p.PTTL(ctx, key)
		}
		return nil
	})
	y.must(err)
	_, err = y.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Ping(ctx)
		for i, key := range keys {
			switch ttl := left[i].Val(); {
			case ttl < 0: // kept forever, or gone
			case ttl <= oneDay:
				p.Del(ctx, key)
			default:
				p.PExpire(ctx, key, ttl-oneDay)
			}
		}
		return nil
	})
	y.must(err)
}

func (y *year) batch(spec store.BatchSpec, closed bool, candidates ...string) (store.BatchID, []store.Ref) {
	y.t.Helper()
	ctx, keys := y.t.Context(), y.ledger.Keys()
	id, _, err := y.ledger.Batches.Open(ctx, spec)
	y.must(err)
	var refs []store.Ref
	for _, c := range candidates {
		e := store.NewExport{Export: keys.ExportID(string(id), c), Candidate: c, EmailHash: keys.EmailHash(spec.Customer, c+"@example.com"), Payload: []byte("x")}
		_, err := y.ledger.AcceptFor(ctx, spec, id, []store.NewExport{e}, store.Rows{}, store.NormalQueue)
		y.must(err)
		refs = append(refs, store.Ref{Customer: spec.Customer, Export: e.Export})
	}
	if closed {
		y.must(y.ledger.Batches.Close(ctx, id, 0))
	}
	return id, refs
}

func (y *year) finish(f store.Finish, refs ...store.Ref) {
	y.t.Helper()
	for _, ref := range refs {
		c, err := y.ledger.Claim(y.t.Context(), ref, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
		y.must(err)
		if c.Verdict != store.ClaimOK {
			y.t.Fatalf("%+v", c)
		}
		f.Entry = &store.Entry{At: y.now, What: string(f.To)}
		y.must(y.ledger.Finish(y.t.Context(), c, f))
	}
}

// day is one day of a customer.
func (y *year) day(customer string, day int) {
	y.t.Helper()
	ctx := y.t.Context()
	name := func(what string) string { return fmt.Sprintf("%s-%d", what, day) }
	done := store.Finish{To: store.Done, Counter: store.CountCreated, Person: int64(day + 1)}
	dead := store.Finish{To: store.Dead, Counter: store.CountDead, Reason: store.ReasonJobNotFound}
	to := store.BatchSpec{Customer: customer, Job: 1701}

	_, refs := y.batch(to, true, name("done"), name("gone"))
	y.finish(done, refs...)
	_, refs = y.batch(to, true, name("dead"))
	y.finish(dead, refs...)
	y.must(y.ledger.DeadLetters.Discard(ctx, refs[0], "ana", "a test"))
	_, refs = y.batch(to, true, name("moved"))
	y.finish(dead, refs...)
	moved, _, err := y.ledger.DeadLetters.Transfer(ctx, store.NewTransfer(customer, 0, "ana", "a test"), []string{refs[0].Export}, 0)
	y.must(err)
	for _, m := range moved {
		y.finish(done, store.Ref{Customer: customer, Export: m.To})
	}
	id, _ := y.batch(to, true, name("cancelled"))
	_, err = y.ledger.Cancel(ctx, id, store.CancelOptions{Who: "ana", Why: "a test"})
	y.must(err)
	// Producers that were killed, after a row and before the first.
	_, refs = y.batch(to, false, name("left"))
	y.finish(done, refs...)
	y.batch(to, false)
	_, refs = y.batch(store.BatchSpec{Customer: customer, Test: true}, true, input.TestCandidate)
	y.finish(store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore}, refs...)
	_, err = y.ledger.Candidates.Erase(ctx, customer, name("gone"), store.EraseOptions{Who: "ana"})
	y.must(err)
	// Tasks of ended exports run without effect.
	for range 3 {
		_, err = y.ledger.Claim(ctx, refs[0], store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
		y.must(err)
	}
	y.must(y.ledger.AuditLog.RecordBreaker(ctx, customer, name("w"), "open"))
	_, _, err = y.ledger.Control.Record(ctx, customer, store.ControlVerify, nil, "ana")
	y.must(err)
	_, err = y.ledger.Recovery.SweepBatches(ctx, customer, worker.DefaultAbandonedAfter)
	y.must(err)
}

// apiKeys creates API keys that are revoked the next day or expire.
func (y *year) apiKeys(day int) {
	y.t.Helper()
	ctx := y.t.Context()
	k, token, err := y.ledger.Access.NewAPIKey(ctx, store.APIKey{Name: "a day", Scopes: []string{"read"}, Expires: y.now.Add(oneDay)}, y.now)
	y.must(err)
	_, err = y.ledger.Access.CheckAPIKey(ctx, token, y.now)
	y.must(err)
	if day%2 == 0 {
		_, err = y.ledger.Access.RevokeAPIKey(ctx, k.ID, y.now)
		y.must(err)
	}
}

// sizes counts the keys and values for each pattern of the table.
func (y *year) sizes(table map[*regexp.Regexp]string) map[string]int {
	y.t.Helper()
	sizes := map[string]int{}
	for _, entry := range redistest.Dump(y.t, y.redis) {
		if entry.Key == store.SimulatedClockKey {
			continue
		}
		named := ""
		for pattern := range table {
			if pattern.MatchString(entry.Key) {
				named = pattern.String()
			}
		}
		if named == "" {
			y.t.Errorf("docs/redis-keys.md does not name the key %s", entry.Key)
		}
		sizes[named] += 1 + len(entry.Values)
	}
	return sizes
}

// After a year of use Redis holds as much as after half a year, except for the markers.
func TestRedisDoesNotGrowOverAYear(t *testing.T) {
	t.Parallel()
	table := tableOfKeys(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	client := redistest.Start(t).Client(t)
	y := &year{t: t, redis: client, ledger: store.NewLedger(client, keys, store.WithSimulatedClock()), now: time.Now()}
	y.must(client.Set(t.Context(), store.SimulatedClockKey, y.now.UnixMilli(), 0).Err())
	var half map[string]int
	for day := range 365 {
		y.day(customer, day)
		y.apiKeys(day)
		if day < 100 {
			y.day("5678", day) // a customer that leaves
		}
		if day == 180 {
			half = y.sizes(table)
		}
		_, err := y.ledger.Recovery.SweepBatches(t.Context(), "5678", worker.DefaultAbandonedAfter)
		y.must(err)
		y.pass()
	}
	whole := y.sizes(table)
	for pattern, n := range whole {
		most := half[pattern] + half[pattern]/10 + 10
		switch {
		case strings.Contains(pattern, ":m:"): // kept forever
			continue
		case strings.Contains(pattern, ":actions$"): // about 10,000 of three values
			most = 33_000
		case strings.Contains(pattern, ":events$"): // about 200 of nine values, and of two customers
			most = 2 * 9 * 310
		}
		if n > most {
			t.Errorf("%s: %d values after a year, %d after half of it", pattern, n, half[pattern])
		}
	}
	if len(whole) < 14 {
		t.Errorf("%d kinds of keys", len(whole))
	}
}
