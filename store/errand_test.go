package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// errandBook is a ledger whose leases the test lets run out.
type errandBook struct {
	*store.Ledger
	t        *testing.T
	redis    redis.UniversalClient
	customer string
}

const errandLease = time.Hour

func newErrandBook(t *testing.T, client redis.UniversalClient, customer string) *errandBook {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return &errandBook{Ledger: store.NewLedger(client, keys), t: t, redis: client, customer: customer}
}

// pass makes a claim's lease look as if so much time had passed.
func (b *errandBook) pass(c store.ErrandClaim, d time.Duration) {
	b.t.Helper()
	if err := b.redis.HIncrBy(b.t.Context(), "ix:{"+b.customer+"}:errand:"+c.ID, "le", -d.Milliseconds()).Err(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *errandBook) now() time.Time {
	b.t.Helper()
	now, err := b.Now(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return now
}

func (b *errandBook) ask(who string) (store.Errand, bool) {
	b.t.Helper()
	e, joined, err := b.AskErrand(b.t.Context(), b.customer, store.ErrandVerify, map[string]int{"job": 1701}, who)
	if err != nil {
		b.t.Fatal(err)
	}
	return e, joined
}

func (b *errandBook) claim(worker string) (store.ErrandClaim, time.Time, bool) {
	b.t.Helper()
	c, held, claimed, err := b.ClaimErrand(b.t.Context(), b.customer, store.ErrandVerify, worker, errandLease)
	if err != nil {
		b.t.Fatal(err)
	}
	return c, held, claimed
}

func (b *errandBook) step(c store.ErrandClaim, s store.ErrandStep) {
	b.t.Helper()
	if err := b.StepErrand(b.t.Context(), c, s); err != nil {
		b.t.Fatal(err)
	}
}

func (b *errandBook) read(id string) store.Errand {
	b.t.Helper()
	e, err := b.Errand(b.t.Context(), b.customer, store.ErrandVerify, id)
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

func (b *errandBook) due(by time.Time) []store.DueErrand {
	b.t.Helper()
	due, err := b.DueErrands(b.t.Context(), by)
	if err != nil {
		b.t.Fatal(err)
	}
	return slices.DeleteFunc(due, func(d store.DueErrand) bool { return d.Customer != b.customer })
}

func TestErrands(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		customers := 0
		for name, spec := range map[string]func(*errandBook){
			"one that is done shows who asked, what for, what came of it and when":    errandDone,
			"a second asker joins the one that waits or runs, a third begins another": errandsJoined,
			"of a running one nobody else gets hold until its lease is over":          errandTakenOver,
			"a worker that lost an errand changes nothing of it":                      errandLost,
			"one that is handed back waits again, and that is no try":                 errandHandedBack,
			"the list says when to look, and an ask between wins":                     errandsListed,
			"the latest that was done is found behind others":                         errandLastDone,
			"the last twenty of a kind are kept, the others leave nothing":            errandsKept,
			"nothing of arguments, result and asker is in clear":                      errandSealed,
			"whoever follows one hears of each change, and not of renewed leases":     errandFollowed,
		} {
			t.Run(name, func(t *testing.T) {
				customers++
				spec(newErrandBook(t, client, fmt.Sprint(7000+customers)))
			})
		}
	})
}

func errandDone(b *errandBook) {
	asked, joined := b.ask("maria")
	if joined || asked.State != store.ErrandWaiting || asked.By != "maria" || asked.Asked.After(b.now()) || string(asked.Args) != `{"job":1701}` {
		b.t.Errorf("asked: %+v", asked)
	}
	c, _, claimed := b.claim("w1")
	if !claimed || c.ID != asked.ID || c.State != store.ErrandRunning || string(c.Args) != `{"job":1701}` || c.Tries != 1 {
		b.t.Errorf("claimed: %v, %+v", claimed, c)
	}
	b.step(c, store.ErrandStep{Result: []string{"one"}, Calls: 1})
	if e := b.read(asked.ID); string(e.Result) != `["one"]` || e.Calls != 1 || e.State != store.ErrandRunning {
		b.t.Errorf("under way: %+v", e)
	}
	b.step(c, store.ErrandStep{To: store.ErrandDone, Result: []string{"one", "two"}, Calls: 2})
	e := b.read(asked.ID)
	if e.State != store.ErrandDone || string(e.Result) != `["one","two"]` || e.Calls != 2 || e.Began.Before(e.Asked) || e.Ended.Before(e.Began) || e.Ended.After(b.now()) {
		b.t.Errorf("done: %+v", e)
	}
	if _, err := b.Errand(b.t.Context(), b.customer, store.ErrandJobs, asked.ID); !errors.Is(err, store.ErrNoErrand) {
		b.t.Errorf("as another kind: %v", err)
	}
	if _, held, claimed := b.claim("w2"); claimed || !held.IsZero() {
		b.t.Errorf("claimed when done: %v, %s", claimed, held)
	}
}

func errandsJoined(b *errandBook) {
	first, _ := b.ask("maria")
	if second, joined := b.ask("joe"); !joined || second.ID != first.ID || second.By != "maria" {
		b.t.Errorf("while it waits: %v, %+v", joined, second)
	}
	c, _, _ := b.claim("w1")
	if second, joined := b.ask("joe"); !joined || second.ID != first.ID {
		b.t.Errorf("while it runs: %v, %+v", joined, second)
	}
	if _, joined, err := b.AskErrand(b.t.Context(), b.customer, store.ErrandJobs, nil, "joe"); joined || err != nil {
		b.t.Errorf("of another kind: %v, %v", joined, err)
	}
	b.step(c, store.ErrandStep{To: store.ErrandFailed, Failure: store.ErrandInternal})
	third, joined := b.ask("joe")
	if joined || third.ID == first.ID {
		b.t.Errorf("after its end: %v, %+v", joined, third)
	}
	list, err := b.Errands(b.t.Context(), b.customer, store.ErrandVerify)
	if err != nil || len(list) != 2 || list[0].ID != third.ID || list[1].Failure != store.ErrandInternal {
		b.t.Errorf("the latest first: %+v, %v", list, err)
	}
}

func errandTakenOver(b *errandBook) {
	b.ask("maria")
	first, _, _ := b.claim("w1")
	if _, held, claimed := b.claim("w2"); claimed || held.Before(b.now().Add(errandLease/2)) || held.After(b.now().Add(errandLease)) {
		b.t.Errorf("while w1 holds it: %v until %s", claimed, held)
	}
	b.pass(first, errandLease-time.Minute)
	b.step(first, store.ErrandStep{Lease: errandLease})
	b.pass(first, errandLease-time.Minute)
	if _, _, claimed := b.claim("w2"); claimed {
		b.t.Error("claimed in spite of a renewed lease")
	}
	b.pass(first, time.Minute)
	second, _, claimed := b.claim("w2")
	if !claimed || second.Tries != 2 || second.ID != first.ID {
		b.t.Errorf("after its lease: %v, %+v", claimed, second)
	}
}

func errandLost(b *errandBook) {
	b.ask("maria")
	first, _, _ := b.claim("w1")
	b.pass(first, errandLease)
	second, _, _ := b.claim("w2")
	for name, s := range map[string]store.ErrandStep{
		"renew": {Lease: errandLease}, "report": {Result: "mine"}, "end": {To: store.ErrandDone, Result: "mine"}, "hand back": {To: store.ErrandWaiting},
	} {
		if err := b.StepErrand(b.t.Context(), first, s); !errors.Is(err, store.ErrErrandLost) {
			b.t.Errorf("%s: %v", name, err)
		}
	}
	b.step(second, store.ErrandStep{To: store.ErrandDone, Result: "theirs"})
	if e := b.read(second.ID); string(e.Result) != `"theirs"` {
		b.t.Errorf("%+v", e)
	}
	if err := b.StepErrand(b.t.Context(), second, store.ErrandStep{Result: "late"}); !errors.Is(err, store.ErrErrandLost) {
		b.t.Errorf("after its end: %v", err)
	}
}

func errandHandedBack(b *errandBook) {
	b.ask("maria")
	first, _, _ := b.claim("w1")
	b.step(first, store.ErrandStep{To: store.ErrandWaiting, Calls: 3})
	if e := b.read(first.ID); e.State != store.ErrandWaiting || e.Calls != 3 {
		b.t.Errorf("handed back: %+v", e)
	}
	second, _, claimed := b.claim("w2")
	if !claimed || second.Tries != 1 || !second.Began.Equal(first.Began) {
		b.t.Errorf("claimed again: %v, %+v", claimed, second)
	}
	if err := b.StepErrand(b.t.Context(), first, store.ErrandStep{Result: "late"}); !errors.Is(err, store.ErrErrandLost) {
		b.t.Errorf("by the first worker: %v", err)
	}
}

func errandsListed(b *errandBook) {
	ctx := b.t.Context()
	b.ask("maria")
	asked := b.now().Add(time.Millisecond)
	due := b.due(asked)
	if len(due) != 1 || due[0].Customer != b.customer || due[0].Kind != store.ErrandVerify || due[0].Since.After(asked) {
		b.t.Fatalf("asked: %+v", due)
	}
	rest := func(d store.DueErrand, until time.Time) {
		b.t.Helper()
		if err := b.RestErrand(ctx, d, until); err != nil {
			b.t.Fatal(err)
		}
	}
	b.ask("joe") // joins, and announces anew
	until := b.now().Add(time.Minute)
	rest(due[0], until)
	again := b.due(b.now().Add(time.Millisecond))
	if len(again) != 1 {
		b.t.Fatalf("an ask between: %+v", again)
	}
	rest(again[0], until)
	if now := b.due(until.Add(-time.Millisecond)); len(now) != 0 {
		b.t.Errorf("put off: %+v", now)
	}
	later := b.due(until)
	if len(later) != 1 {
		b.t.Fatalf("when its time comes: %+v", later)
	}
	rest(later[0], time.Time{})
	if left := b.due(until.Add(time.Hour)); len(left) != 0 {
		b.t.Errorf("taken off: %+v", left)
	}
}

func errandLastDone(b *errandBook) {
	last := func() map[string]store.Errand {
		b.t.Helper()
		found, err := b.LastDone(b.t.Context(), store.ErrandVerify, "6999", b.customer)
		if err != nil {
			b.t.Fatal(err)
		}
		return found
	}
	b.ask("maria")
	if found := last(); len(found) != 0 {
		b.t.Errorf("while the first one waits: %+v", found)
	}
	var done store.Errand
	for _, result := range []string{"one", "two"} {
		b.ask("maria")
		c, _, _ := b.claim("w1")
		b.step(c, store.ErrandStep{To: store.ErrandDone, Result: result})
		done = b.read(c.ID)
	}
	b.ask("joe")
	c, _, _ := b.claim("w1")
	b.step(c, store.ErrandStep{To: store.ErrandFailed, Failure: store.ErrandInternal})
	b.ask("joe")
	if found := last(); len(found) != 1 || !reflect.DeepEqual(found[b.customer], done) {
		b.t.Errorf("behind one that failed and one that waits: %+v, want %+v", found, done)
	}
	if jobs, err := b.LastDone(b.t.Context(), store.ErrandJobs, b.customer); err != nil || len(jobs) != 0 {
		b.t.Errorf("of another kind: %+v, %v", jobs, err)
	}
	keys, err := store.NewKeyset()
	if err != nil {
		b.t.Fatal(err)
	}
	if found, err := store.NewLedger(b.redis, keys).LastDone(b.t.Context(), store.ErrandVerify, b.customer); err != nil || len(found) != 0 {
		b.t.Errorf("sealed with a key that is lost: %+v, %v", found, err)
	}
}

func errandsKept(b *errandBook) {
	var keys []string
	for range 25 {
		e, _ := b.ask("maria")
		keys = append(keys, "ix:{"+b.customer+"}:errand:"+e.ID)
		c, _, _ := b.claim("w1")
		b.step(c, store.ErrandStep{To: store.ErrandDone})
	}
	list, err := b.Errands(b.t.Context(), b.customer, store.ErrandVerify)
	if err != nil || len(list) != 20 {
		b.t.Errorf("%d are listed, %v", len(list), err)
	}
	for i, key := range keys {
		switch left := b.redis.TTL(b.t.Context(), key).Val(); {
		case i < 5 && b.redis.Exists(b.t.Context(), key).Val() != 0:
			b.t.Errorf("the errand before the last %d is kept", 25-i)
		case i >= 5 && left <= 0:
			b.t.Errorf("%s: left %s", key, left)
		}
	}
}

func errandSealed(b *errandBook) {
	b.ask("maria")
	c, _, _ := b.claim("w1")
	b.step(c, store.ErrandStep{To: store.ErrandDone, Result: map[string]string{"title": "Secret Project Lead"}})
	for name, value := range b.redis.HGetAll(b.t.Context(), "ix:{"+b.customer+"}:errand:"+c.ID).Val() {
		for _, word := range []string{"maria", "1701", "Secret"} {
			if strings.Contains(value, word) {
				b.t.Errorf("%s holds %q", name, word)
			}
		}
	}
}

func errandFollowed(b *errandBook) {
	seen, _ := b.ask("maria")
	c, _, _ := b.claim("w1")
	next := func() store.Errand {
		b.t.Helper()
		e, err := b.AwaitErrand(b.t.Context(), seen)
		if err != nil {
			b.t.Fatal(err)
		}
		seen = e
		return e
	}
	if e := next(); e.State != store.ErrandRunning {
		b.t.Errorf("begun: %+v", e)
	}
	b.step(c, store.ErrandStep{Lease: errandLease, Calls: 1})
	if e := b.read(seen.ID); e.Revision != seen.Revision {
		b.t.Errorf("a renewed lease is told: %+v", e)
	}
	b.step(c, store.ErrandStep{Result: json.RawMessage(`[1]`)})
	if e := next(); string(e.Result) != `[1]` {
		b.t.Errorf("found: %+v", e)
	}
	b.step(c, store.ErrandStep{To: store.ErrandDone})
	if e := next(); !e.State.Ended() || string(e.Result) != `[1]` {
		b.t.Errorf("done: %+v", e)
	}
}
