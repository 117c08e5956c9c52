package store_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
)

// model is an in-memory reference of the ledger for one caller at a time. It keeps no counters:
// counts are computed on request.
type model struct {
	now     int64 // ms
	exports []*modelExport
	batches []*modelBatch
	locks   map[string]*modelExport // by email, and by candidate
	known   map[string]knowledge    // by email
	markers map[string]knowledge    // by candidate
	begun   map[*modelExport]int64  // waiting, by when they continue
	illegal int
	paused  bool
	resumes int64 // when the pause expires; 0 = never

	server, claimedOn string // which one is active, and which one was at the last claim
	epoch             int64  // when creating resumes
}

type modelBatch struct {
	id      store.BatchID
	job     int64
	include bool
	closed  bool
	stopped bool // by a cancellation
	// sent is when it was opened, or last accepted a row.
	sent      int64
	abandoned bool
	rows      []*modelExport
	refused   []store.RefusedRow

	// digests of the submitted rows; complete is their number at the end of a complete submission;
	// 0: none.
	digests  []string
	complete int
}

func (b *modelBatch) spec() store.BatchSpec {
	return store.BatchSpec{Job: b.job, IncludePreviouslyExported: b.include}
}

type modelExport struct {
	id        string
	batch     *modelBatch
	candidate string
	email     string

	state    store.State // empty: not accepted
	counter  store.Counter
	token    int64
	lease    int64 // its end
	due      int64 // when the sweep looks at it; 0 = never
	back     int64 // when it was due to continue, as last held
	intent   store.Intent
	since    int64 // of the intent
	person   int64
	made     bool
	attempts int
	queue    store.QueueSize
	erased   bool // only its outcome is left, without a name
	accepted int64
	died     int64
	reason   store.Reason
	passedOn bool // the person it created has a workflow by another export, or will have
}

// knowledge is a person with the workflows created for them, by job.
type knowledge struct {
	Person    int64
	Workflows map[int64]int64
}

// claimed is the reply to a claim.
type claimed struct {
	Verdict       store.Verdict
	Wait          int64
	State         store.State
	Token         int64
	Intent        store.Intent
	Person        int64
	PersonMade    bool
	Attempts      int
	Marker, Known knowledge
}

func newModel() *model {
	return &model{now: 1_800_000_000_000, locks: map[string]*modelExport{}, known: map[string]knowledge{}, markers: map[string]knowledge{}, begun: map[*modelExport]int64{}}
}

func (m *model) export(id string) *modelExport {
	return m.exports[slices.IndexFunc(m.exports, func(e *modelExport) bool { return e.id == id })]
}

func (m *model) after(d time.Duration) int64 { return m.now + d.Milliseconds() }

// recorded reports whether the export has a record: it is in progress or dead.
func (e *modelExport) recorded() bool {
	return e.state != "" && (e.state == store.Dead || !e.state.Ended())
}

func (e *modelExport) inProgress() bool { return e.recorded() && e.state != store.Dead }

func (e *modelExport) working() bool {
	return e.state == store.Claimed || e.writing() || e.state == store.Created
}

// writing reports whether a POST may be in progress.
func (e *modelExport) writing() bool { return e.state == store.Creating || e.state == store.Placing }

// held reports whether the export blocks others with its email.
func (m *model) held(e *modelExport) bool {
	return e.inProgress() && (e.lease > m.now || e.intent != store.NoIntent)
}

// lockNames returns what a claim locks: the email, and the candidate unless the batch includes
// previously exported candidates.
func (e *modelExport) lockNames() []string {
	if e.batch.include {
		return []string{e.email}
	}
	return []string{e.email, e.candidate}
}

func (m *model) unlock(e *modelExport) {
	for _, name := range e.lockNames() {
		if m.locks[name] == e {
			delete(m.locks, name)
		}
	}
}

// with adds what was learned about a person; for a different person it forgets the rest.
func (k knowledge) with(person, job, workflow int64) knowledge {
	if k.Person != person || k.Workflows == nil {
		k = knowledge{person, map[int64]int64{}}
	}
	if workflow != 0 {
		k.Workflows = maps.Clone(k.Workflows)
		k.Workflows[job] = workflow
	}
	return k
}

func (m *model) accept(e *modelExport, size store.QueueSize) store.Accepted {
	if e.state != "" {
		a := store.Accepted{Export: e.id, State: e.state}
		if e.state == store.Queued {
			a.Row, a.Queue = slices.Index(e.batch.rows, e), e.queue
		}
		return a
	}
	e.state, e.due, e.accepted, e.queue = store.Queued, m.after(30*time.Second), m.now, size
	e.batch.rows = append(e.batch.rows, e)
	return store.Accepted{Export: e.id, New: true, State: store.Queued, Row: len(e.batch.rows) - 1, Queue: size}
}

// differs compares rows with those the batch has, starting at a position.
func (b *modelBatch) differs(before int, rows []string) error {
	for i, row := range rows {
		if at := before + i; at < len(b.digests) && b.digests[at] != row {
			return &store.BatchConflictError{Batch: b.id, Differs: store.DiffersInRow, Row: at + 1}
		}
	}
	if b.complete > 0 && before+len(rows) > b.complete {
		return &store.BatchConflictError{Batch: b.id, Differs: store.HasMoreRows, Rows: b.complete}
	}
	return nil
}

// note adds the rows that the batch does not have yet.
func (b *modelBatch) note(before int, rows []string) {
	b.digests = append(b.digests, rows[min(len(rows), len(b.digests)-before):]...)
}

// completeSending ends a submission of all its rows.
func (m *model) completeSending(b *modelBatch, rows []string) error {
	if err := b.differs(0, rows); err != nil {
		return err
	}
	if len(rows) < len(b.digests) {
		return &store.BatchConflictError{Batch: b.id, Differs: store.HasFewerRows, Rows: len(b.digests)}
	}
	b.note(0, rows)
	b.complete = len(rows)
	b.closed, b.abandoned, b.refused = true, false, nil
	return nil
}

// pause reports whether the customer is paused, and for how long if that is known.
func (m *model) pause() (wait int64, paused bool) {
	if !m.paused || m.resumes != 0 && m.resumes <= m.now {
		return 0, false
	}
	return max(m.resumes-m.now, 0), true
}

func (m *model) claim(e *modelExport, o store.ClaimOptions) claimed {
	if !e.recorded() {
		return claimed{Verdict: store.ClaimGone}
	}
	m.settle(o.Settle)
	switch {
	case e.state == store.Dead:
		return claimed{Verdict: store.ClaimEnded, State: store.Dead}
	case e.lease > m.now:
		return claimed{Verdict: store.ClaimHeld, Wait: e.lease - m.now}
	}
	if wait, paused := m.pause(); paused && !o.PastPause {
		return claimed{Verdict: store.ClaimPaused, Wait: wait}
	}
	if m.epoch > m.now {
		e.due = m.epoch
		return claimed{Verdict: store.ClaimWentBack, Wait: m.epoch - m.now}
	}
	if settled := e.since + o.Settle.Milliseconds(); e.intent != store.NoIntent && settled > m.now {
		if e.state != store.Unknown {
			e.token++ // its writer has lost the export
		}
		e.state, e.lease, e.due, e.back, m.begun[e] = store.Unknown, 0, settled, settled, settled
		return claimed{Verdict: store.ClaimUnsettled, Wait: settled - m.now}
	}
	losers := map[*modelExport]bool{}
	for _, name := range e.lockNames() {
		owner := m.locks[name]
		if owner == nil || owner == e {
			continue
		}
		if m.held(owner) {
			c := claimed{Verdict: store.ClaimLocked}
			if owner.state == store.Unknown {
				c.Wait = max(owner.back-m.now, 0)
			}
			e.due = m.now + max(c.Wait, 2000)
			return c
		}
		losers[owner] = owner.working()
	}
	for owner, working := range losers {
		if working {
			owner.token++ // it loses the claim with the lock
		}
	}
	for _, name := range e.lockNames() {
		m.locks[name] = e
	}
	marker, known := m.markers[e.candidate], m.known[e.email]
	e.state = store.Claimed
	e.token = max(e.token+1, m.now)
	e.lease = m.after(o.Lease)
	e.due, m.begun[e] = e.lease, e.lease
	return claimed{
		Verdict: store.ClaimOK, State: e.state, Token: e.token, Intent: e.intent,
		Person: e.person, PersonMade: e.made, Attempts: e.attempts, Marker: marker, Known: known,
	}
}

// settle starts a new epoch if another server is active than at the last claim, since writes may be
// lost.
func (m *model) settle(after time.Duration) {
	if m.claimedOn != "" && m.claimedOn != m.server {
		m.epoch = max(m.now+after.Milliseconds(), m.epoch+1)
	}
	m.claimedOn = m.server
}

// refuse returns the reply to an illegal transition: a bug, unless Redis may have lost writes.
func (m *model) refuse() string {
	if m.epoch > m.now || m.claimedOn != "" && m.claimedOn != m.server {
		return "went_back"
	}
	m.illegal++
	return "illegal"
}

// early returns the reply to a transition that is not allowed, or already done.
func (m *model) early(e *modelExport, token int64, to store.State) string {
	switch {
	case !e.recorded():
		return "gone"
	case e.token != token:
		return "stale"
	case e.state == to:
		return "ok"
	case !store.CanMove(e.state, to):
		return m.refuse()
	}
	return ""
}

func (m *model) step(e *modelExport, token, epoch int64, s store.Step) string {
	if early := m.early(e, token, s.To); early != "" {
		return early
	}
	answer := "ok"
	if s.To != store.Created && (epoch != m.epoch || m.server != m.claimedOn) {
		answer = "went_back"
		if s.Person == 0 || !store.CanMove(e.state, store.Created) {
			return answer
		}
		s.To = store.Created
	}
	e.state, e.lease = s.To, m.after(s.Lease)
	e.due, m.begun[e] = e.lease, e.lease
	e.intent, e.since = store.NoIntent, 0
	if s.To == store.Creating {
		e.intent, e.since = store.IntentPerson, m.now
	}
	if s.To == store.Placing {
		e.intent, e.since = store.IntentWorkflow, m.now
	}
	if s.Person != 0 && s.Person != e.person {
		e.person, e.made = s.Person, s.PersonMade
		m.known[e.email] = m.known[e.email].with(s.Person, 0, 0)
	}
	return answer
}

func (m *model) hold(e *modelExport, token int64, h store.Hold) string {
	away := e.state == store.Deferred || e.state == store.Retrying || e.state == store.Unknown
	if away && e.token == token && e.lease == 0 {
		return "ok"
	}
	if early := m.early(e, token, h.To); early != "" {
		return early
	}
	if h.To != store.Unknown && e.writing() {
		e.intent, e.since = store.NoIntent, 0 // the write did not take effect
	}
	e.state = h.To
	if e.intent != store.NoIntent {
		e.state = store.Unknown
	}
	e.lease, e.due = 0, m.after(h.Delay)
	e.back = e.due
	e.attempts += h.Attempts
	if h.Forget {
		if e.person != 0 && m.known[e.email].Person == e.person {
			delete(m.known, e.email)
		}
		e.person, e.made = 0, false
	}
	if e.intent != store.NoIntent || e.person != 0 {
		m.begun[e] = e.due
	} else {
		delete(m.begun, e)
	}
	if e.intent == store.NoIntent {
		m.unlock(e)
	}
	return "ok"
}

func (m *model) finish(e *modelExport, token int64, f store.Finish) string {
	if early := m.early(e, token, f.To); early != "" {
		return early
	}
	if f.To == store.Done {
		m.markers[e.candidate] = m.markers[e.candidate].with(f.Person, f.Job, f.Workflow)
		m.known[e.email] = m.known[e.email].with(f.Person, f.Job, f.Workflow)
	}
	if e.writing() {
		e.intent, e.since = store.NoIntent, 0 // refused: it did not take effect
	}
	e.state, e.counter, e.lease, e.due = f.To, f.Counter, 0, 0
	delete(m.begun, e)
	e.died, e.reason = m.now, f.Reason
	m.unlock(e)
	if f.To == store.Done && f.Workflow != 0 {
		m.settleLetters(e, f.Person)
	}
	return "ok"
}

// settleLetters ends the dead letters of a wrong job that an export replaces.
func (m *model) settleLetters(by *modelExport, person int64) {
	for _, e := range m.exports {
		if e.wrongJob() && e.candidate == by.candidate && e.intent == store.NoIntent && e.died < by.accepted {
			m.discard(e)
			e.passedOn = e.person == person
		}
	}
}

func (e *modelExport) wrongJob() bool {
	return e.state == store.Dead && e.reason == store.ReasonJobNotFound
}

// withoutWorkflow reports whether the export created a person without a workflow.
func (e *modelExport) withoutWorkflow() bool {
	return e.made && !e.passedOn && (e.state == store.Dead || e.state == store.Cancelled)
}

func (m *model) renew(e *modelExport, token int64, lease time.Duration) string {
	switch {
	case !e.recorded():
		return "gone"
	case e.token != token || !e.working():
		return "stale"
	}
	e.lease = m.after(lease)
	e.due, m.begun[e] = e.lease, e.lease
	if e.writing() {
		e.since = m.now // the call may have waited until now
	}
	return "ok"
}

func (m *model) redraw(e *modelExport, token int64, email string) string {
	switch {
	case !e.recorded():
		return "gone"
	case e.token != token:
		return "stale"
	case e.state != store.Claimed || e.intent != store.NoIntent || e.person != 0:
		return m.refuse()
	case m.locks[email] != nil:
		return "taken"
	}
	if m.locks[e.email] == e {
		delete(m.locks, e.email)
	}
	e.email, m.locks[email] = email, e
	return "ok"
}

// overdue returns the exports whose due time is before a time.
func (m *model) overdue(before int64) map[string]string {
	late := map[string]string{}
	for _, e := range m.exports {
		if e.inProgress() && e.due <= before {
			late[e.id] = e.stand()
		}
	}
	return late
}

// lateBegun returns the started exports that should have continued. They are listed again after a
// minute.
func (m *model) lateBegun() map[string]string {
	late := map[string]string{}
	for e, at := range m.begun {
		if at <= m.now {
			late[e.id] = e.stand()
			m.begun[e] = m.after(time.Minute)
		}
	}
	return late
}

func (e *modelExport) stand() string {
	return stand(e.state, e.batch.id, slices.Index(e.batch.rows, e), e.candidate, e.queue, e.token, e.lease)
}

func (m *model) revive(e *modelExport) bool {
	if e.state != store.Dead {
		return false
	}
	e.state, e.counter, e.attempts, e.back = store.Queued, "", 0, 0
	e.token++ // the worker that ended it cannot change it again
	e.due = m.after(30 * time.Second)
	return true
}

// elsewhere is the job that dead exports are moved to.
const elsewhere = 1712

// transfers reports whether an export can be moved to the other job.
func (m *model) transfers(e *modelExport) bool {
	if e.state != store.Dead || e.intent != store.NoIntent || e.batch.job == elsewhere {
		return false
	}
	return !slices.ContainsFunc(m.exports, func(other *modelExport) bool {
		return other.batch.job == elsewhere && (other.candidate == e.candidate || other.batch.stopped && other.batch.include == e.batch.include)
	})
}

// closeBatch ends a submission. An interrupted one does not replace a longer list of refused rows.
func (m *model) closeBatch(b *modelBatch, refused []store.RefusedRow, brokeOff bool) {
	if b.complete > 0 {
		return
	}
	b.closed, b.abandoned = true, false
	if !brokeOff || len(refused) >= len(b.refused) {
		b.refused = slices.Clone(refused)
	}
}

func (m *model) transfer(e *modelExport, to store.Transferred) {
	at := slices.IndexFunc(m.batches, func(b *modelBatch) bool { return b.id == to.Batch })
	if at < 0 {
		at = len(m.batches)
		m.batches = append(m.batches, &modelBatch{id: to.Batch, job: elsewhere, include: e.batch.include})
	}
	fresh := &modelExport{id: to.To, batch: m.batches[at], candidate: e.candidate, email: e.email, person: e.person, made: e.made}
	m.exports = append(m.exports, fresh)
	m.accept(fresh, store.NormalQueue)
	fresh.batch.closed = true
	m.discard(e)
	e.passedOn = true
}

func (m *model) discard(e *modelExport) bool {
	if e.state != store.Dead {
		return false
	}
	e.state, e.counter = store.Cancelled, store.CountCancelled
	return true
}

func (m *model) cancel(b *modelBatch) store.Cancellation {
	var c store.Cancellation
	b.closed, b.stopped, b.abandoned = true, true, false
	for _, e := range m.exports {
		switch {
		case e.batch != b || e.state == "":
		case e.state == store.Dead:
			c.Dead++
		case e.state.Ended():
			c.Ended++
		case e.intent == store.NoIntent && (e.state == store.Queued || e.state == store.Deferred || e.state == store.Retrying):
			e.state, e.counter, e.due = store.Cancelled, store.CountCancelled, 0
			delete(m.begun, e)
			m.unlock(e)
			c.Cancelled++
			c.Exports = append(c.Exports, e.id)
			c.PeopleLeft += bit(e.person != 0)
		default:
			c.Busy++
		}
	}
	return c
}

// erase erases a candidate, except for what may be in the middle of a write.
func (m *model) erase(candidate string, settle time.Duration) (receipt store.ErasureReceipt) {
	for _, e := range m.exports {
		if e.candidate == candidate && e.state != "" {
			receipt.Exports = append(receipt.Exports, e.id)
		}
		switch {
		case e.candidate != candidate || e.state == "":
		case e.state == store.Dead && (e.intent == store.NoIntent || e.since+settle.Milliseconds() <= m.now):
			m.discard(e)
			e.erased = true
			receipt.DeadLetters++
		case e.state.Ended() && e.state != store.Dead:
			receipt.Ended += bit(!e.erased)
			e.erased = true
		case e.intent == store.NoIntent && (e.state == store.Queued || e.state == store.Deferred || e.state == store.Retrying):
			e.state, e.counter, e.due, e.erased = store.Cancelled, store.CountCancelled, 0, true
			delete(m.begun, e)
			m.unlock(e)
			receipt.Cancelled++
		default:
			receipt.InWork = append(receipt.InWork, store.ExportInWork{Batch: e.batch.id, Export: e.id, State: e.state})
		}
	}
	for _, b := range m.batches {
		for i := range b.refused {
			if b.refused[i].Candidate == candidate {
				b.refused[i].Candidate = ""
				receipt.RefusedRows++
			}
		}
	}
	if receipt.Complete = len(receipt.InWork) == 0; receipt.Complete {
		_, receipt.Marker = m.markers[candidate]
		delete(m.markers, candidate)
	}
	return receipt
}

// crowd returns exports of one email that may be writing at the same time.
func (m *model) crowd() []string {
	writers := map[string][]string{}
	for _, e := range m.exports {
		if e.writing() {
			writers[e.email] = append(writers[e.email], e.id)
		}
	}
	var crowd []string
	for _, ids := range writers {
		if len(ids) > 1 {
			crowd = append(crowd, strings.Join(ids, " and "))
		}
	}
	return crowd
}

func (m *model) batch(b *modelBatch) map[string]int {
	counts := map[string]int{"accepted": 0, "created": 0, "updated": 0, "skipped": 0, "dead": 0, "cancelled": 0, "moving": 0, "without workflow": 0}
	for _, e := range m.exports {
		if e.batch != b || e.state == "" {
			continue
		}
		counts["accepted"]++
		counts["without workflow"] += bit(e.withoutWorkflow())
		if e.inProgress() {
			counts["moving"]++
		} else {
			counts[string(e.counter)]++
		}
	}
	counts["ended"] = bit(b.closed && counts["moving"] == 0)
	return counts
}

// kept renders all permanent state.
func (m *model) kept(emails []string) map[string]string {
	live := 0
	kept := map[string]string{"illegal": strconv.Itoa(m.illegal)}
	for _, e := range m.exports {
		if e.recorded() {
			kept["export "+e.id] = line(e.state, e.token, e.lease, string(e.intent), e.since, e.person, e.made, int64(e.attempts), e.back, e.email, string(e.queue))
			kept["payload "+e.id] = "kept"
		}
		if e.inProgress() {
			live++
			kept["due "+e.id] = strconv.FormatInt(e.due, 10)
		}
		if e.state == store.Dead {
			kept["dead "+e.id] = "listed"
		}
		if e.wrongJob() {
			kept["wrong job "+e.id] = "listed"
		}
		if e.state != "" {
			kept["outcome "+e.id] = fmt.Sprint(e.state, " ", e.counter, " ", e.erased)
		}
	}
	kept["live"] = strconv.Itoa(live)
	for e, at := range m.begun {
		kept["begun "+e.id] = strconv.FormatInt(at, 10)
	}
	for _, b := range m.batches {
		kept["rows "+string(b.id)] = fmt.Sprint(strings.Join(b.digests, ""), " ", b.complete)
	}
	for _, email := range emails {
		if owner := m.locks[email]; owner != nil {
			kept["lock "+email] = owner.id
		}
		if k, ok := m.known[email]; ok {
			kept["known "+email] = k.String()
		}
	}
	for candidate, k := range m.markers {
		kept["marker "+candidate] = k.String()
	}
	return kept
}

func (k knowledge) String() string { return fmt.Sprint(k.Person, k.Workflows) }
