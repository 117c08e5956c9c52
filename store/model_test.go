package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// TestLedgerBehavesLikeItsModel makes random transitions by several workers with current and stale
// claims, sometimes repeated as a client does after a lost reply. It compares the ledger with the
// model after each. On failure it prints the shortest failing sequence.
func TestLedgerBehavesLikeItsModel(t *testing.T) {
	t.Parallel()
	// Each candidate has an export in each batch.
	for name, emails := range map[string][]string{
		"candidates who share an e-mail": {"a@example.com", "a@example.com"},
		"candidates of whom some share":  {"a@example.com", "a@example.com", "b@example.com", "c@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, lost := redistest.Shared(t).Client(t), &echo{}
			client.AddHook(lost)
			keys, err := store.NewKeyset()
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				ledger := store.NewLedger(client, keys, store.WithSimulatedClock())
				play := newPlay(t, client, lost, ledger, emails)
				play.accept(t)
				for range 3 { // rapid runs about 15 actions each time
					t.Repeat(play.actions())
				}
			})
		})
	}
}

var queueSizes = []store.QueueSize{store.ExpressQueue, store.NormalQueue, store.LargeQueue}

// opened is the initial number of batches. Transfers open more.
const opened = 3

// play runs the ledger next to its model.
type play struct {
	*store.Ledger
	t         *rapid.T
	redis     redis.UniversalClient
	model     *model
	echo      *echo    // repeats a script, as a client does after a lost reply
	emails    []string // hashes
	claims    []*store.Claim
	elsewhere *store.Transfer
}

func newPlay(t *rapid.T, client redis.UniversalClient, lost *echo, ledger *store.Ledger, emails []string) *play {
	p := &play{Ledger: ledger, t: t, redis: client, model: newModel(), echo: lost, elsewhere: store.NewTransfer(customer, elsewhere, "someone", "")}
	p.must(client.FlushDB(t.Context()).Err())
	p.pass(0)
	p.serve("first")
	for i, spec := range []store.BatchSpec{
		{Customer: customer, IdempotencyKey: "first", Job: 1709},
		{Customer: customer, IdempotencyKey: "second", Job: 1710, IncludePreviouslyExported: true},
		{Customer: customer, IdempotencyKey: "third", Job: 1711},
	} {
		id, _, err := ledger.Batches.Open(t.Context(), spec)
		p.must(err)
		p.model.batches = append(p.model.batches, &modelBatch{id: id, job: spec.Job, include: spec.IncludePreviouslyExported, sent: p.model.now})
		for n, email := range emails {
			candidate := "c-" + strconv.Itoa(n)
			e := &modelExport{
				id: ledger.Keys().ExportID(string(id), candidate), batch: p.model.batches[i],
				candidate: candidate, email: ledger.Keys().EmailHash(customer, email),
			}
			p.model.exports = append(p.model.exports, e)
			p.emails = append(p.emails, e.email)
		}
	}
	p.emails = append(p.emails, ledger.Keys().EmailHash(customer, "no-email-1@seekout.example.com"))
	slices.Sort(p.emails)
	p.emails = slices.Compact(p.emails)
	return p
}

func (p *play) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// pass advances the clock.
func (p *play) pass(d time.Duration) {
	p.model.now += d.Milliseconds()
	p.must(p.redis.Set(p.t.Context(), store.SimulatedClockKey, p.model.now, 0).Err())
}

// serve switches to another server with all the data of the previous one. Workers cannot know that.
func (p *play) serve(id string) {
	p.model.server = id
	p.must(p.redis.Set(p.t.Context(), store.SimulatedServerKey, id, 0).Err())
}

func (p *play) actions() map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){
		"": p.compare,
		"time passes": func(t *rapid.T) {
			p.pass(time.Duration(rapid.SampledFrom([]int{1, 20, 100}).Draw(t, "seconds")) * time.Second)
		},
		"another server": func(t *rapid.T) {
			if !seldom(t, "Redis restarts") {
				t.Skip("it does not")
			}
			p.serve(p.model.server + "+")
		},
		"accept":      p.accept,
		"close batch": p.closeBatch,
		"sweep":       p.sweep,
		"send":        p.send,
		"redraw":      p.redraw,
		"overdue":     p.overdue,
		"begun":       p.begun,
		"revive":      p.revive,
		"discard":     p.discard,
		"transfer":    p.transfer,
		"cancel":      p.cancel,
		"erase":       p.erase,
		"pause":       p.pause,
		"resume":      p.resume,
	}
	// rapid chooses actions with equal probability: repeat those that workers do most.
	for _, often := range []string{"", " again", " and again"} {
		actions["claim"+often] = p.claim
		actions["step"+often] = p.step
		actions["hold"+often] = p.hold
		actions["finish"+often] = p.finish
		actions["renew"+often] = p.renew
	}
	return actions
}

// twice runs an action, and sometimes once more, as go-redis does after a lost reply.
func twice(t *rapid.T, action func()) {
	action()
	if seldom(t, "answer lost") {
		action()
	}
}

// seldom is true once in four times. Other rapid generators prefer one end.
func seldom(t *rapid.T, what string) bool {
	once := rapid.Bool().Draw(t, what)
	return once && rapid.Bool().Draw(t, what)
}

func (p *play) same(what string, got, want any, options ...cmp.Option) {
	p.t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		p.t.Fatalf("%s (-model +ledger):\n%s", what, diff)
	}
}

// drawExport chooses an export: mostly one that has a record, sometimes any.
func (p *play) drawExport(t *rapid.T) (*modelExport, store.Ref) {
	exports := p.model.exports
	if !seldom(t, "any export") {
		exports = slices.DeleteFunc(slices.Clone(exports), func(e *modelExport) bool { return !e.recorded() })
	}
	if len(exports) == 0 {
		t.Skip("nothing is recorded")
	}
	e := exports[rapid.IntRange(0, len(exports)-1).Draw(t, "export")]
	return e, store.Ref{Customer: customer, Export: e.id}
}

// drawClaim chooses a claim: mostly a valid one, sometimes any earlier one.
func (p *play) drawClaim(t *rapid.T) (*modelExport, *store.Claim) {
	claims := p.claims
	if !seldom(t, "any claim") {
		claims = slices.DeleteFunc(slices.Clone(claims), func(c *store.Claim) bool {
			e := p.model.export(c.Export)
			return c.Token() != e.token || !e.working()
		})
	}
	if len(claims) == 0 {
		t.Skip("nothing is claimed")
	}
	c := claims[rapid.IntRange(0, len(claims)-1).Draw(t, "claim")]
	return p.model.export(c.Export), c
}

func (p *play) accept(t *rapid.T) {
	batch := rapid.SampledFrom(p.model.batches).Draw(t, "batch")
	from := rapid.IntRange(0, 1).Draw(t, "from")
	size := rapid.SampledFrom(queueSizes).Draw(t, "queue")
	twice(t, func() {
		var exports []store.NewExport
		var refused error
		want := []store.Accepted{}
		for _, e := range p.model.exports {
			if e.batch != batch || from > 0 && e.candidate == "c-0" {
				continue
			}
			email := e.email
			if e.state != "" { // its address may have been redrawn
				email = "another"
			}
			exports = append(exports, store.NewExport{Export: e.id, Candidate: e.candidate, EmailHash: email, Payload: []byte("x")})
			if batch.stopped && e.state == "" {
				refused = store.ErrBatchCancelled
				continue
			}
			want = append(want, p.model.accept(e, size))
			batch.sent = p.model.now
		}
		got, err := p.AcceptFor(t.Context(), batch.spec(), batch.id, exports, store.Rows{}, size)
		if !errors.Is(err, refused) {
			p.t.Fatalf("accept: %v, want %v", err, refused)
		}
		p.same("accept", got, want, cmpopts.EquateEmpty())
	})
}

// send submits a batch in two chunks: the same rows each time, or others.
func (p *play) send(t *rapid.T) {
	batch := rapid.SampledFrom(p.model.batches[:opened]).Draw(t, "batch")
	var exports []*modelExport
	for _, e := range p.model.exports {
		if e.batch == batch {
			exports = append(exports, e)
		}
	}
	if seldom(t, "fewer") {
		exports = exports[:rapid.IntRange(1, len(exports)).Draw(t, "rows")]
	}
	var rows []string
	for _, e := range exports {
		rows = append(rows, fmt.Sprintf("%-8s", e.candidate))
	}
	if len(rows) > 0 && seldom(t, "another row") {
		rows[rapid.IntRange(0, len(rows)-1).Draw(t, "which")] = "another!"
	}
	if seldom(t, "a refused row more") {
		rows = append(rows, "refused!")
	}
	middle := rapid.IntRange(0, len(exports)).Draw(t, "middle")
	if !p.sendChunk(t, batch, exports[:middle], 0, rows[:middle]) || !p.sendChunk(t, batch, exports[middle:], middle, rows[middle:len(exports)]) {
		return
	}
	if seldom(t, "broke off") {
		return
	}
	twice(t, func() {
		want := p.model.completeSending(batch, rows)
		err := p.Batches.CompleteSending(t.Context(), batch.id, &store.Refused{}, store.Rows{Before: len(exports), Digests: []byte(strings.Join(rows[len(exports):], ""))})
		p.same("complete", err, want)
	})
}

// sendChunk submits some of the rows, and reports whether the submission continues.
func (p *play) sendChunk(t *rapid.T, batch *modelBatch, exports []*modelExport, before int, rows []string) bool {
	if len(exports) == 0 {
		return true
	}
	goesOn, size := true, rapid.SampledFrom(queueSizes).Draw(t, "queue")
	twice(t, func() {
		want, refused := []store.Accepted{}, batch.differs(before, rows)
		var fresh []store.NewExport
		upto := len(rows)
		for i, e := range exports {
			email := e.email
			if e.state != "" {
				email = "another"
			}
			fresh = append(fresh, store.NewExport{Export: e.id, Candidate: e.candidate, EmailHash: email, Payload: []byte("x"), Row: before + i + 1})
			if refused != nil && !errors.Is(refused, store.ErrBatchCancelled) {
				continue
			}
			if batch.stopped && e.state == "" {
				refused, upto = store.ErrBatchCancelled, min(upto, i)
				continue
			}
			want = append(want, p.model.accept(e, size))
			batch.sent = p.model.now
		}
		if refused == nil || errors.Is(refused, store.ErrBatchCancelled) {
			batch.note(before, rows[:upto])
		}
		got, err := p.AcceptFor(t.Context(), batch.spec(), batch.id, fresh, store.Rows{Before: before, Digests: []byte(strings.Join(rows, ""))}, size)
		p.same("send", got, want, cmpopts.EquateEmpty())
		if !errors.Is(err, refused) && !cmp.Equal(err, refused) {
			p.t.Fatalf("send: %v, want %v", err, refused)
		}
		goesOn = refused == nil
	})
	return goesOn
}

func (p *play) closeBatch(t *rapid.T) {
	batch := rapid.SampledFrom(p.model.batches).Draw(t, "batch")
	var rows []store.RefusedRow
	for i := range rapid.IntRange(0, 2).Draw(t, "refused") {
		rows = append(rows, refusedRow(i+1, rapid.SampledFrom([]string{"", "c-1"}).Draw(t, "whose")))
	}
	brokeOff := seldom(t, "broke off")
	twice(t, func() {
		p.model.closeBatch(batch, rows, brokeOff)
		var refused store.Refused
		for _, row := range rows {
			refused.Add(row)
		}
		p.must(p.Batches.CloseSending(t.Context(), batch.id, &refused, brokeOff))
	})
}

func (p *play) sweep(*rapid.T) {
	const idle = 90 * time.Second
	want := store.Swept{}
	for _, b := range p.model.batches {
		if !b.closed && p.model.now-b.sent >= idle.Milliseconds() {
			b.closed, b.abandoned = true, true
			want.Closed++
		}
	}
	got, err := p.Recovery.SweepBatches(p.t.Context(), customer, idle)
	p.must(err)
	p.same("swept", got, want)
}

func (p *play) claim(t *rapid.T) {
	e, ref := p.drawExport(t)
	o := store.ClaimOptions{
		Lease:     time.Duration(rapid.SampledFrom([]int{10, 60}).Draw(t, "lease")) * time.Second,
		Settle:    30 * time.Second,
		Worker:    rapid.SampledFrom([]string{"w1", "w2"}).Draw(t, "worker"),
		PastPause: seldom(t, "through a pause"),
	}
	p.echo.armed = seldom(t, "answer lost")
	p.claimOnce(ref, p.model.claim(e, o), o)
	if seldom(t, "claimed twice") {
		p.claimOnce(ref, p.model.claim(e, o), o)
	}
}

// claimOnce claims and compares the reply.
func (p *play) claimOnce(ref store.Ref, want claimed, o store.ClaimOptions) {
	got, err := p.Claim(p.t.Context(), ref, o)
	p.must(err)
	seen := claimed{
		Verdict: got.Verdict, State: got.State, Intent: got.Intent, Person: got.Person, PersonMade: got.PersonMade, Attempts: got.Attempts,
		Token: got.Token(), Known: knowledge{got.KnownPerson, got.KnownWorkflows}, Wait: got.Wait.Milliseconds(),
	}
	if got.Marker != nil {
		seen.Marker = knowledge{got.Marker.Person, got.Marker.Workflows}
	}
	p.same("claim", seen, want, cmpopts.EquateEmpty())
	if got.Verdict == store.ClaimOK {
		p.claims = append(p.claims, got)
	}
}

func (p *play) pause(t *rapid.T) {
	pause := store.Pause{By: "someone", Why: "to see"}
	p.model.paused, p.model.resumes = true, 0
	if rapid.Bool().Draw(t, "for a while") {
		p.model.resumes = p.model.after(20 * time.Second)
		pause.Until = time.UnixMilli(p.model.resumes)
	}
	p.must(p.Lanes.Pause(t.Context(), customer, pause))
}

func (p *play) resume(t *rapid.T) {
	resumed, err := p.Lanes.Resume(t.Context(), customer, "someone", "")
	p.must(err)
	p.same("resume", resumed, p.model.paused)
	p.model.paused = false
}

func (p *play) step(t *rapid.T) {
	e, c := p.drawClaim(t)
	s := store.Step{To: rapid.SampledFrom([]store.State{store.Creating, store.Created, store.Placing}).Draw(t, "to"), Lease: 10 * time.Second}
	if s.To != store.Creating {
		s.Person = rapid.Int64Range(1, 3).Draw(t, "person")
		s.PersonMade = rapid.Bool().Draw(t, "made")
	}
	twice(t, func() { p.same("step", word(p.Step(t.Context(), c, s)), p.model.step(e, c.Token(), c.Epoch, s)) })
}

func (p *play) hold(t *rapid.T) {
	e, c := p.drawClaim(t)
	h := store.Hold{
		To:    rapid.SampledFrom([]store.State{store.Deferred, store.Retrying, store.Unknown}).Draw(t, "to"),
		Delay: 20 * time.Second, Reason: "icims_server_error",
		Attempts: rapid.IntRange(0, 1).Draw(t, "attempts"), Forget: rapid.Bool().Draw(t, "forget"),
	}
	twice(t, func() { p.same("hold", word(p.Hold(t.Context(), c, h)), p.model.hold(e, c.Token(), h)) })
}

func (p *play) finish(t *rapid.T) {
	e, c := p.drawClaim(t)
	f := rapid.SampledFrom([]store.Finish{
		{To: store.Done, Counter: store.CountCreated, Person: 1, Workflow: 100, Job: e.batch.job},
		{To: store.Done, Counter: store.CountUpdated, Person: 2, Workflow: 200, Job: e.batch.job},
		{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore},
		{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"},
		{To: store.Dead, Counter: store.CountDead, Reason: store.ReasonJobNotFound},
	}).Draw(t, "finish")
	twice(t, func() { p.same("finish", word(p.Finish(t.Context(), c, f)), p.model.finish(e, c.Token(), f)) })
}

func (p *play) renew(t *rapid.T) {
	e, c := p.drawClaim(t)
	twice(t, func() {
		p.same("renew", word(p.Renew(t.Context(), c, time.Minute)), p.model.renew(e, c.Token(), time.Minute))
	})
}

func (p *play) redraw(t *rapid.T) {
	e, c := p.drawClaim(t)
	email := rapid.SampledFrom(p.emails).Draw(t, "e-mail")
	twice(t, func() {
		ok, err := p.Redraw(t.Context(), c, email, []byte("redrawn"))
		got := word(err)
		if err == nil && !ok {
			got = "taken"
		}
		p.same("redraw", got, p.model.redraw(e, c.Token(), email))
	})
}

// overdue lists overdue exports, as the sweep does, and postpones their next check.
func (p *play) overdue(t *rapid.T) {
	before := p.model.now - rapid.SampledFrom([]int64{0, 10_000}).Draw(t, "late by")
	late, err := p.Recovery.Overdue(t.Context(), customer, time.UnixMilli(before), 100)
	p.must(err)
	p.same("overdue", stands(late), p.model.overdue(before))
	if rapid.Bool().Draw(t, "put off") {
		ids := make([]string, len(late))
		for i, m := range late {
			ids[i] = m.Export
			p.model.export(m.Export).due = p.model.after(time.Minute)
		}
		p.must(p.Recovery.Recheck(t.Context(), customer, ids, time.UnixMilli(p.model.after(time.Minute))))
	}
}

// begun lists started exports that are overdue, as the sweep does.
func (p *play) begun(t *rapid.T) {
	late, err := p.Recovery.Begun(t.Context(), customer, time.UnixMilli(p.model.now), 100)
	p.must(err)
	p.same("begun", stands(late), p.model.lateBegun())
}

// stands formats exports as the sweep sees them.
func stands(moving []store.Moving) map[string]string {
	all := map[string]string{}
	for _, m := range moving {
		all[m.Export] = stand(m.State, m.Batch, m.Row, m.Candidate, m.Queue, m.Token, m.Lease.UnixMilli())
	}
	return all
}

func stand(state store.State, batch store.BatchID, row int, candidate string, queue store.QueueSize, token, lease int64) string {
	return fmt.Sprintf("%s batch=%s row=%d candidate=%s queue=%s token=%d lease=%d", state, batch, row, candidate, queue, token, lease)
}

func (p *play) revive(t *rapid.T) {
	e, ref := p.drawExport(t)
	twice(t, func() {
		p.same("revive", p.DeadLetters.Revive(t.Context(), ref, "someone", "") == nil, p.model.revive(e))
	})
}

func (p *play) discard(t *rapid.T) {
	e, ref := p.drawExport(t)
	twice(t, func() {
		p.same("discard", p.DeadLetters.Discard(t.Context(), ref, "someone", "") == nil, p.model.discard(e))
	})
}

// transfer moves a dead export to another job. All of them go to the batches of one transfer, one
// per set of options.
func (p *play) transfer(t *rapid.T) {
	e, ref := p.drawExport(t)
	twice(t, func() {
		got, _, err := p.DeadLetters.Transfer(t.Context(), p.elsewhere, []string{ref.Export}, 0)
		p.must(err)
		p.same("transfer", len(got) == 1, p.model.transfers(e))
		if len(got) == 1 {
			p.model.transfer(e, got[0])
		}
	})
}

func (p *play) cancel(t *rapid.T) {
	batch := rapid.SampledFrom(p.model.batches).Draw(t, "batch")
	twice(t, func() {
		got, err := p.Cancel(t.Context(), batch.id, store.CancelOptions{Who: "someone"})
		p.must(err)
		p.same("cancel", got, p.model.cancel(batch), cmpopts.EquateEmpty(), cmpopts.SortSlices(strings.Compare))
	})
}

func (p *play) erase(t *rapid.T) {
	e, _ := p.drawExport(t)
	settle := time.Duration(rapid.SampledFrom([]int{1, 100}).Draw(t, "settle")) * time.Second
	twice(t, func() {
		got, err := p.Candidates.Erase(t.Context(), customer, e.candidate, store.EraseOptions{Who: "someone", Settle: settle})
		p.must(err)
		p.same("erase", got, p.model.erase(e.candidate, settle),
			cmpopts.IgnoreFields(store.ErasureReceipt{}, "Reference", "Customer", "At", "People"), cmpopts.EquateEmpty(),
			cmpopts.SortSlices(strings.Compare), cmpopts.SortSlices(func(x, y store.ExportInWork) int { return strings.Compare(x.Export, y.Export) }))
	})
}

// word returns the script's word for an error of a transition.
func word(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, store.ErrStale):
		return "stale"
	case errors.Is(err, store.ErrGone):
		return "gone"
	case errors.Is(err, store.ErrWentBack):
		return "went_back"
	case errors.Is(err, store.ErrIllegalMove):
		return "illegal"
	default:
		return err.Error()
	}
}

// compare compares the complete state of the ledger with the model, and checks the invariants of
// both.
func (p *play) compare(t *rapid.T) {
	p.same("kept", p.kept(), p.model.kept(p.emails))
	for _, b := range p.model.batches {
		got, err := p.Batches.Get(t.Context(), b.id)
		p.must(err)
		want := p.model.batch(b)
		p.same("batch", map[string]int{
			"accepted": got.Accepted, "created": got.Created, "updated": got.Updated, "skipped": got.Skipped,
			"dead": got.Dead, "cancelled": got.Cancelled, "moving": got.Moving(), "without workflow": got.WithoutWorkflow, "ended": bit(!got.Ended.IsZero()),
		}, want)
		p.same("abandoned", got.Abandoned, b.abandoned)
		rows, _, err := p.Batches.RefusedRows(t.Context(), b.id, 0, 10)
		p.must(err)
		p.same("refused rows", rows, b.refused, cmpopts.EquateEmpty())
		p.same("refused", got.Refused, len(b.refused))
	}
	for _, b := range p.model.batches {
		p.same("reasons", p.reasons(b.id), p.toldReasons(b.id))
	}
	p.same("writers of one e-mail", p.model.crowd(), []string(nil))
}

// reasons returns the end reasons counted by a batch.
func (p *play) reasons(batch store.BatchID) map[string]int {
	counted, whole, err := p.Batches.EndReasons(p.t.Context(), batch)
	p.must(err)
	p.same("counts are whole", whole, true)
	reasons := map[string]int{}
	for _, r := range counted {
		reasons[string(r.Counter)+" "+string(r.Reason)] = r.Count
	}
	return reasons
}

// toldReasons returns the same, counted from its exports.
func (p *play) toldReasons(batch store.BatchID) map[string]int {
	outcomes, err := p.Batches.Outcomes(p.t.Context(), batch, 0, 100)
	p.must(err)
	reasons := map[string]int{}
	for _, o := range outcomes {
		if o.State.Ended() && o.Reason != "" {
			reasons[string(o.Counter)+" "+string(o.Reason)]++
		}
	}
	return reasons
}

// bit converts a bool to 0 or 1.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// kept renders the content of Redis, as model.kept does.
func (p *play) kept() map[string]string {
	ctx := p.t.Context()
	root := "ix:{" + customer + "}:"
	kept := map[string]string{}
	records, payloads, dues, deads := map[string]*redis.SliceCmd{}, map[string]*redis.IntCmd{}, map[string]*redis.FloatCmd{}, map[string]*redis.FloatCmd{}
	locks, known := map[string]*redis.StringCmd{}, map[string]*redis.StringCmd{}
	var counters *redis.SliceCmd
	var begun *redis.ZSliceCmd
	digests, complete := map[string]*redis.StringCmd{}, map[string]*redis.StringCmd{}
	_, err := p.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, e := range p.model.exports {
			records[e.id] = pipe.HMGet(ctx, root+"x:"+e.id, "st", "tk", "le", "in", "ia", "pe", "pm", "at", "due", "eh", "queue")
			payloads[e.id] = pipe.Exists(ctx, root+"p:"+e.id)
			dues[e.id] = pipe.ZScore(ctx, root+"due", e.id)
			deads[e.id] = pipe.ZScore(ctx, root+"dead", e.id)
		}
		for _, email := range p.emails {
			locks[email] = pipe.Get(ctx, root+"l:"+email)
			known[email] = pipe.Get(ctx, root+"k:"+email)
		}
		counters = pipe.HMGet(ctx, root+"c", "live", "illegal")
		begun = pipe.ZRangeWithScores(ctx, root+"begun", 0, -1)
		for _, b := range p.model.batches {
			_, local, _ := strings.Cut(string(b.id), "-")
			digests[string(b.id)] = pipe.Get(ctx, root+"b:"+local+":digests")
			complete[string(b.id)] = pipe.HGet(ctx, root+"b:"+local, "complete")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		p.t.Fatal(err)
	}
	for id, record := range records {
		var f [11]string
		for i, v := range record.Val() {
			f[i], _ = v.(string)
		}
		if f[0] != "" {
			kept["export "+id] = line(store.State(f[0]), atoi(f[1]), atoi(f[2]), f[3], atoi(f[4]), atoi(f[5]), f[6] == "c", atoi(f[7]), atoi(f[8]), f[9], f[10])
		}
		if payloads[id].Val() == 1 {
			kept["payload "+id] = "kept"
		}
		if dues[id].Err() == nil {
			kept["due "+id] = strconv.FormatFloat(dues[id].Val(), 'f', 0, 64)
		}
		if deads[id].Err() == nil {
			kept["dead "+id] = "listed"
		}
	}
	for _, z := range begun.Val() {
		kept["begun "+fmt.Sprint(z.Member)] = strconv.FormatFloat(z.Score, 'f', 0, 64)
	}
	for id := range digests {
		kept["rows "+id] = fmt.Sprint(digests[id].Val(), " ", atoi(complete[id].Val()))
	}
	for _, email := range p.emails {
		if locks[email].Err() == nil {
			kept["lock "+email] = locks[email].Val()
		}
		if known[email].Err() == nil {
			kept["known "+email] = readKnown(known[email].Val()).String()
		}
	}
	for i, name := range []string{"live", "illegal"} {
		n, _ := counters.Val()[i].(string)
		kept[name] = strconv.FormatInt(atoi(n), 10)
	}
	letters, err := p.redis.HVals(ctx, root+"wrong_job").Result()
	p.must(err)
	for _, list := range letters {
		for id := range strings.SplitSeq(list, ",") {
			kept["wrong job "+id] = "listed"
		}
	}
	candidates := make([]string, len(p.model.exports))
	for i, e := range p.model.exports {
		candidates[i] = e.candidate
	}
	markers, err := p.Candidates.Markers(ctx, customer, candidates)
	p.must(err)
	for candidate, m := range markers {
		kept["marker "+candidate] = knowledge{m.Person, m.Workflows}.String()
	}
	for _, b := range p.model.batches {
		outcomes, err := p.Batches.Outcomes(ctx, b.id, 0, 100)
		p.must(err)
		for _, o := range outcomes {
			erased := o.Reason == store.ReasonErased && o.Candidate == ""
			kept["outcome "+o.Export] = fmt.Sprint(o.State, " ", o.Counter, " ", erased)
		}
	}
	return kept
}

func atoi(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// readKnown parses "person|job:workflow,job:workflow".
func readKnown(s string) knowledge {
	person, jobs, _ := strings.Cut(s, "|")
	k := knowledge{Person: atoi(person), Workflows: map[int64]int64{}}
	for pair := range strings.SplitSeq(jobs, ",") {
		if job, workflow, ok := strings.Cut(pair, ":"); ok {
			k.Workflows[atoi(job)] = atoi(workflow)
		}
	}
	return k
}

func line(state store.State, token, lease int64, intent string, since, person int64, made bool, attempts, due int64, email, queue string) string {
	return fmt.Sprintf("%s token=%d lease=%d intent=%s@%d person=%d made=%t attempts=%d due=%d e-mail=%s queue=%s",
		state, token, lease, intent, since, person, made, attempts, due, email, queue)
}
