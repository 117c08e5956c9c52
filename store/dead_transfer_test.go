package store_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// jobless ends an export whose job does not exist.
var jobless = store.Finish{To: store.Dead, Counter: store.CountDead, Reason: store.ReasonJobNotFound, Warnings: "w"}

// dead creates a dead letter for a candidate, with a person already created.
func (b *book) dead(candidate string) store.Ref {
	b.t.Helper()
	ref := b.accept(candidate, candidate+"@example.com")
	c := b.claimed(ref)
	b.step(c, store.Step{To: store.Placing, Person: 17, PersonMade: true})
	b.finish(c, jobless)
	return ref
}

// transfer moves exports to a job.
func (b *book) transfer(job int64, refs ...store.Ref) []store.Transferred {
	b.t.Helper()
	exports := make([]string, len(refs))
	for i, ref := range refs {
		exports[i] = ref.Export
	}
	sent, through, err := b.DeadLetters.Transfer(b.t.Context(), store.NewTransfer(customer, job, "ana", "the wrong job"), exports, 0)
	if err != nil || through != len(refs) {
		b.t.Fatalf("went through %d of %d, %v", through, len(refs), err)
	}
	return sent
}

func TestDeadLetterMovesToAnotherJob(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{Job: 999, IncludePreviouslyExported: true})
		ref, other := b.dead("c-1"), b.dead("c-2")
		must(t, b.Batches.Close(t.Context(), b.batch, 0))
		sent := b.transfer(1709, ref)
		if len(sent) != 1 || sent[0].From != ref.Export || sent[0].To != b.Keys().ExportID(string(sent[0].Batch), "c-1") {
			t.Fatalf("%+v", sent)
		}
		if o := b.outcome(0); o.State != store.Cancelled || o.Counter != store.CountCancelled || o.Reason != store.ReasonTransferred || o.Person != 17 || o.Candidate != "c-1" {
			t.Errorf("the old export: %+v", o)
		}
		if got := b.counts(); got.Dead != 1 || got.Cancelled != 1 || got.Ended.IsZero() {
			t.Errorf("the old batch: %+v", got)
		}
		from := b.batch
		b.batch = sent[0].Batch
		fresh := store.Ref{Customer: customer, Export: sent[0].To}
		if got := b.counts(); got.Job != 1709 || got.Accepted != 1 || got.Moving() != 1 || got.Closed.IsZero() || !got.IncludePreviouslyExported || got.GenerateDummyEmails {
			t.Errorf("the new batch: %+v", got)
		}
		if page, err := b.Batches.Results(t.Context(), b.batch, store.ResultFilter{}, 0, 5); err != nil || len(page.Results) != 1 || page.Results[0].InputRow != 0 {
			t.Errorf("its row is that of no input: %+v, %v", page, err)
		}
		live, err := b.Recovery.Live(t.Context(), customer)
		if dead, _ := b.DeadLetters.Count(t.Context(), customer); err != nil || live != 1 || dead != 1 {
			t.Errorf("%d move, %d are dead, %v", live, dead, err)
		}
		b.auditIsClean()

		c := b.claim(fresh, longLease)
		if c.Verdict != store.ClaimOK || c.Export != fresh.Export || string(c.Payload) != "payload of c-1" || store.JobOf(c.Target) != 1709 || c.Person != 17 || !c.PersonMade || c.Warnings != "w" || c.Attempts != 0 {
			t.Errorf("the claim of the new export: %+v", c)
		}
		b.finish(c, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 1709, Workflow: 3})
		if got := b.counts(); got.Created != 1 || got.Ended.IsZero() {
			t.Errorf("the new batch at its end: %+v", got)
		}
		for at, want := range map[store.Ref]string{ref: "It goes on in batch " + string(b.batch) + ", to job 1709", fresh: "It was a dead letter of batch " + string(from) + ", to job 999"} {
			story, err := b.Timeline(t.Context(), at)
			if err != nil || len(story) == 0 || story[len(story)-1].What != "transferred" || story[len(story)-1].Who != "ana" || !slices.Equal(story[len(story)-1].Findings, []string{want}) {
				t.Errorf("timeline: %+v, %v", story, err)
			}
		}
		if _, err := b.DeadLetters.Get(t.Context(), other); err != nil {
			t.Errorf("another dead letter was touched: %v", err)
		}
		b.auditIsClean()
	})
}

func TestTransferKeepsOptions(t *testing.T) {
	t.Parallel()
	b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{Job: 999})
	refs := []store.Ref{b.dead("c-1"), b.dead("c-2")}
	b.again(store.BatchSpec{Job: 998, GenerateDummyEmails: true})
	refs = append(refs, b.dead("c-3"))
	b.again(store.BatchSpec{Job: 997})
	refs = append(refs, b.dead("c-4"))
	sent := b.transfer(7, refs...)
	if len(sent) != 4 || sent[0].Batch != sent[1].Batch || sent[0].Batch != sent[3].Batch || sent[2].Batch == sent[0].Batch {
		t.Fatalf("%+v", sent)
	}
	batches, err := b.Batches.GetAll(t.Context(), sent[0].Batch, sent[2].Batch)
	if plain, dummies := batches[sent[0].Batch], batches[sent[2].Batch]; err != nil || plain.Accepted != 3 || plain.GenerateDummyEmails || dummies.Accepted != 1 || !dummies.GenerateDummyEmails {
		t.Errorf("%+v, %v", batches, err)
	}
	if again := b.transfer(8, refs...); len(again) != 0 {
		t.Errorf("a second time: %+v", again)
	}
}

func TestTransferSkips(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(b *book) store.Ref{
		"what waits":                         func(b *book) store.Ref { return b.inState(store.Queued) },
		"what a worker has in hand":          func(b *book) store.Ref { return b.inState(store.Placing) },
		"what is done":                       func(b *book) store.Ref { return b.inState(store.Done) },
		"what never was":                     func(*book) store.Ref { return store.Ref{Customer: customer, Export: "aaaaaaaaaaaaaaaa"} },
		"what goes to that job anyway":       func(b *book) store.Ref { b.again(store.BatchSpec{Job: 1709}); return b.dead("c-1") },
		"the test candidate":                 func(b *book) store.Ref { b.again(store.BatchSpec{Job: 999, Test: true}); return b.dead("c-1") },
		"a write that may have taken effect": func(b *book) store.Ref { ref := b.dead("c-1"); b.force(ref, "in", "w", "ia", "1"); return ref },
		"what this keyset cannot open": func(b *book) store.Ref {
			ref := b.dead("c-1")
			must(b.t, b.redis.Set(b.t.Context(), "ix:{"+customer+"}:p:"+ref.Export, "sealed by another", 0).Err())
			return ref
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{Job: 999})
			ref := prepare(b)
			before := ordered(redistest.Dump(t, b.redis))
			if sent := b.transfer(1709, ref); len(sent) != 0 {
				t.Errorf("sent: %+v", sent)
			}
			if diff := cmp.Diff(before, ordered(redistest.Dump(t, b.redis))); diff != "" {
				t.Errorf("something was changed:\n%s", diff)
			}
		})
	}
}

func TestTransferMovesACandidateOnce(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]store.BatchSpec{
		"with the same options": {Job: 998},
		"whatever the options":  {Job: 998, IncludePreviouslyExported: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{Job: 999})
			first := b.dead("c-1")
			b.again(second)
			ref := b.dead("c-1")
			tr := store.NewTransfer(customer, 1709, "ana", "")
			sent, _, err := b.DeadLetters.Transfer(t.Context(), tr, []string{first.Export, ref.Export}, 0)
			if err != nil || len(sent) != 1 || sent[0].From != first.Export {
				t.Errorf("of both: %+v, %v", sent, err)
			}
			if sent, _, err := b.DeadLetters.Transfer(t.Context(), tr, []string{ref.Export}, 0); err != nil || len(sent) != 0 {
				t.Errorf("in a later page of the same: %+v, %v", sent, err)
			}
			if n, err := b.DeadLetters.Count(t.Context(), customer); err != nil || n != 1 {
				t.Errorf("%d are dead, %v", n, err)
			}
		})
	}
}

func TestTransferTriesTheNextLetterOfACandidate(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	b := openBook(t, client, store.BatchSpec{Job: 999})
	first := b.dead("c-1")
	b.again(store.BatchSpec{Job: 998, IncludePreviouslyExported: true})
	second := b.dead("c-1")
	client.AddHook(&interlude{before: func() {
		if err := b.DeadLetters.Revive(t.Context(), first, "ben", ""); err != nil {
			t.Error(err)
		}
	}})
	if sent := b.transfer(1709, first, second); len(sent) != 1 || sent[0].From != second.Export {
		t.Errorf("%+v", sent)
	}
	b.auditIsClean()
}

func TestTransferLimit(t *testing.T) {
	t.Parallel()
	b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{Job: 1709})
	exports := []string{b.dead("c-1").Export, b.dead("c-2").Export} // which already go there
	b.again(store.BatchSpec{Job: 999})
	for _, candidate := range []string{"c-3", "c-4", "c-5"} {
		exports = append(exports, b.dead(candidate).Export)
	}
	tr := store.NewTransfer(customer, 1709, "ana", "")
	sent, through, err := b.DeadLetters.Transfer(t.Context(), tr, exports, 2)
	if err != nil || through != 4 || len(sent) != 2 || sent[0].From != exports[2] || sent[1].From != exports[3] {
		t.Fatalf("went through %d: %+v, %v", through, sent, err)
	}
	sent, through, err = b.DeadLetters.Transfer(t.Context(), tr, exports, 2)
	if err != nil || through != 5 || len(sent) != 1 || sent[0].From != exports[4] {
		t.Errorf("the rest: through %d: %+v, %v", through, sent, err)
	}
}

// cut breaks the connection after the first reply to a read of dead letters, which reports a
// missing payload, as in a pipeline of a cluster.
type cut struct{}

func (cut) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (cut) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (cut) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() != "hmget" || len(cmds) < 4 {
			return next(ctx, cmds)
		}
		err := next(ctx, cmds[:2])
		for _, cmd := range cmds[2:] {
			cmd.SetErr(io.ErrUnexpectedEOF)
		}
		return err
	}
}

func TestTransferReportsABrokenConnection(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	b := openBook(t, client, store.BatchSpec{Job: 999})
	gone, ref := b.dead("c-1"), b.dead("c-2")
	must(t, client.Del(t.Context(), "ix:{"+customer+"}:p:"+gone.Export).Err())
	client.AddHook(cut{})
	sent, _, err := b.DeadLetters.Transfer(t.Context(), store.NewTransfer(customer, 1709, "ana", ""), []string{gone.Export, ref.Export}, 0)
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(sent) != 0 {
		t.Errorf("%+v, %v", sent, err)
	}
}

// interlude calls a function once before a script, or instead of a reply in a pipeline of scripts.
type interlude struct {
	before func()
	repeat bool
}

func (*interlude) DialHook(next redis.DialHook) redis.DialHook { return next }

func (i *interlude) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		args := cmd.Args()
		// Skip a single command wrapped in a script so that it works on a full Redis.
		const firstArg = 4
		wrapped := len(args) > firstArg && slices.Contains([]any{"XADD", "HSET", "SADD", "RPUSH"}, args[firstArg])
		if strings.HasPrefix(cmd.Name(), "eval") && !wrapped {
			i.begin()
		}
		return next(ctx, cmd)
	}
}

func (i *interlude) begin() {
	if do := i.before; do != nil {
		i.before = nil
		do()
	}
}

func (i *interlude) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if !strings.HasPrefix(cmds[0].Name(), "eval") {
			return next(ctx, cmds)
		}
		i.begin()
		if i.repeat {
			i.repeat = false
			if err := next(ctx, cmds); err != nil {
				return err
			}
		}
		return next(ctx, cmds)
	}
}

func TestRepeatedTransferReportsSuccess(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	b := openBook(t, client, store.BatchSpec{Job: 999})
	b.transfer(1, b.dead("c-0")) // loads the script
	refs := []store.Ref{b.dead("c-1"), b.dead("c-2")}
	client.AddHook(&interlude{repeat: true})
	sent := b.transfer(1709, refs...)
	if len(sent) != 2 {
		t.Fatalf("told: %+v", sent)
	}
	b.batch = sent[0].Batch
	if got := b.counts(); got.Accepted != 2 || got.Moving() != 2 {
		t.Errorf("%+v", got)
	}
	b.auditIsClean()
}

func TestTransferSkipsAChangedDeadLetter(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	b := openBook(t, client, store.BatchSpec{Job: 999})
	ref := b.accept("c-1", "c-1@example.com")
	b.finish(b.claimed(ref), jobless)
	client.AddHook(&interlude{before: func() {
		if err := b.DeadLetters.Revive(t.Context(), ref, "ben", ""); err != nil {
			t.Error(err)
		}
		c := b.claimed(ref)
		if ok, err := b.Redraw(t.Context(), c, b.Keys().EmailHash(customer, "another@example.com"), []byte("redrawn")); err != nil || !ok {
			t.Errorf("redraw: %t, %v", ok, err)
		}
		b.finish(c, jobless)
	}})
	if sent := b.transfer(1709, ref); len(sent) != 0 {
		t.Errorf("transferred a stale letter: %+v", sent)
	}
	if payload, err := b.DeadLetters.Payload(t.Context(), ref); err != nil || string(payload) != "redrawn" {
		t.Errorf("%q, %v", payload, err)
	}
}
