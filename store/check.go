package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Violation describes an inconsistency in a customer's records. It names no candidate.
type Violation struct {
	Kind     string  `json:"kind"` // stable code, see the constants
	Customer string  `json:"customer,omitempty"`
	Batch    BatchID `json:"batch,omitempty"`
	Export   string  `json:"export,omitempty"`
	Text     string  `json:"text"`
}

// The kinds of violations the ledger can detect by itself.
const (
	ViolationSum            = "batch_sum"        // accepted differs from the sum of its parts
	ViolationCount          = "batch_count"      // a batch counter differs from the records
	ViolationLive           = "live_count"       // the customer's count of exports in progress is wrong
	ViolationDueCount       = "due_count"        // the due list and the exports in progress differ in number
	ViolationDeadCount      = "dead_count"       // the list of dead letters differs in number from the records
	ViolationLost           = "export_lost"      // accepted, but without record and outcome
	ViolationNoBatch        = "record_no_batch"  // the record's batch does not exist or does not list it
	ViolationHiddenBatch    = "batch_hidden"     // the batch is missing from the customer's list
	ViolationNotDue         = "not_due"          // a record in progress that the sweep cannot find
	ViolationStuck          = "stuck"            // overdue by several minutes
	ViolationDueStray       = "due_stray"        // a due entry without a record in progress
	ViolationNotDead        = "dead_unlisted"    // a dead record missing from the dead-letter list
	ViolationDeadStray      = "dead_stray"       // listed as a dead letter, but not dead
	ViolationEmailShared    = "email_shared"     // two workers hold exports with the same email
	ViolationEmailUnlocked  = "email_unlocked"   // an export is being worked on without its email lock
	ViolationPayloadMissing = "payload_missing"  // a live or dead record without its payload
	ViolationPayloadLeft    = "payload_left"     // candidate data of a finished export
	ViolationStoryLeft      = "story_left"       // the timeline of a finished export without expiry
	ViolationMarker         = "marker_malformed" // a marker without a valid person
	ViolationMarkerMissing  = "marker_missing"   // a done export without a marker
	ViolationJournal        = "journal_changed"  // audit log entries were removed or changed; belongs to no customer
	ViolationUnreadable     = "keys_broken"      // keys with the wrong type or malformed numbers
	ViolationIllegalMoves   = "illegal_moves"    // transitions that the state machine does not allow were requested
)

// CustomerCheck is the result of checking one customer's records.
type CustomerCheck struct {
	Customer  string `json:"customer"`
	Batches   int    `json:"batches"`
	Accepted  int    `json:"accepted"`
	Done      int    `json:"done"`
	Skipped   int    `json:"skipped"`
	Dead      int    `json:"dead"`
	Cancelled int    `json:"cancelled"`
	Moving    int    `json:"moving"`
	// Expired counts accepted exports of old batches whose outcomes have expired.
	Expired int `json:"expired,omitempty"`
	Markers int `json:"markers"`

	Findings
}

// CheckOptions configure an audit.
type CheckOptions struct {
	// Late is how far an export in progress may be overdue.
	Late time.Duration
	// Pause is the wait before a suspected violation is checked again.
	Pause time.Duration
}

// DefaultCheckOptions returns the options for production.
func DefaultCheckOptions() CheckOptions {
	return CheckOptions{Late: 5 * time.Minute, Pause: 2 * time.Second}
}

const (
	auditPage = 200
	// auditTries is how often a batch is counted while its exports keep changing state.
	auditTries = 3
)

// Run checks the guarantees that the records of customers can show. It takes no lock and can run
// at any time: the keys of one export are read in one transaction, and each suspected violation is
// checked again after a pause before it is reported.
func (l *Checks) Run(ctx context.Context, customers []string, o CheckOptions) ([]CustomerCheck, error) {
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
		i := slices.IndexFunc(audits, func(first CustomerCheck) bool { return first.Customer == second.Customer })
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

// auditor runs one audit.
type auditor struct {
	*base
	CheckOptions
	customer string
	now      time.Time
	found    CustomerCheck
	holders  map[string]string // email hash → export being worked on
}

func (l *base) audit(ctx context.Context, customers []string, o CheckOptions) ([]CustomerCheck, error) {
	now, err := l.nowAt(ctx, lanesKey)
	if err != nil {
		return nil, err
	}
	auditors := make(map[string]*auditor, len(customers))
	for _, customer := range customers {
		a := &auditor{base: l, CheckOptions: o, customer: customer, now: now, holders: map[string]string{}}
		a.found = CustomerCheck{Customer: customer, Findings: NewFindings()}
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
	audits := make([]CustomerCheck, len(customers))
	for i, customer := range customers {
		audits[i] = auditors[customer].found
		audits[i].Violations = unique(audits[i].Violations)
	}
	return audits, nil
}

// unique drops duplicates: a scan may return a key twice.
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

// broken reports unreadable keys as a violation, so that the audit can continue. It returns other
// errors.
func (a *auditor) broken(what string, batch BatchID, err error) error {
	if !Broken(err) {
		return err
	}
	a.found.Add(UnreadableViolation(a.customer, batch, what))
	return nil
}

// UnreadableViolation reports that some of a customer's keys could not be checked.
func UnreadableViolation(customer string, batch BatchID, what string) Violation {
	return Violation{ViolationUnreadable, customer, batch, "", "Keys in Redis are broken, so the " + what + " could not be checked: a key has another type, or a number is malformed."}
}

// failure returns the first error of a pipeline other than redis.Nil. The error that go-redis
// returns for a pipeline is the first of any kind.
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

// facts are all keys of one export, read in one transaction.
type facts struct {
	export                           string
	state                            State
	batch, row, candidate, emailHash string
	lease                            time.Time
	due                              time.Time // zero if not in the due list
	dead, payload                    bool
	outcome                          Outcome // zero if there is none
}

func (f facts) inProgress() bool { return f.state != "" && !f.state.Ended() }
func (f facts) working() bool {
	return f.state == Claimed || f.state == Creating || f.state == Created || f.state == Placing
}

// look reads exports with their outcomes in batch. If batch is empty, it uses the batch named by
// the record.
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

// checkExport checks one export of a batch.
func (a *auditor) checkExport(batch BatchID, f facts) {
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
