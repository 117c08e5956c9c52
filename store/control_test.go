package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// controlBook is a ledger with the control tasks of one customer.
type controlBook struct {
	*store.Ledger
	t        *testing.T
	redis    redis.UniversalClient
	customer string
}

func newControlBook(t *testing.T, client redis.UniversalClient, customer string) *controlBook {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return &controlBook{Ledger: store.NewLedger(client, keys), t: t, redis: client, customer: customer}
}

func (b *controlBook) now() time.Time {
	b.t.Helper()
	now, err := b.Now(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return now
}

func (b *controlBook) request(who string) (store.ControlTask, bool) {
	b.t.Helper()
	e, joined, err := b.Control.Record(b.t.Context(), b.customer, store.ControlVerify, map[string]int{"job": 1701}, who)
	if err != nil {
		b.t.Fatal(err)
	}
	return e, joined
}

func (b *controlBook) begin(id string, try int) store.ControlClaim {
	b.t.Helper()
	c, err := b.Control.Begin(b.t.Context(), b.customer, store.ControlVerify, id, try)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *controlBook) step(c store.ControlClaim, s store.ControlStep) {
	b.t.Helper()
	if err := b.Control.Step(b.t.Context(), c, s); err != nil {
		b.t.Fatal(err)
	}
}

func (b *controlBook) read(id string) store.ControlTask {
	b.t.Helper()
	e, err := b.Control.Get(b.t.Context(), b.customer, store.ControlVerify, id)
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

func TestControlTasks(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		customers := 0
		for name, spec := range map[string]func(*controlBook){
			"one that is done shows who asked, what for, what came of it and when":      controlDone,
			"a second request joins the one that waits or runs, a third begins another": controlJoined,
			"of two runs only the last that began records anything":                     controlFenced,
			"one that is handed back waits again, and that is no try":                   controlHandedBack,
			"the latest that was done is found behind others":                           controlLastDone,
			"the last twenty of a kind are kept, the others leave nothing":              controlsKept,
			"nothing of arguments, result and asker is in clear":                        controlSealed,
			"whoever follows one hears of each change":                                  controlFollowed,
		} {
			t.Run(name, func(t *testing.T) {
				customers++
				spec(newControlBook(t, client, fmt.Sprint(7000+customers)))
			})
		}
	})
}

func controlDone(b *controlBook) {
	asked, joined := b.request("maria")
	if joined || asked.State != store.ControlWaiting || asked.By != "maria" || asked.Asked.After(b.now()) || string(asked.Args) != `{"job":1701}` {
		b.t.Errorf("requested: %+v", asked)
	}
	c := b.begin(asked.ID, 1)
	if c.ID != asked.ID || c.State != store.ControlRunning || string(c.Args) != `{"job":1701}` || c.Tries != 1 {
		b.t.Errorf("begun: %+v", c)
	}
	b.step(c, store.ControlStep{Result: []string{"one"}, Calls: 1})
	if e := b.read(asked.ID); string(e.Result) != `["one"]` || e.Calls != 1 || e.State != store.ControlRunning {
		b.t.Errorf("running: %+v", e)
	}
	b.step(c, store.ControlStep{To: store.ControlDone, Result: []string{"one", "two"}, Calls: 2})
	e := b.read(asked.ID)
	if e.State != store.ControlDone || string(e.Result) != `["one","two"]` || e.Calls != 2 || e.Began.Before(e.Asked) || e.Ended.Before(e.Began) || e.Ended.After(b.now()) {
		b.t.Errorf("done: %+v", e)
	}
	if _, err := b.Control.Get(b.t.Context(), b.customer, store.ControlJobs, asked.ID); !errors.Is(err, store.ErrNoControlTask) {
		b.t.Errorf("as another kind: %v", err)
	}
	if _, err := b.Control.Begin(b.t.Context(), b.customer, store.ControlVerify, asked.ID, 1); !errors.Is(err, store.ErrControlTaskLost) {
		b.t.Errorf("begun when done: %v", err)
	}
	if _, err := b.Control.Begin(b.t.Context(), b.customer, store.ControlVerify, "nothing", 1); !errors.Is(err, store.ErrControlTaskLost) {
		b.t.Errorf("begun without a record: %v", err)
	}
}

func controlJoined(b *controlBook) {
	first, _ := b.request("maria")
	if second, joined := b.request("joe"); !joined || second.ID != first.ID || second.By != "maria" {
		b.t.Errorf("while it waits: %v, %+v", joined, second)
	}
	c := b.begin(first.ID, 1)
	if second, joined := b.request("joe"); !joined || second.ID != first.ID {
		b.t.Errorf("while it runs: %v, %+v", joined, second)
	}
	if _, joined, err := b.Control.Record(b.t.Context(), b.customer, store.ControlJobs, nil, "joe"); joined || err != nil {
		b.t.Errorf("of another kind: %v, %v", joined, err)
	}
	b.step(c, store.ControlStep{To: store.ControlFailed, Failure: store.ControlInternal})
	third, joined := b.request("joe")
	if joined || third.ID == first.ID {
		b.t.Errorf("after its end: %v, %+v", joined, third)
	}
	list, err := b.Control.List(b.t.Context(), b.customer, store.ControlVerify)
	if err != nil || len(list) != 2 || list[0].ID != third.ID || list[1].Failure != store.ControlInternal {
		b.t.Errorf("the latest first: %+v, %v", list, err)
	}
}

func controlFenced(b *controlBook) {
	asked, _ := b.request("maria")
	first := b.begin(asked.ID, 1)
	second := b.begin(asked.ID, 2)
	if second.Tries != 2 || !second.Began.Equal(first.Began) {
		b.t.Errorf("begun again: %+v", second)
	}
	for name, s := range map[string]store.ControlStep{
		"report": {Result: "mine"}, "end": {To: store.ControlDone, Result: "mine"}, "hand back": {To: store.ControlWaiting},
	} {
		if err := b.Control.Step(b.t.Context(), first, s); !errors.Is(err, store.ErrControlTaskLost) {
			b.t.Errorf("%s: %v", name, err)
		}
	}
	b.step(second, store.ControlStep{To: store.ControlDone, Result: "theirs"})
	b.step(second, store.ControlStep{To: store.ControlDone, Result: "theirs"}) // as after a lost reply
	if e := b.read(second.ID); string(e.Result) != `"theirs"` {
		b.t.Errorf("%+v", e)
	}
	if err := b.Control.Step(b.t.Context(), second, store.ControlStep{Result: "late"}); !errors.Is(err, store.ErrControlTaskLost) {
		b.t.Errorf("after its end: %v", err)
	}
}

func controlHandedBack(b *controlBook) {
	asked, _ := b.request("maria")
	first := b.begin(asked.ID, 1)
	b.step(first, store.ControlStep{To: store.ControlWaiting, Calls: 3})
	if e := b.read(first.ID); e.State != store.ControlWaiting || e.Calls != 3 {
		b.t.Errorf("handed back: %+v", e)
	}
	if err := b.Control.Step(b.t.Context(), first, store.ControlStep{Result: "late"}); !errors.Is(err, store.ErrControlTaskLost) {
		b.t.Errorf("by the first worker: %v", err)
	}
	second := b.begin(asked.ID, 1)
	if second.Tries != 1 || !second.Began.Equal(first.Began) {
		b.t.Errorf("begun again: %+v", second)
	}
}

func controlLastDone(b *controlBook) {
	last := func() map[string]store.ControlTask {
		b.t.Helper()
		found, err := b.Control.LastDone(b.t.Context(), store.ControlVerify, "6999", b.customer)
		if err != nil {
			b.t.Fatal(err)
		}
		return found
	}
	b.request("maria")
	if found := last(); len(found) != 0 {
		b.t.Errorf("while the first one waits: %+v", found)
	}
	var done store.ControlTask
	for _, result := range []string{"one", "two"} {
		asked, _ := b.request("maria")
		c := b.begin(asked.ID, 1)
		b.step(c, store.ControlStep{To: store.ControlDone, Result: result})
		done = b.read(c.ID)
	}
	asked, _ := b.request("joe")
	c := b.begin(asked.ID, 1)
	b.step(c, store.ControlStep{To: store.ControlFailed, Failure: store.ControlInternal})
	b.request("joe")
	if found := last(); len(found) != 1 || !reflect.DeepEqual(found[b.customer], done) {
		b.t.Errorf("behind one that failed and one that waits: %+v, want %+v", found, done)
	}
	if jobs, err := b.Control.LastDone(b.t.Context(), store.ControlJobs, b.customer); err != nil || len(jobs) != 0 {
		b.t.Errorf("of another kind: %+v, %v", jobs, err)
	}
	keys, err := store.NewKeyset()
	if err != nil {
		b.t.Fatal(err)
	}
	if found, err := store.NewLedger(b.redis, keys).Control.LastDone(b.t.Context(), store.ControlVerify, b.customer); err != nil || len(found) != 0 {
		b.t.Errorf("sealed with a key that is lost: %+v, %v", found, err)
	}
}

func controlsKept(b *controlBook) {
	var keys []string
	for range 25 {
		e, _ := b.request("maria")
		keys = append(keys, "ix:{"+b.customer+"}:errand:"+e.ID)
		c := b.begin(e.ID, 1)
		b.step(c, store.ControlStep{To: store.ControlDone})
	}
	list, err := b.Control.List(b.t.Context(), b.customer, store.ControlVerify)
	if err != nil || len(list) != 20 {
		b.t.Errorf("%d are listed, %v", len(list), err)
	}
	for i, key := range keys {
		switch left := b.redis.TTL(b.t.Context(), key).Val(); {
		case i < 5 && b.redis.Exists(b.t.Context(), key).Val() != 0:
			b.t.Errorf("the control task before the last %d is kept", 25-i)
		case i >= 5 && left <= 0:
			b.t.Errorf("%s: left %s", key, left)
		}
	}
}

func controlSealed(b *controlBook) {
	asked, _ := b.request("maria")
	c := b.begin(asked.ID, 1)
	b.step(c, store.ControlStep{To: store.ControlDone, Result: map[string]string{"title": "Secret Project Lead"}})
	for name, value := range b.redis.HGetAll(b.t.Context(), "ix:{"+b.customer+"}:errand:"+c.ID).Val() {
		for _, word := range []string{"maria", "1701", "Secret"} {
			if strings.Contains(value, word) {
				b.t.Errorf("%s holds %q", name, word)
			}
		}
	}
}

func controlFollowed(b *controlBook) {
	seen, _ := b.request("maria")
	c := b.begin(seen.ID, 1)
	next := func() store.ControlTask {
		b.t.Helper()
		e, err := b.Control.Await(b.t.Context(), seen)
		if err != nil {
			b.t.Fatal(err)
		}
		seen = e
		return e
	}
	if e := next(); e.State != store.ControlRunning {
		b.t.Errorf("begun: %+v", e)
	}
	b.step(c, store.ControlStep{Result: json.RawMessage(`[1]`)})
	if e := next(); string(e.Result) != `[1]` {
		b.t.Errorf("found: %+v", e)
	}
	b.step(c, store.ControlStep{To: store.ControlDone})
	if e := next(); !e.State.Ended() || string(e.Result) != `[1]` {
		b.t.Errorf("done: %+v", e)
	}
}
