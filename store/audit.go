package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Violation is something that must never be so: a sentence about a customer's
// records that names no candidate.
type Violation struct {
	Kind     string  `json:"kind"` // stable code, see the constants
	Customer string  `json:"customer,omitempty"`
	Batch    BatchID `json:"batch,omitempty"`
	Export   string  `json:"export,omitempty"`
	Text     string  `json:"text"`
}

// The kinds of violations that the ledger itself can show.
const (
	ViolationSum            = "batch_sum"        // accepted is not the sum of its parts
	ViolationCount          = "batch_count"      // a count of a batch differs from the records
	ViolationLive           = "live_count"       // the customer's count of moving exports is wrong
	ViolationDueCount       = "due_count"        // more or fewer exports are due than move
	ViolationDeadCount      = "dead_count"       // more or fewer dead letters are listed than there are
	ViolationLost           = "export_lost"      // accepted, but neither record nor outcome
	ViolationNoBatch        = "record_no_batch"  // a record whose batch does not exist or list it
	ViolationHiddenBatch    = "batch_hidden"     // a batch that is not among the customer's
	ViolationNotDue         = "not_due"          // a moving record that nobody will look after
	ViolationStuck          = "stuck"            // late by more than some minutes
	ViolationDueStray       = "due_stray"        // a due entry without a moving record
	ViolationNotDead        = "dead_unlisted"    // a dead record that is not listed as one
	ViolationDeadStray      = "dead_stray"       // listed as dead, but not so
	ViolationEmailShared    = "email_shared"     // two workers hold exports of one e-mail
	ViolationEmailUnlocked  = "email_unlocked"   // an export in work without the lock of its e-mail
	ViolationPayloadMissing = "payload_missing"  // a live or dead record without its payload
	ViolationPayloadLeft    = "payload_left"     // the data of a candidate whose export has ended
	ViolationStoryLeft      = "story_left"       // a story of an ended export that is kept for ever
	ViolationMarker         = "marker_malformed" // a marker that points at no person
	ViolationMarkerMissing  = "marker_missing"   // a done export without a marker
	ViolationJournal        = "journal_changed"  // entries of the journal were removed or changed; no customer's
	ViolationUnreadable     = "keys_broken"      // keys that have another type, or malformed numbers
	ViolationIllegalMoves   = "illegal_moves"    // moves that the state machine lacks were asked for
)

// Audit is what a walk over the records of one customer found.
type Audit struct {
	Customer  string `json:"customer"`
	Batches   int    `json:"batches"`
	Accepted  int    `json:"accepted"`
	Done      int    `json:"done"`
	Skipped   int    `json:"skipped"`
	Dead      int    `json:"dead"`
	Cancelled int    `json:"cancelled"`
	Moving    int    `json:"moving"`
	// Expired are accepted exports of old batches whose outcomes are kept no more.
	Expired int `json:"expired,omitempty"`
	Markers int `json:"markers"`

	Findings
}

// AuditOptions set how an audit is made.
type AuditOptions struct {
	// Late is by how much a moving export may be overdue.
	Late time.Duration
	// Pause is how long to wait before a suspect is looked at once more.
	Pause time.Duration
}

// DefaultAuditOptions returns the options of a production audit.
func DefaultAuditOptions() AuditOptions {
	return AuditOptions{Late: 5 * time.Minute, Pause: 2 * time.Second}
}

const (
	auditPage = 200
	// auditTries is how often the sums of a batch are taken while it keeps moving.
	auditTries = 3
)

// Audit proves the promises that the records of customers can show. It takes no
// lock, so that it can be made at any time: what belongs to one export is read in
// one transaction, and whatever looks wrong is looked at once more after a pause
// and reported only if it is still so.
func (l *Ledger) Audit(ctx context.Context, customers []string, o AuditOptions) ([]Audit, error) {
	audits, err := l.audit(ctx, customers, o)
	if err != nil {
		return nil, err
	}
	var suspects []string
	for _, a := range audits {
		if len(a.Violations) > 0 {
			suspects = append(suspects, a.Customer)
		}
	}
	if len(suspects) == 0 {
		return audits, nil
	}
	if err := wait(ctx, o.Pause); err != nil {
		return nil, err
	}
	again, err := l.audit(ctx, suspects, o)
	if err != nil {
		return nil, err
	}
	for _, second := range again {
		i := slices.IndexFunc(audits, func(first Audit) bool { return first.Customer == second.Customer })
		second.Findings = second.Confirmed(audits[i].Findings)
		audits[i] = second
	}
	return audits, nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// auditor makes one walk.
type auditor struct {
	*Ledger
	AuditOptions
	customer string
	now      time.Time
	found    Audit
	holders  map[string]string // e-mail hash → the export in work
}

func (l *Ledger) audit(ctx context.Context, customers []string, o AuditOptions) ([]Audit, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return nil, err
	}
	auditors := make(map[string]*auditor, len(customers))
	for _, customer := range customers {
		a := &auditor{Ledger: l, AuditOptions: o, customer: customer, now: now, holders: map[string]string{}}
		a.found = Audit{Customer: customer, Findings: NewFindings()}
		auditors[customer] = a
		for _, part := range []struct {
			what  string
			check func(context.Context) error
		}{
			{"batches", a.batches}, {"counters", a.totals}, {"lists", a.lists}, {"markers", a.markers}, {"records of forgeries", a.forgeries},
		} {
			if err := a.broken(part.what, "", part.check(ctx)); err != nil {
				return nil, fmt.Errorf("audit customer %s: %w", customer, err)
			}
		}
	}
	if err := l.auditKeys(ctx, customers, auditors); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	audits := make([]Audit, len(customers))
	for i, customer := range customers {
		audits[i] = auditors[customer].found
		audits[i].Violations = unique(audits[i].Violations)
	}
	return audits, nil
}

// unique drops what was found twice: a scan may show a key more than once.
func unique(violations []Violation) []Violation {
	seen := map[Violation]bool{}
	return slices.DeleteFunc(violations, func(v Violation) bool {
		again := seen[v]
		seen[v] = true
		return again
	})
}

func (a *auditor) violatef(kind string, batch BatchID, export, format string, args ...any) {
	a.found.Add(Violation{kind, a.customer, batch, export, fmt.Sprintf(format, args...)})
}

// broken reports keys that cannot be read, and passes other errors on: the rest, and the
// other customers, are checked all the same.
func (a *auditor) broken(what string, batch BatchID, err error) error {
	if !Broken(err) {
		return err
	}
	a.found.Add(UnreadableViolation(a.customer, batch, what))
	return nil
}

// UnreadableViolation tells that some of a customer's keys could not be checked.
func UnreadableViolation(customer string, batch BatchID, what string) Violation {
	return Violation{ViolationUnreadable, customer, batch, "", "Keys in Redis are broken, so the " + what + " could not be checked: a key has another type, or a number is malformed."}
}

// failure is the first error of a pipeline other than a missing value. The error that
// go-redis returns for a pipeline is the first of any kind.
func failure(sent []redis.Cmder, err error) error {
	if err == nil || !errors.Is(err, redis.Nil) {
		return err
	}
	for _, c := range sent {
		if err := c.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	return nil
}

// facts are all that is kept of one export, read in one transaction.
type facts struct {
	export                           string
	state                            State
	batch, row, candidate, emailHash string
	lease                            time.Time
	due                              time.Time // zero: not in the list of those that are due
	dead, payload                    bool
	outcome                          Outcome // zero without one
}

func (f facts) moving() bool { return f.state != "" && !f.state.Ended() }
func (f facts) working() bool {
	return f.state == Claimed || f.state == Creating || f.state == Created || f.state == Placing
}

// look reads exports. Those of one batch name it, so that their outcomes are read
// as well; "" reads the batch that the record names.
func (a *auditor) look(ctx context.Context, batch BatchID, exports []string) ([]facts, error) {
	type answers struct {
		record    *redis.SliceCmd
		due, dead *redis.FloatCmd
		payload   *redis.IntCmd
		outcome   *redis.StringCmd
	}
	read := make([]answers, len(exports))
	sent, err := a.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, e := range exports {
			r := &read[i]
			r.record = p.HMGet(ctx, recordKey(a.customer, e), "st", "b", "r", "c", "eh", "le")
			r.due, r.dead = p.ZScore(ctx, dueKey(a.customer), e), p.ZScore(ctx, deadKey(a.customer), e)
			r.payload = p.Exists(ctx, payloadKey(a.customer, e))
			if batch != "" {
				r.outcome = p.HGet(ctx, batchKey(batch)+":o:"+outcomeBucket(e), e)
			}
		}
		return nil
	})
	if err := failure(sent, err); err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	list := make([]facts, len(exports))
	for i, e := range exports {
		f, r := &list[i], read[i]
		f.export = e
		if v := r.record.Val(); len(v) == 6 {
			f.state, f.batch, f.row = State(text(v[0])), text(v[1]), text(v[2])
			f.candidate, f.emailHash, f.lease = text(v[3]), text(v[4]), millis(text(v[5]))
		}
		if r.due.Err() == nil {
			f.due = time.UnixMilli(int64(r.due.Val()))
		}
		f.dead, f.payload = r.dead.Err() == nil, r.payload.Val() == 1
		if r.outcome != nil && r.outcome.Val() != "" {
			f.outcome.readLine(r.outcome.Val())
		}
	}
	return list, nil
}

// judge checks one export of a batch.
func (a *auditor) judge(batch BatchID, f facts) {
	if f.state == "" {
		return
	}
	if !f.payload {
		a.violatef(ViolationPayloadMissing, batch, f.export, "The export is %s, but the candidate's data is missing.", f.state)
	}
	if f.state == Dead {
		if !f.dead {
			a.violatef(ViolationNotDead, batch, f.export, "The export is dead, but missing from the list of dead letters.")
		}
		return
	}
	switch {
	case f.due.IsZero():
		a.violatef(ViolationNotDue, batch, f.export, "The export is %s, but not scheduled, so the sweep cannot find it.", f.state)
	case a.now.Sub(f.due) > a.Late:
		a.violatef(ViolationStuck, batch, f.export, "The export is %s and overdue by %s.", f.state, a.now.Sub(f.due).Round(time.Second))
	}
	if f.working() && f.lease.After(a.now) && f.emailHash != "" {
		if other := a.holders[f.emailHash]; other != "" && other != f.export {
			a.violatef(ViolationEmailShared, batch, f.export, "The export is in progress at the same time as %s, which has the same email.", other)
		}
		a.holders[f.emailHash] = f.export
	}
}
