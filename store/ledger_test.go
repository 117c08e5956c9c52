package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }

const customer = "1234"

// book is a ledger with the settings shared by the tests.
type book struct {
	*store.Ledger
	t     *testing.T
	redis redis.UniversalClient
	batch store.BatchID
}

func openBook(t *testing.T, client redis.UniversalClient, spec store.BatchSpec) *book {
	t.Helper()
	return openBookAt(t, client, spec)
}

func openBookAt(t *testing.T, client redis.UniversalClient, spec store.BatchSpec, options ...store.Option) *book {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	b := &book{Ledger: store.NewLedger(client, keys, options...), t: t, redis: client}
	if spec.Customer == "" {
		spec.Customer = customer
	}
	b.batch, _, err = b.Batches.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Accept accepts exports into the book's batch.
func (b *book) Accept(exports ...store.NewExport) ([]store.Accepted, error) {
	to, err := b.Batches.Get(b.t.Context(), b.batch)
	if err != nil {
		return nil, err
	}
	spec := store.BatchSpec{Customer: b.batch.Customer(), Job: to.Job, GenerateDummyEmails: to.GenerateDummyEmails, IncludePreviouslyExported: to.IncludePreviouslyExported}
	return b.AcceptFor(b.t.Context(), spec, b.batch, exports, store.Rows{}, store.NormalQueue)
}

func (b *book) newExport(candidate, email string) store.NewExport {
	return store.NewExport{
		Export:    b.Keys().ExportID(string(b.batch), candidate),
		Candidate: candidate,
		EmailHash: b.Keys().EmailHash(b.batch.Customer(), email),
		Payload:   []byte("payload of " + candidate),
	}
}

// accept accepts one candidate and returns its reference.
func (b *book) accept(candidate, email string) store.Ref {
	b.t.Helper()
	e := b.newExport(candidate, email)
	if _, err := b.Accept(e); err != nil {
		b.t.Fatal(err)
	}
	return store.Ref{Customer: b.batch.Customer(), Export: e.Export}
}

var longLease = store.ClaimOptions{Lease: time.Hour, Settle: time.Hour}

func (b *book) claim(ref store.Ref, o store.ClaimOptions) *store.Claim {
	b.t.Helper()
	c, err := b.Claim(b.t.Context(), ref, o)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *book) claimed(ref store.Ref) *store.Claim {
	b.t.Helper()
	c := b.claim(ref, longLease)
	if c.Verdict != store.ClaimOK {
		b.t.Fatalf("claim: %s, want ok", c.Verdict)
	}
	return c
}

func (b *book) step(c *store.Claim, s store.Step) {
	b.t.Helper()
	s.Lease = time.Hour
	if err := b.Step(b.t.Context(), c, s); err != nil {
		b.t.Fatalf("step to %s: %v", s.To, err)
	}
}

func (b *book) finish(c *store.Claim, f store.Finish) {
	b.t.Helper()
	if err := b.Finish(b.t.Context(), c, f); err != nil {
		b.t.Fatalf("finish as %s: %v", f.To, err)
	}
}

func (b *book) hold(c *store.Claim, h store.Hold) {
	b.t.Helper()
	if err := b.Hold(b.t.Context(), c, h); err != nil {
		b.t.Fatalf("hold as %s: %v", h.To, err)
	}
}

// force writes record fields directly, to simulate passed time or a crashed worker.
func (b *book) force(ref store.Ref, fieldsAndValues ...any) {
	b.t.Helper()
	if err := b.redis.HSet(b.t.Context(), "ix:{"+ref.Customer+"}:x:"+ref.Export, fieldsAndValues...).Err(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) outcome(row int) store.Outcome {
	b.t.Helper()
	o, err := b.Batches.Outcomes(b.t.Context(), b.batch, row, 1)
	if err != nil || len(o) != 1 {
		b.t.Fatalf("outcomes of row %d: %v, %v", row, o, err)
	}
	return o[0]
}

func (b *book) counts() store.Batch {
	b.t.Helper()
	s, err := b.Batches.Get(b.t.Context(), b.batch)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func TestLedger(t *testing.T) {
	t.Parallel()
	specs := []struct {
		name string
		spec store.BatchSpec
		test func(*book)
	}{
		{"an export to a job goes from queued to done and leaves a marker", store.BatchSpec{Job: 1709}, exportToJob},
		{"accepting the same candidate again changes nothing", store.BatchSpec{}, acceptAgain},
		{"an export that ended cannot be claimed", store.BatchSpec{}, claimEnded},
		{"a claim with a valid lease blocks others", store.BatchSpec{}, leaseHolds},
		{"after its lease expires, another worker can claim and the first is stale", store.BatchSpec{}, leaseExpires},
		{"an interrupted write waits until it has settled", store.BatchSpec{}, interruptedWrite},
		{"a lease can be renewed, unless it is stale or the export has ended", store.BatchSpec{}, renewal},
		{"exports of one email run one at a time", store.BatchSpec{}, emailLock},
		{"an unconfirmed write keeps the email locked, whatever its lease", store.BatchSpec{}, emailLockUnknown},
		{"a new person is known to the next export of the email", store.BatchSpec{}, knownPerson},
		{"a retried export counts its attempts and keeps its progress", store.BatchSpec{Job: 5}, retryKeepsProgress},
		{"an open intent stays open when the export is deferred", store.BatchSpec{}, openIntentStays},
		{"a dead export keeps its payload and releases its email", store.BatchSpec{}, deadExport},
		{"a retried export looks for its last write only if it may have taken effect", store.BatchSpec{}, revivedIntent},
		{"a marker collects the jobs of one person", store.BatchSpec{Job: 1, IncludePreviouslyExported: true}, markerJobs},
		{"a batch ends when it is closed and its exports have finished", store.BatchSpec{}, batchEnds},
		{"a dummy address can only be redrawn before a write", store.BatchSpec{}, redraw},
		{"an announced customer is withdrawn unless announced again", store.BatchSpec{}, withdrawal},
	}
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		for _, s := range specs {
			t.Run(s.name, func(t *testing.T) {
				flush(t, client)
				s.test(openBook(t, client, s.spec))
			})
		}
	})
}

func flush(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	var err error
	if cluster, ok := client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(t.Context(), func(ctx context.Context, c *redis.Client) error { return c.FlushAll(ctx).Err() })
	} else {
		err = client.FlushAll(t.Context()).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func exportToJob(b *book) {
	ref := b.accept("c-1", "a@example.com")
	c := b.claimed(ref)
	if string(c.Payload) != "payload of c-1" || store.JobOf(c.Target) != 1709 || c.Marker != nil || c.Intent != store.NoIntent {
		b.t.Fatalf("claim holds %+v", c)
	}
	b.step(c, store.Step{To: store.Creating})
	b.step(c, store.Step{To: store.Placing, Person: 90210, PersonMade: true, Warnings: "title_cut"})
	b.finish(c, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 90210, Workflow: 21282, Job: 1709, Warnings: "title_cut"})

	markers, err := b.Candidates.Markers(b.t.Context(), customer, []string{"c-1", "c-2"})
	if err != nil {
		b.t.Fatal(err)
	}
	if m := markers["c-1"]; len(markers) != 1 || m.Person != 90210 || m.Workflows[1709] != 21282 || time.Since(m.ExportedAt) > time.Minute {
		b.t.Errorf("markers %+v", markers)
	}
	if o := b.outcome(0); o.State != store.Done || o.Counter != store.CountCreated || o.Person != 90210 || o.Workflow != 21282 || o.Warnings != "title_cut" {
		b.t.Errorf("outcome %+v", o)
	}
	if s := b.counts(); s.Accepted != 1 || s.Created != 1 || s.Moving() != 0 {
		b.t.Errorf("counts %+v", s)
	}
	if keys := redistest.Dump(b.t, b.redis).Holding("payload of", ":x:", ":p:", ":l:"); len(keys) != 0 {
		b.t.Errorf("left behind: %v", keys)
	}
}

func acceptAgain(b *book) {
	live, ended := b.newExport("live", "l@example.com"), b.newExport("ended", "e@example.com")
	ref := b.accept("ended", "e@example.com")
	b.accept("live", "l@example.com")
	b.finish(b.claimed(ref), store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore})
	fresh := b.newExport("fresh", "f@example.com")
	got, err := b.Accept(live, ended, fresh)
	if err != nil {
		b.t.Fatal(err)
	}
	want := []store.Accepted{{Export: live.Export, State: store.Queued, Row: 1}, {Export: ended.Export, State: store.Skipped}, {Export: fresh.Export, New: true, State: store.Queued, Row: 2}}
	for i := range want {
		if got[i] != want[i] {
			b.t.Errorf("accepted[%d] = %+v, want %+v", i, got[i], want[i])
		}
	}
	if s := b.counts(); s.Accepted != 3 || s.Skipped != 1 {
		b.t.Errorf("counts %+v", s)
	}
}

func claimEnded(b *book) {
	ref := b.accept("c-1", "a@example.com")
	b.finish(b.claimed(ref), store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 1})
	if c := b.claim(ref, longLease); c.Verdict != store.ClaimGone {
		b.t.Errorf("claim of a done export: %s", c.Verdict)
	}
	ref = b.accept("c-2", "b@example.com")
	b.finish(b.claimed(ref), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"})
	if c := b.claim(ref, longLease); c.Verdict != store.ClaimEnded || c.State != store.Dead {
		b.t.Errorf("claim of a dead export: %s %s", c.Verdict, c.State)
	}
}

func leaseHolds(b *book) {
	ref := b.accept("c-1", "a@example.com")
	b.claimed(ref)
	c := b.claim(ref, longLease)
	if wait := c.Wait; c.Verdict != store.ClaimHeld || wait < 50*time.Minute || wait > 70*time.Minute {
		b.t.Errorf("second claim: %s for %s", c.Verdict, wait)
	}
}

func leaseExpires(b *book) {
	ref := b.accept("c-1", "a@example.com")
	first := b.claimed(ref)
	b.force(ref, "le", "1")
	second := b.claimed(ref)
	if second.Token() <= first.Token() {
		b.t.Errorf("tokens do not grow: %d, then %d", first.Token(), second.Token())
	}
	ctx := b.t.Context()
	for name, err := range map[string]error{
		"step":   b.Step(ctx, first, store.Step{To: store.Creating, Lease: time.Hour}),
		"hold":   b.Hold(ctx, first, store.Hold{To: store.Deferred}),
		"finish": b.Finish(ctx, first, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 1}),
		"renew":  b.Renew(ctx, first, time.Hour),
	} {
		if !errors.Is(err, store.ErrStale) {
			b.t.Errorf("%s by the first worker: %v, want ErrStale", name, err)
		}
	}
	b.step(second, store.Step{To: store.Creating})
}

func interruptedWrite(b *book) {
	ref := b.accept("c-1", "a@example.com")
	b.step(b.claimed(ref), store.Step{To: store.Creating})
	b.force(ref, "le", "1")
	c := b.claim(ref, longLease)
	if c.Verdict != store.ClaimUnsettled || c.Wait < 50*time.Minute {
		b.t.Fatalf("claim right after: %s for %s", c.Verdict, c.Wait)
	}
	if o := b.outcome(0); o.State != store.Unknown {
		b.t.Errorf("state %s, want unknown", o.State)
	}
	c = b.claim(ref, store.ClaimOptions{Lease: time.Hour, Settle: 0})
	if c.Verdict != store.ClaimOK || c.Intent != store.IntentPerson || c.State != store.Claimed {
		b.t.Errorf("claim after settling: %s, intent %q, state %s", c.Verdict, c.Intent, c.State)
	}
}

func renewal(b *book) {
	ref := b.accept("c-1", "a@example.com")
	c := b.claim(ref, store.ClaimOptions{Lease: time.Second, Settle: time.Hour})
	if err := b.Renew(b.t.Context(), c, time.Hour); err != nil {
		b.t.Fatal(err)
	}
	if other := b.claim(ref, longLease); other.Wait < 50*time.Minute {
		b.t.Errorf("after renewal held for %s", other.Wait)
	}
	b.finish(c, store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"})
	if err := b.Renew(b.t.Context(), c, time.Hour); !errors.Is(err, store.ErrStale) {
		b.t.Errorf("renewal of a dead export: %v", err)
	}
}

func emailLock(b *book) {
	first, second := b.accept("c-1", "a@example.com"), b.accept("c-2", "A@Example.com")
	c := b.claimed(first)
	if v := b.claim(second, longLease).Verdict; v != store.ClaimLocked {
		b.t.Fatalf("claim of the same email: %s, want locked", v)
	}
	b.hold(c, store.Hold{To: store.Retrying, Reason: "icims_server_error", Attempts: 1})
	d := b.claimed(second)
	if v := b.claim(first, longLease).Verdict; v != store.ClaimLocked {
		b.t.Errorf("claim by the first while the second works: %s", v)
	}
	b.finish(d, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 7})
	if got := b.claimed(first); got.KnownPerson != 7 {
		b.t.Errorf("known person %d, want 7", got.KnownPerson)
	}
	// A crashed holder without an open intent does not block.
	b.force(first, "le", "1")
	third := b.accept("c-3", "a@example.com")
	b.claimed(third)
}

func emailLockUnknown(b *book) {
	first, second := b.accept("c-1", "a@example.com"), b.accept("c-2", "a@example.com")
	c := b.claimed(first)
	b.step(c, store.Step{To: store.Creating})
	b.hold(c, store.Hold{To: store.Unknown, Reason: store.ReasonWriteSettling, Attempts: 1})
	if v := b.claim(second, longLease).Verdict; v != store.ClaimLocked {
		b.t.Errorf("claim while the other's write is unknown: %s", v)
	}
}

func knownPerson(b *book) {
	first, second := b.accept("c-1", "a@example.com"), b.accept("c-2", "a@example.com")
	c := b.claimed(first)
	b.step(c, store.Step{To: store.Creating})
	b.step(c, store.Step{To: store.Created, Person: 90210, PersonMade: true})
	b.force(first, "le", "1")
	got := b.claim(second, store.ClaimOptions{Lease: time.Hour, Settle: time.Hour})
	if got.KnownPerson != 90210 || got.State != store.Claimed {
		b.t.Errorf("known person %d, state %s", got.KnownPerson, got.State)
	}
}

func retryKeepsProgress(b *book) {
	ref := b.accept("c-1", "a@example.com")
	c := b.claimed(ref)
	b.step(c, store.Step{To: store.Creating})
	b.step(c, store.Step{To: store.Placing, Person: 90210, PersonMade: true, Warnings: "employer_cut"})
	b.hold(c, store.Hold{To: store.Retrying, Delay: time.Minute, Reason: "icims_server_error", Attempts: 1, Warnings: "employer_cut"})
	if o := b.outcome(0); o.State != store.Retrying || o.Attempts != 1 || time.Until(o.Due) < 50*time.Second {
		b.t.Errorf("outcome %+v", o)
	}
	c = b.claimed(ref)
	if c.Person != 90210 || !c.PersonMade || c.Attempts != 1 || c.Failing < 0 || c.Intent != store.NoIntent || c.Warnings != "employer_cut" {
		b.t.Errorf("claim holds %+v", c)
	}
}

func openIntentStays(b *book) {
	ref := b.accept("c-1", "a@example.com")
	b.step(b.claimed(ref), store.Step{To: store.Creating})
	b.force(ref, "le", "1")
	settled := store.ClaimOptions{Lease: time.Hour}
	c := b.claim(ref, settled)
	b.hold(c, store.Hold{To: store.Deferred, Reason: store.ReasonBreakerOpen})
	if o := b.outcome(0); o.State != store.Unknown {
		b.t.Errorf("state %s, want unknown", o.State)
	}
	if c = b.claim(ref, settled); c.Intent != store.IntentPerson {
		b.t.Errorf("intent %q, want the open one", c.Intent)
	}
}

func deadExport(b *book) {
	ref := b.accept("c-1", "a@example.com")
	b.finish(b.claimed(ref), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_field_required"})
	snapshot := redistest.Dump(b.t, b.redis)
	if keys := snapshot.Holding(":p:" + ref.Export); len(keys) != 1 {
		b.t.Errorf("payload keys %v", keys)
	}
	if o := b.outcome(0); o.State != store.Dead || o.Reason != "icims_field_required" || o.Candidate != "c-1" {
		b.t.Errorf("outcome %+v", o)
	}
	b.claimed(b.accept("c-2", "a@example.com"))
	if n, err := b.Recovery.Live(b.t.Context(), customer); n != 1 || err != nil {
		b.t.Errorf("live %d, %v", n, err)
	}
}

func revivedIntent(b *book) {
	for name, lost := range map[string]bool{"refused": false, "lost": true} {
		ref := b.accept(name, name+"@example.com")
		c := b.claimed(ref)
		b.step(c, store.Step{To: store.Creating})
		if lost { // the response to the write; its outcome is never resolved
			b.hold(c, store.Hold{To: store.Unknown})
			c = b.claim(ref, store.ClaimOptions{Lease: time.Hour})
		}
		b.finish(c, store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused", Warnings: "title_cut"})
		if err := b.DeadLetters.Revive(b.t.Context(), ref, "on-call", "mended"); err != nil {
			b.t.Fatal(err)
		}
		c = b.claim(ref, store.ClaimOptions{Lease: time.Hour})
		if open := c.Intent != store.NoIntent; open != lost || c.Attempts != 0 || c.Warnings != "title_cut" {
			b.t.Errorf("a write that was %s: intent %q, %d attempts, warnings %q", name, c.Intent, c.Attempts, c.Warnings)
		}
	}
}

func markerJobs(b *book) {
	finish := func(key string, job, person, workflow int64) store.Marker {
		batch, _, err := b.Batches.Open(b.t.Context(), store.BatchSpec{Customer: customer, IdempotencyKey: key, Job: job})
		if err != nil {
			b.t.Fatal(err)
		}
		b.batch = batch
		b.finish(b.claimed(b.accept("c-1", key+"@example.com")),
			store.Finish{To: store.Done, Counter: store.CountUpdated, Person: person, Workflow: workflow, Job: job})
		m, err := b.Candidates.Markers(b.t.Context(), customer, []string{"c-1"})
		if err != nil {
			b.t.Fatal(err)
		}
		return m["c-1"]
	}
	finish("a", 10, 1, 100)
	if m := finish("b", 20, 1, 200); len(m.Workflows) != 2 || m.Workflows[10] != 100 || m.Workflows[20] != 200 {
		b.t.Errorf("after a second job: %+v", m)
	}
	if m := finish("c", 10, 1, 101); len(m.Workflows) != 2 || m.Workflows[10] != 101 {
		b.t.Errorf("after the first job again: %+v", m)
	}
	if m := finish("d", 30, 2, 300); m.Person != 2 || len(m.Workflows) != 1 || m.Workflows[30] != 300 {
		b.t.Errorf("after another person: %+v", m)
	}
}

func batchEnds(b *book) {
	ref := b.accept("c-1", "a@example.com")
	if err := b.Batches.Close(b.t.Context(), b.batch, 2); err != nil {
		b.t.Fatal(err)
	}
	if s := b.counts(); !s.Ended.IsZero() || s.Closed.IsZero() || s.Refused != 2 {
		b.t.Errorf("before: %+v", s)
	}
	b.finish(b.claimed(ref), store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore})
	if s := b.counts(); s.Ended.IsZero() {
		b.t.Errorf("after: %+v", s)
	}
	ttl, err := b.redis.TTL(b.t.Context(), "ix:{1234}:b:"+string(b.batch)[5:]).Result()
	if err != nil || ttl < 29*24*time.Hour {
		b.t.Errorf("an ended batch expires in %s, %v", ttl, err)
	}
	b.accept("c-2", "b@example.com")
	if s := b.counts(); !s.Ended.IsZero() {
		b.t.Errorf("after another candidate: %+v", s)
	}
}

func redraw(b *book) {
	ref := b.accept("c-1", "no-email-1@seekout.example.com")
	other := b.accept("c-2", "no-email-2@seekout.example.com")
	c := b.claimed(ref)
	b.claimed(other)
	hash := func(n string) string { return b.Keys().EmailHash(customer, "no-email-"+n+"@seekout.example.com") }
	if ok, err := b.Redraw(b.t.Context(), c, hash("2"), []byte("taken")); ok || err != nil {
		b.t.Errorf("redraw of a taken address: %v, %v", ok, err)
	}
	if ok, err := b.Redraw(b.t.Context(), c, hash("3"), []byte("redrawn")); !ok || err != nil {
		b.t.Fatalf("redraw: %v, %v", ok, err)
	}
	b.hold(c, store.Hold{To: store.Deferred, Reason: store.ReasonShuttingDown})
	if c = b.claimed(ref); string(c.Payload) != "redrawn" || c.EmailHash != hash("3") {
		b.t.Errorf("after redraw: payload %q", c.Payload)
	}
	b.step(c, store.Step{To: store.Creating})
	if _, err := b.Redraw(b.t.Context(), c, hash("4"), []byte("late")); !errors.Is(err, store.ErrIllegalMove) {
		b.t.Errorf("redraw after the intent: %v", err)
	}
}

func withdrawal(b *book) {
	ctx := b.t.Context()
	if err := b.Lanes.Announce(ctx, customer); err != nil {
		b.t.Fatal(err)
	}
	lanes, err := b.Lanes.Announced(ctx)
	if err != nil || len(lanes) != 1 || lanes[0].Customer != customer {
		b.t.Fatalf("announced %v, %v", lanes, err)
	}
	if err := b.Lanes.Announce(ctx, customer); err != nil {
		b.t.Fatal(err)
	}
	if gone, err := b.Lanes.Withdraw(ctx, lanes[0]); gone || err != nil {
		b.t.Errorf("withdrawn although announced again: %v, %v", gone, err)
	}
	if lanes, err = b.Lanes.Announced(ctx); err != nil {
		b.t.Fatal(err)
	}
	if gone, err := b.Lanes.Withdraw(ctx, lanes[0]); !gone || err != nil {
		b.t.Errorf("not withdrawn: %v, %v", gone, err)
	}
}
