package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestBatchCountsEndReasons(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		ctx := t.Context()
		wants := func(when string, want ...store.EndReason) {
			t.Helper()
			got, whole, err := b.Batches.EndReasons(ctx, b.batch)
			if diff := cmp.Diff(want, got); err != nil || !whole || diff != "" {
				t.Errorf("%s (-want +got, %v):\n%s", when, err, diff)
			}
		}
		refs := make([]store.Ref, 8)
		for i := range refs {
			refs[i] = b.accept(fmt.Sprintf("c-%d", i), fmt.Sprintf("c-%d@example.com", i))
		}
		wants("while all of them wait")

		b.finish(b.claimed(refs[0]), store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17})
		wants("one that was done needs no reason")
		b.finish(b.claimed(refs[1]), store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore, Person: 3})
		for _, ref := range refs[2:5] {
			b.finish(b.claimed(ref), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: store.ReasonJobNotFound})
		}
		b.finish(b.claimed(refs[5]), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"})
		b.hold(b.claimed(refs[6]), store.Hold{To: store.Retrying, Reason: "icims_timeout"})
		skipped := store.EndReason{Counter: store.CountSkipped, Reason: store.ReasonExportedBefore, Count: 1}
		refused := store.EndReason{Counter: store.CountDead, Reason: "icims_refused", Count: 1}
		wants("when some have ended", store.EndReason{Counter: store.CountDead, Reason: store.ReasonJobNotFound, Count: 3}, refused, skipped)

		if err := b.DeadLetters.Revive(ctx, refs[2], "ana", "mended"); err != nil {
			t.Fatal(err)
		}
		must(t, b.DeadLetters.Discard(ctx, refs[3], "ana", "not needed"))
		jobless := store.EndReason{Counter: store.CountDead, Reason: store.ReasonJobNotFound, Count: 1}
		discarded := store.EndReason{Counter: store.CountCancelled, Reason: store.ReasonJobNotFound, Count: 1}
		wants("of what is retried none, of what is discarded the reason for which it was dead", discarded, refused, jobless, skipped)

		if _, err := b.Cancel(ctx, b.batch, store.CancelOptions{Who: "ana", Why: "enough"}); err != nil {
			t.Fatal(err)
		}
		wants("what waited was cancelled", store.EndReason{Counter: store.CountCancelled, Reason: store.ReasonCancelled, Count: 3}, discarded, refused, jobless, skipped)

		for _, candidate := range []string{"c-0", "c-1", "c-4"} {
			b.erase(candidate)
		}
		erased := func(counter store.Counter) store.EndReason {
			return store.EndReason{Counter: counter, Reason: store.ReasonErased, Count: 1}
		}
		wants("who was erased leaves no other reason", store.EndReason{Counter: store.CountCancelled, Reason: store.ReasonCancelled, Count: 3},
			erased(store.CountCancelled), discarded, erased(store.CountCreated), refused, erased(store.CountSkipped))

		if _, _, err := b.Batches.EndReasons(ctx, "1234-aaaaaaaaaaaaaaaa"); !errors.Is(err, store.ErrNoBatch) {
			t.Errorf("of an unknown batch: %v", err)
		}
	})
}

func TestEndReasonsOfAnOlderBatch(t *testing.T) {
	t.Parallel()
	b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{})
	ctx := t.Context()
	wants := func(when string, whole bool, want ...store.EndReason) {
		t.Helper()
		got, is, err := b.Batches.EndReasons(ctx, b.batch)
		if diff := cmp.Diff(want, got); err != nil || is != whole || diff != "" {
			t.Errorf("%s: whole %v, want %v (-want +got, %v):\n%s", when, is, whole, err, diff)
		}
	}
	uncount := func(counter store.Counter, reason store.Reason) {
		t.Helper()
		_, local, _ := strings.Cut(string(b.batch), "-")
		must(t, b.redis.HDel(ctx, "ix:{"+customer+"}:b:"+local, "r:"+string(counter)+":"+string(reason)).Err())
	}
	revive := func(ref store.Ref) {
		t.Helper()
		if err := b.DeadLetters.Revive(ctx, ref, "ana", "mended"); err != nil {
			t.Fatal(err)
		}
	}
	die := func(ref store.Ref) {
		t.Helper()
		b.finish(b.claimed(ref), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: store.ReasonJobNotFound})
	}
	refs := make([]store.Ref, 4)
	for i := range refs {
		refs[i] = b.accept(fmt.Sprintf("c-%d", i), fmt.Sprintf("c-%d@example.com", i))
	}
	jobless := func(n int) store.EndReason {
		return store.EndReason{Counter: store.CountDead, Reason: store.ReasonJobNotFound, Count: n}
	}

	die(refs[0])
	die(refs[1])
	uncount(store.CountDead, store.ReasonJobNotFound)
	wants("two died before", false)
	die(refs[2])
	wants("two died before, one after", false)
	revive(refs[0])
	wants("and one of the first was retried", false)
	revive(refs[1])
	wants("of those that are dead all were counted", false)
	revive(refs[2])
	wants("none is dead any more", true)
	die(refs[0])
	die(refs[1])
	wants("all were counted, and none was taken back that was not", true, jobless(2))

	must(t, b.DeadLetters.Discard(ctx, refs[1], "ana", "not needed"))
	uncount(store.CountCancelled, store.ReasonJobNotFound)
	wants("one was canceled before", false)
	b.erase("c-1")
	wants("it was erased since", true, store.EndReason{Counter: store.CountCancelled, Reason: store.ReasonErased, Count: 1}, jobless(1))
	b.finish(b.claimed(refs[3]), store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore, Person: 3})
	uncount(store.CountSkipped, store.ReasonExportedBefore)
	wants("one was skipped before", false)
}
