package store_test

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

var onRequest = store.EraseOptions{Who: "ana", Why: "asked to be forgotten", Settle: time.Minute}

func (b *book) erase(candidate string) store.ErasureReceipt {
	b.t.Helper()
	receipt, err := b.Candidates.Erase(b.t.Context(), customer, candidate, onRequest)
	if err != nil {
		b.t.Fatal(err)
	}
	return receipt
}

func TestErasingByState(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		type became struct {
			cancelled, dead, ended, people int
			marker, complete               bool
		}
		inWork := became{}
		specs := []struct {
			state store.State
			want  became
		}{
			{store.Queued, became{cancelled: 1, complete: true}},
			{store.Deferred, became{cancelled: 1, complete: true}},
			{store.Retrying, became{cancelled: 1, complete: true}},
			{store.Dead, became{dead: 1, complete: true}},
			{store.Done, became{ended: 1, people: 1, marker: true, complete: true}},
			{store.Skipped, became{ended: 1, people: 1, complete: true}},
			{store.Claimed, inWork},
			{store.Creating, inWork},
			{store.Created, became{people: 1}},
			{store.Placing, became{people: 1}},
			{store.Unknown, inWork},
		}
		for row, s := range specs {
			ref := b.inState(s.state)
			candidate := string(s.state)
			before := b.outcome(row)
			r := b.erase(candidate)
			got := became{r.Cancelled, r.DeadLetters, r.Ended, len(r.People), r.Marker, r.Complete}
			if got != s.want {
				t.Errorf("%s: %+v, want %+v", s.state, got, s.want)
			}
			if !s.want.complete {
				if len(r.InWork) != 1 || r.InWork[0] != (store.ExportInWork{Batch: b.batch, Export: ref.Export, State: s.state}) {
					t.Errorf("%s: told as in work: %+v", s.state, r.InWork)
				}
				if diff := cmp.Diff(before, b.outcome(row)); diff != "" {
					t.Errorf("%s: an export in work was changed:\n%s", s.state, diff)
				}
				continue
			}
			o := b.outcome(row)
			if o.Candidate != "" || o.Reason != store.ReasonErased || o.Person != 0 || !o.State.Ended() || o.State == store.Dead {
				t.Errorf("%s: remaining outcome %+v", s.state, o)
			}
			if story, err := b.Timeline(t.Context(), ref); err != nil || len(story) != 0 {
				t.Errorf("%s: its timeline remains: %v, %v", s.state, story, err)
			}
			if v := b.claim(ref, longLease).Verdict; v != store.ClaimGone {
				t.Errorf("%s: a later claim gets %s", s.state, v)
			}
			if found, err := b.Candidates.ExportsOf(t.Context(), customer, candidate); err != nil || len(found) != 0 {
				t.Errorf("%s: it is found still: %+v, %v", s.state, found, err)
			}
			if again := b.erase(candidate); !again.Complete || again.Cancelled+again.DeadLetters+again.Ended != 0 || again.Marker || again.Reference != r.Reference {
				t.Errorf("%s: erased twice: %+v", s.state, again)
			}
		}
		b.auditIsClean()
		if n, _ := b.Recovery.IllegalMoves(t.Context(), customer); n != 0 {
			t.Errorf("%d illegal transitions", n)
		}
	})
}

func TestErasing(t *testing.T) {
	t.Parallel()
	specs := []struct {
		name string
		test func(*book)
	}{
		{"a write in progress keeps marker and export until it ends", eraseDuringWrite},
		{"a dead letter with an unconfirmed write is kept until it has settled", eraseUnsettledDeadLetter},
		{"a resubmitted batch does not restore the candidate", eraseThenResubmit},
		{"the email stays known for some minutes, to prevent a second profile", eraseKeepsTheEmailKnown},
		{"a candidate of several batches is erased from all of them", eraseManyBatches},
		{"the candidate's ID is nowhere in Redis", eraseLeavesNoTrace},
		{"a dead letter transferred during the erasure is erased", eraseTransferredLetter},
		{"it is incomplete if exports keep arriving", eraseDuringArrivals},
		{"other candidates keep their data", eraseKeepsOthers},
		{"the batch ends with its last candidate erased", eraseEndsTheBatch},
		{"the action log has who and why, without the candidate's ID", eraseIsRecorded},
		{"an unknown candidate is no error and leaves no trace", eraseUnknown},
	}
	for _, s := range specs {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.test(openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{Job: 1709}))
		})
	}
}

func eraseDuringWrite(b *book) {
	first := b.accept("c-1", "c-1@example.com")
	b.finish(b.claimed(first), store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 1709, Workflow: 3})
	b.again(store.BatchSpec{Job: 1710, IncludePreviouslyExported: true})
	c := b.claimed(b.accept("c-1", "c-1@example.com"))
	b.step(c, store.Step{To: store.Placing, Person: 17})

	r := b.erase("c-1")
	if r.Complete || r.Marker || r.Ended != 1 || len(r.InWork) != 1 || !slices.Equal(r.People, []int64{17}) {
		b.t.Errorf("while a write is under way: %+v", r)
	}
	if m, _ := b.Candidates.Markers(b.t.Context(), customer, []string{"c-1"}); m["c-1"].Person != 17 {
		b.t.Errorf("the marker went although an export is in work: %v", m)
	}
	b.finish(c, store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 17, Job: 1710, Workflow: 4})
	if r := b.erase("c-1"); !r.Complete || !r.Marker || r.Ended != 1 {
		b.t.Errorf("after it: %+v", r)
	}
	if m, _ := b.Candidates.Markers(b.t.Context(), customer, []string{"c-1"}); len(m) != 0 {
		b.t.Errorf("the marker is left: %v", m)
	}
	b.auditIsClean()
}

func eraseUnsettledDeadLetter(b *book) {
	ref := b.accept("c-1", "c-1@example.com")
	c := b.claimed(ref)
	b.step(c, store.Step{To: store.Creating})
	b.hold(c, store.Hold{To: store.Unknown, Reason: store.ReasonWriteSettling})
	c = b.claim(ref, store.ClaimOptions{Lease: time.Minute})
	b.finish(c, store.Finish{To: store.Dead, Counter: store.CountDead, Reason: store.ReasonBudgetSpent})
	if r := b.erase("c-1"); r.Complete || len(r.InWork) != 1 || r.InWork[0].State != store.Dead {
		b.t.Errorf("before it has settled: %+v", r)
	}
	now, err := b.Now(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	b.force(ref, "ia", now.Add(-onRequest.Settle).UnixMilli())
	if r := b.erase("c-1"); !r.Complete || r.DeadLetters != 1 {
		b.t.Errorf("once it has settled: %+v", r)
	}
	b.auditIsClean()
}

func eraseThenResubmit(b *book) {
	for i, state := range []store.State{store.Queued, store.Done, store.Dead} {
		b.inState(state)
		b.erase(string(state))
		again, err := b.Accept(b.newExport(string(state), string(state)+"@example.com"))
		if err != nil || again[0].New {
			b.t.Errorf("%s came back: %+v, %v", state, again, err)
		}
		if o := b.outcome(i); o.Candidate != "" {
			b.t.Errorf("%s: %+v", state, o)
		}
	}
	b.auditIsClean()
}

func eraseKeepsTheEmailKnown(b *book) {
	c := b.claimed(b.accept("c-1", "shared@example.com"))
	b.step(c, store.Step{To: store.Created, Person: 17, PersonMade: true})
	b.hold(c, store.Hold{To: store.Deferred, Delay: time.Hour})
	if r := b.erase("c-1"); !r.Complete || !slices.Equal(r.People, []int64{17}) {
		b.t.Fatalf("erased: %+v", r)
	}
	other := b.claim(b.accept("c-2", "shared@example.com"), store.ClaimOptions{Lease: time.Minute})
	if other.KnownPerson != 17 {
		b.t.Errorf("the email's known person is %d, want 17", other.KnownPerson)
	}
	hash := b.Keys().EmailHash(customer, "shared@example.com")
	if left := b.redis.TTL(b.t.Context(), "ix:{"+customer+"}:k:"+hash).Val(); left <= 0 || left > 10*time.Minute {
		b.t.Errorf("it stays known for %s", left)
	}
}

func eraseManyBatches(b *book) {
	const batches = 520 // more than one page
	for i := range batches {
		if i > 0 {
			b.again(store.BatchSpec{Job: int64(i)})
		}
		b.accept("c-1", "c-1@example.com")
	}
	if r := b.erase("c-1"); !r.Complete || r.Cancelled != batches {
		b.t.Errorf("%d of %d cancelled, complete %v", r.Cancelled, batches, r.Complete)
	}
	if n, _ := b.Recovery.Live(b.t.Context(), customer); n != 0 {
		b.t.Errorf("%d move still", n)
	}
}

func eraseLeavesNoTrace(b *book) {
	const candidate = "c-unmistakable"
	ends := []store.Finish{
		{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 1709, Workflow: 3},
		{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore, Person: 17},
		{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused", Entry: &store.Entry{What: "dead"}},
	}
	for i, end := range ends {
		b.again(store.BatchSpec{Job: int64(i + 1)})
		b.finish(b.claimed(b.accept(candidate, "c@example.com")), end)
	}
	b.again(store.BatchSpec{})
	b.accept(candidate, "c@example.com")
	sum := sha1.Sum([]byte(candidate))
	traces := []string{candidate, hex.EncodeToString(sum[:])[3:19]}
	if found := redistest.Dump(b.t, b.redis).Holding(traces...); len(found) < 5 {
		b.t.Fatalf("before it is found in %q only", found)
	}
	if r := b.erase(candidate); !r.Complete || r.Ended != 2 || r.DeadLetters != 1 || r.Cancelled != 1 || !r.Marker {
		b.t.Errorf("erased: %+v", r)
	}
	if found := redistest.Dump(b.t, b.redis).Holding(traces...); len(found) > 0 {
		b.t.Errorf("it is left in %q", found)
	}
	b.auditIsClean()
}

func eraseTransferredLetter(b *book) {
	const candidate = "c-unmistakable"
	ref := b.dead(candidate)
	b.redis.AddHook(&interlude{before: func() { b.transfer(1710, ref) }})
	if r := b.erase(candidate); !r.Complete || r.Ended != 1 || r.Cancelled != 1 || r.DeadLetters != 0 || !slices.Equal(r.People, []int64{17}) {
		b.t.Errorf("erased: %+v", r)
	}
	if n, _ := b.Recovery.Live(b.t.Context(), customer); n != 0 {
		b.t.Errorf("%d move still", n)
	}
	if found := redistest.Dump(b.t, b.redis).Holding(candidate); len(found) > 0 {
		b.t.Errorf("it is left in %q", found)
	}
	if actions, _, err := b.AuditLog.Actions(b.t.Context(), customer, 10); err != nil || len(actions) != 1 || actions[0].Count != 2 {
		b.t.Errorf("recorded: %+v, %v", actions, err)
	}
	b.auditIsClean()
}

func eraseDuringArrivals(b *book) {
	var comes interlude
	var hand func()
	hand = func() {
		b.again(store.BatchSpec{Job: 1710})
		b.accept("c-1", "c-1@example.com")
		comes.before = hand
	}
	comes.before = hand
	b.redis.AddHook(&comes)
	r := b.erase("c-1")
	comes.before = nil
	n, err := b.Recovery.Live(b.t.Context(), customer)
	if err != nil || r.Complete || len(r.InWork) != 1 || n != 1 || r.InWork[0].Batch != b.batch || r.InWork[0].State != store.Queued || r.Cancelled < 2 {
		b.t.Errorf("while they keep coming: %+v, and %d move, %v", r, n, err)
	}
	if r := b.erase("c-1"); !r.Complete || r.Cancelled != 1 {
		b.t.Errorf("once none comes: %+v", r)
	}
	b.auditIsClean()
}

func eraseKeepsOthers(b *book) {
	other := b.accept("c-2", "c-2@example.com")
	done := b.accept("c-3", "c-3@example.com")
	b.finish(b.claimed(done), store.Finish{To: store.Done, Counter: store.CountCreated, Person: 18})
	b.accept("c-1", "c-1@example.com")
	if r := b.erase("c-1"); r.Cancelled != 1 {
		b.t.Errorf("erased: %+v", r)
	}
	if _, err := b.DeadLetters.Payload(b.t.Context(), other); err != nil {
		b.t.Errorf("the data of another one: %v", err)
	}
	if m, _ := b.Candidates.Markers(b.t.Context(), customer, []string{"c-3"}); m["c-3"].Person != 18 {
		b.t.Error("the marker of another one is gone")
	}
	if c := b.counts(); c.Accepted != 3 || c.Cancelled != 1 || c.Created != 1 || c.Moving() != 1 {
		b.t.Errorf("counts: %+v", c)
	}
	b.auditIsClean()
}

func eraseEndsTheBatch(b *book) {
	b.accept("c-1", "c-1@example.com")
	if err := b.Batches.Close(b.t.Context(), b.batch, 0); err != nil {
		b.t.Fatal(err)
	}
	b.erase("c-1")
	if c := b.counts(); c.Ended.IsZero() || c.Cancelled != 1 {
		b.t.Errorf("counts: %+v", c)
	}
}

func eraseIsRecorded(b *book) {
	b.accept("c-1", "c-1@example.com")
	r := b.erase("c-1")
	actions, _, err := b.AuditLog.Actions(b.t.Context(), customer, 10)
	if err != nil || len(actions) != 1 {
		b.t.Fatalf("actions: %+v, %v", actions, err)
	}
	if a := actions[0]; a.Who != "ana" || a.Why != onRequest.Why || a.Count != 1 || !strings.Contains(a.What, r.Reference) || strings.Contains(a.What, "c-1") {
		b.t.Errorf("recorded: %+v", a)
	}
}

func eraseUnknown(b *book) {
	before := ordered(redistest.Dump(b.t, b.redis))
	if r := b.erase("never-seen"); !r.Complete || r.Cancelled+r.DeadLetters+r.Ended != 0 || r.Marker {
		b.t.Errorf("receipt: %+v", r)
	}
	if diff := cmp.Diff(before, ordered(redistest.Dump(b.t, b.redis))); diff != "" {
		b.t.Errorf("something changed:\n%s", diff)
	}
}

// again opens another batch of the customer.
func (b *book) again(spec store.BatchSpec) {
	b.t.Helper()
	spec.Customer = customer
	var err error
	if b.batch, _, err = b.Batches.Open(b.t.Context(), spec); err != nil {
		b.t.Fatal(err)
	}
}
