package store_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// reminder is a task in the bulk queue.
type reminder struct {
	store.Ref
	generation int
}

// acceptMany takes a batch into the ledger and returns its tasks.
func acceptMany(t testing.TB, ledger *store.Ledger, key string, n int) []reminder {
	t.Helper()
	batch, _, err := ledger.OpenBatch(t.Context(), store.BatchSpec{Customer: customer, IdempotencyKey: key})
	if err != nil {
		t.Fatal(err)
	}
	var queue []reminder
	for from := 0; from < n; from += 500 {
		var chunk []store.NewExport
		for i := from; i < min(n, from+500); i++ {
			candidate := key + "-" + strconv.Itoa(i)
			export := ledger.Keys().ExportID(string(batch), candidate)
			chunk = append(chunk, store.NewExport{Export: export, Candidate: candidate, EmailHash: ledger.Keys().EmailHash(customer, candidate+"@example.com")})
			queue = append(queue, reminder{store.Ref{Customer: customer, Export: export}, 0})
		}
		if _, err := ledger.AcceptByTurns(t.Context(), batch, chunk); err != nil {
			t.Fatal(err)
		}
	}
	return queue
}

func TestASmallBatchPassesALargeOne(t *testing.T) {
	t.Parallel()
	const few = 50
	many := 20_000
	if testing.Short() {
		many = 2_000
	}
	for byTurns, want := range map[bool]int{true: few, false: many} {
		t.Run(fmt.Sprintf("by turns %t", byTurns), func(t *testing.T) {
			t.Parallel()
			keys, err := store.NewKeyset()
			if err != nil {
				t.Fatal(err)
			}
			ledger := store.NewLedger(redistest.Start(t).Client(t), keys)
			queue := acceptMany(t, ledger, "many", many)
			small := map[string]bool{}
			for _, r := range acceptMany(t, ledger, "few", few) {
				queue = append(queue, r)
				small[r.Export] = true
			}
			others := 0
			for _, r := range queue {
				c, err := ledger.Claim(t.Context(), r.Ref, store.ClaimOptions{Lease: time.Hour, Settle: time.Hour, ByTurns: byTurns})
				if err != nil || c.Verdict != store.ClaimOK {
					t.Fatalf("%+v, %v", c, err)
				}
				if delete(small, c.Export); len(small) == 0 {
					break
				}
				others++
			}
			served := others - (few - 1 - len(small))
			t.Logf("%d exports of the large batch were served before the last of the small one", served)
			if served != want {
				t.Errorf("want %d", want)
			}
		})
	}
}

// TestTurns lets several workers serve the tasks of several batches, with deaths,
// retries and lost answers, and looks after what turns promise.
func TestTurns(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	lost := &echo{}
	client.AddHook(lost)
	rapid.Check(t, func(t *rapid.T) {
		ledger := store.NewLedger(client, keys, store.WithSimulatedClock())
		q := &turnsPlay{T: t, redis: client, ledger: ledger, echo: lost, now: 1_800_000_000_000, batchOf: map[string]string{}, begun: map[string]bool{}, held: map[string]*store.Claim{}, ended: map[string]bool{}, lead: map[[2]string]int{}}
		q.must(client.FlushDB(t.Context()).Err())
		q.pass(0)
		q.accept()
		for range 4 {
			t.Repeat(map[string]func(*rapid.T){
				"accept":        func(*rapid.T) { q.accept() },
				"claim":         func(*rapid.T) { q.claim() },
				"claim again":   func(*rapid.T) { q.claim() },
				"claim and die": func(*rapid.T) { q.die() },
				"finish":        func(*rapid.T) { q.finish() },
				"put off":       func(*rapid.T) { q.hold() },
				"time passes":   func(*rapid.T) { q.pass(10 * time.Second) },
			})
		}
		q.drain()
	})
}

type turnsPlay struct {
	*rapid.T
	redis   redis.UniversalClient
	ledger  *store.Ledger
	echo    *echo
	now     int64
	queue   []reminder
	later   []reminder // put off
	batchOf map[string]string
	begun   map[string]bool
	held    map[string]*store.Claim
	ended   map[string]bool
	// lead is how many more exports of the first batch were begun than of the
	// second, since both have waited.
	lead    map[[2]string]int
	batches int
}

func (q *turnsPlay) must(err error) {
	q.Helper()
	if err != nil {
		q.Fatal(err)
	}
}

func (q *turnsPlay) pass(d time.Duration) {
	q.now += d.Milliseconds()
	q.must(q.redis.Set(q.Context(), store.SimulatedClockKey, q.now, 0).Err())
	if d > 0 {
		q.queue, q.later = append(q.queue, q.later...), nil
	}
}

func (q *turnsPlay) accept() {
	if q.batches == 4 {
		q.Skip("enough batches")
	}
	q.batches++
	name := strconv.Itoa(q.batches)
	n := rapid.IntRange(1, 12).Draw(q.T, "size")
	batch, _, err := q.ledger.OpenBatch(q.Context(), store.BatchSpec{Customer: customer, IdempotencyKey: name})
	q.must(err)
	var exports []store.NewExport
	for i := range n {
		candidate := fmt.Sprintf("%s-%d", name, i)
		e := store.NewExport{Export: q.ledger.Keys().ExportID(string(batch), candidate), Candidate: candidate, EmailHash: q.ledger.Keys().EmailHash(customer, candidate)}
		exports = append(exports, e)
		q.batchOf[e.Export] = name
		q.queue = append(q.queue, reminder{store.Ref{Customer: customer, Export: e.Export}, 0})
	}
	_, err = q.ledger.AcceptByTurns(q.Context(), batch, exports)
	q.must(err)
}

// waiting are the batches of which some export has not been begun.
func (q *turnsPlay) waiting() map[string]bool {
	waiting := map[string]bool{}
	for export, batch := range q.batchOf {
		if !q.begun[export] {
			waiting[batch] = true
		}
	}
	return waiting
}

// serve takes a task off the queue, mostly the first, and claims by it.
func (q *turnsPlay) serve() *store.Claim {
	if len(q.queue) == 0 {
		q.Skip("the queue is empty")
	}
	i := rapid.IntRange(0, min(3, len(q.queue)-1)).Draw(q.T, "task")
	r := q.queue[i]
	q.queue = slices.Delete(q.queue, i, i+1)
	waited := q.waiting()
	q.echo.armed = rapid.IntRange(0, 4).Draw(q.T, "the answer is lost if 0") == 0
	c, err := q.ledger.Claim(q.Context(), r.Ref, store.ClaimOptions{Lease: time.Hour, Settle: time.Minute, ByTurns: true, Generation: r.generation})
	q.must(err)
	switch c.Verdict {
	case store.ClaimOK:
	case store.ClaimHeld, store.ClaimUnsettled, store.ClaimLocked:
		q.later = append(q.later, reminder{c.Ref, c.Generation})
		return nil
	default:
		if len(waited) > 0 {
			q.Fatalf("a turn was %s while exports of %v wait", c.Verdict, waited)
		}
		return nil
	}
	if q.held[c.Export] != nil || q.ended[c.Export] {
		q.Fatalf("export %s of batch %s was claimed twice", c.Export, q.batchOf[c.Export])
	}
	if !q.begun[c.Export] {
		q.begun[c.Export] = true
		q.served(q.batchOf[c.Export], waited)
	}
	return c
}

// served notes a turn, and compares the batches that waited for it.
func (q *turnsPlay) served(batch string, waited map[string]bool) {
	still := q.waiting()
	for a := range waited {
		for b := range waited {
			pair := [2]string{a, b}
			switch {
			case a == b:
			case !still[a] || !still[b]:
				delete(q.lead, pair)
			case a == batch:
				q.lead[pair]++
			case b == batch:
				q.lead[pair]--
			}
			if n := q.lead[pair]; n > 1 {
				q.Fatalf("batch %s had %d turns more than batch %s since both wait", a, n, b)
			}
		}
	}
}

func (q *turnsPlay) claim() {
	if c := q.serve(); c != nil {
		q.held[c.Export] = c
	}
}

// die claims for a worker that dies: its claim is void at once, and the reconciler
// gives the export another task.
func (q *turnsPlay) die() {
	if c := q.serve(); c != nil {
		if ok, err := q.ledger.Void(q.Context(), c.Ref, ""); !ok {
			q.Fatalf("export %s is in nobody's hands: %v", c.Export, err)
		}
		generation, ok, err := q.ledger.Nudge(q.Context(), c.Ref, time.Minute)
		q.must(err)
		if !ok {
			q.Fatalf("export %s has ended", c.Export)
		}
		q.queue = append(q.queue, reminder{c.Ref, generation})
	}
}

func (q *turnsPlay) drawHeld() *store.Claim {
	if len(q.held) == 0 {
		q.Skip("nothing is held")
	}
	c := q.held[rapid.SampledFrom(slices.Sorted(maps.Keys(q.held))).Draw(q.T, "held")]
	delete(q.held, c.Export)
	return c
}

func (q *turnsPlay) finish() { q.end(q.drawHeld()) }

func (q *turnsPlay) end(c *store.Claim) {
	q.must(q.ledger.Finish(q.Context(), c, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 1}))
	q.ended[c.Export] = true
}

func (q *turnsPlay) hold() {
	c := q.drawHeld()
	q.must(q.ledger.Hold(q.Context(), c, store.Hold{To: store.Retrying, Delay: 10 * time.Second, Reason: "icims_server_error", Attempts: 1}))
	q.later = append(q.later, reminder{c.Ref, c.Generation})
}

// drain serves until the queue is empty: then every export must have ended.
func (q *turnsPlay) drain() {
	for range 1000 {
		for _, export := range slices.Sorted(maps.Keys(q.held)) {
			q.end(q.held[export])
			delete(q.held, export)
		}
		if len(q.queue) == 0 {
			q.pass(time.Hour)
		}
		if len(q.queue) == 0 {
			break
		}
		q.claim()
	}
	if len(q.ended) != len(q.batchOf) {
		q.Fatalf("%d of %d exports have ended, and no task is left", len(q.ended), len(q.batchOf))
	}
}

// One that was put off is behind all others in asynq's queue.
func TestThePutOffTakeTurnsAsWell(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(client, keys, store.WithSimulatedClock())
	clock := func(ms int64) {
		if err := client.Set(t.Context(), store.SimulatedClockKey, ms, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	clock(1_800_000_000_000)
	few, many := acceptMany(t, ledger, "few", 1), acceptMany(t, ledger, "many", 100)
	o := store.ClaimOptions{Lease: time.Hour, Settle: time.Hour, ByTurns: true}
	next := func(r reminder) *store.Claim {
		c, err := ledger.Claim(t.Context(), r.Ref, o)
		if err != nil || c.Verdict != store.ClaimOK {
			t.Fatalf("%+v, %v", c, err)
		}
		return c
	}
	c := next(many[0])
	if c.Export != few[0].Export || c.Generation != 1 {
		t.Fatalf("the first turn went to %s, generation %d", c.Export, c.Generation)
	}
	if err := ledger.Hold(t.Context(), c, store.Hold{To: store.Retrying, Delay: time.Minute, Reason: "icims_server_error", Attempts: 1}); err != nil {
		t.Fatal(err)
	}
	if c := next(many[1]); c.Export == few[0].Export {
		t.Error("it was served before its time")
	}
	clock(1_800_000_060_000)
	if a, b := next(many[2]), next(many[3]); a.Export != few[0].Export && b.Export != few[0].Export {
		t.Error("it was not served although its time had come")
	}
	if c, err := ledger.Claim(t.Context(), few[0].Ref, o); err != nil || c.Verdict != store.ClaimOK {
		t.Errorf("the task of an export served by another turn is a turn: %+v, %v", c, err)
	}
}
