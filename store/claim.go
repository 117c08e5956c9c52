package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Intent is a write that was begun and whose answer is not recorded.
type Intent string

// The intents: none, the POST of a person, the POST of a workflow.
const (
	NoIntent       Intent = ""
	IntentPerson   Intent = "p"
	IntentWorkflow Intent = "w"
)

// ClaimOptions set how an export is claimed.
type ClaimOptions struct {
	// Lease is how long the claim holds without being renewed.
	Lease time.Duration
	// Settle is how long after an interrupted write iCIMS may still complete it.
	Settle time.Duration
	// Worker names the process that claims, see Beat.
	Worker string
	// PastPause claims in spite of a pause of the customer.
	PastPause bool
}

// Verdict is how a claim was answered.
type Verdict string

// The verdicts of a claim.
const (
	ClaimOK        Verdict = "ok"
	ClaimGone      Verdict = "gone"      // ended and purged
	ClaimEnded     Verdict = "ended"     // dead, or otherwise not to be worked on
	ClaimHeld      Verdict = "held"      // another worker holds it, for Wait at most
	ClaimPaused    Verdict = "paused"    // the customer is paused, for Wait or until somebody resumes
	ClaimUnsettled Verdict = "unsettled" // an interrupted write settles after Wait
	ClaimLocked    Verdict = "locked"    // another export works on the same e-mail
	ClaimWentBack  Verdict = "went_back" // Redis may have lost a create, which settles after Wait
)

// Claim is an export in the hands of one worker, with all that is known of it.
type Claim struct {
	Ref
	Verdict Verdict
	// Wait is how long a claim that was not given has to wait; for ClaimLocked and
	// ClaimPaused 0 where that is not known.
	Wait time.Duration

	Batch     BatchID
	Row       int
	Candidate string
	EmailHash string
	State     State
	Payload   []byte
	Target    string // as given to OpenBatch
	Options   string
	Trace     string // as given to OpenBatch

	Intent     Intent // found open at the claim, to be resolved before any write
	Person     int64  // recorded by earlier work; 0 = not yet
	PersonMade bool   // that person was created by this export
	// PersonProven: this service recorded the person for this export. One that is not
	// proven is a hint: it was recorded by an earlier version, for the dead letter that the
	// export replaces, or by somebody who can write to Redis.
	PersonProven bool
	Attempts     int
	// Failing is how long ago the first attempt failed, by Redis's clock; 0 while
	// none did. Time that was spent waiting does not count.
	Failing  time.Duration
	Panics   int    // attempts that ended in a panic of this service
	Reason   Reason // why it was put off last
	Warnings string

	Marker      *Marker // of an earlier export of the candidate; nil = none
	KnownPerson int64   // person lately known under this e-mail; 0 = none
	// KnownProven tells that this service recorded KnownPerson.
	KnownProven bool
	// KnownWorkflows were lately made for that person, by job, and recorded by this service.
	KnownWorkflows map[int64]int64

	// Epoch is that of the customer's keys: it grows whenever Redis lost writes, or may
	// have, and what was learned before then counts no more.
	Epoch int64
	// JobState is what is known of the batch's job.
	JobState JobState

	// token is the fencing token: it grows with each claim of the export.
	token int64
	// wrongJob are dead letters of the candidate whose job was missing.
	wrongJob []string
}

// WrongJob lists dead letters of the candidate whose job was missing. Finish settles them
// if the export gets a workflow.
func (c *Claim) WrongJob() []string { return c.wrongJob }

// Claim takes an export for one worker. Everything but ClaimOK means that there
// is nothing to do, or not now. Errors are Redis's, and ErrSealed for a payload
// that this keyset cannot open: ErrForged for one that was accepted for another target or
// with other options.
func (l *Ledger) Claim(ctx context.Context, ref Ref, o ClaimOptions) (*Claim, error) {
	if err := l.meet(ctx, o, ref.Customer); err != nil {
		return nil, err
	}
	answer, err := l.run(ctx, claimScript, recordKey(ref.Customer, ref.Export),
		prefix(ref.Customer), ref.Export, o.Lease.Milliseconds(), o.Settle.Milliseconds(), o.Worker, newRequest(), flag(o.PastPause), l.seen.args(ref.Customer))
	if err != nil {
		return nil, err
	}
	c := &Claim{Ref: ref, Verdict: Verdict(text(answer[0]))}
	switch c.Verdict {
	case ClaimOK:
		return c, l.readClaim(c, answer)
	case ClaimHeld, ClaimPaused, ClaimUnsettled, ClaimLocked:
		// The script tells how long, not until when: clocks may differ.
		c.Wait = time.Duration(max(number(text(answer[1])), 0)) * time.Millisecond
	case ClaimWentBack:
		c.Wait = time.Duration(max(number(text(answer[1])), 0)) * time.Millisecond
		l.heed(c, answer[2])
	case ClaimEnded:
		c.State = State(text(answer[1]))
	case ClaimGone:
	default:
		return nil, fmt.Errorf("ledger: claim returned %q", c.Verdict)
	}
	return c, nil
}

// newRequest names one request, so that its repetition is known: go-redis repeats
// those whose answer was lost. It need only differ from the other requests for the
// same export.
func newRequest() string { return rand.Text()[:8] }

func (l *Ledger) readClaim(c *Claim, answer []any) error {
	c.token = number(text(answer[1]))
	c.State = Claimed
	record := pairs(answer[2]) // as it was before
	c.Batch = BatchID(c.Customer + "-" + record["b"])
	c.Row = int(number(record["r"]))
	c.Candidate = record["c"]
	c.EmailHash = record["eh"]
	c.Person = number(record["pe"])
	c.PersonMade = record["pm"] == "c"
	c.PersonProven = c.Person != 0 && record["person_proof"] == l.keys.personProof(c.Ref, c.Person)
	c.Attempts = int(number(record["at"]))
	c.Warnings = record["wa"]
	c.Reason = Reason(record["rs"])
	c.Panics = int(number(record["panics"]))
	c.Intent = Intent(record["in"])
	batch := list(answer[4])
	c.Target, c.Options = text(batch[0]), text(batch[1])
	if len(batch) > 2 {
		c.Trace = text(batch[2])
	}
	if m, ok := parseMarker(text(answer[5])); ok {
		c.Marker = &m
	}
	found := l.keys.readKnown(c.Customer, c.EmailHash, text(answer[6]))
	c.KnownPerson, c.KnownProven, c.KnownWorkflows = found.person, found.proven, found.workflows

	c.Failing = time.Duration(number(text(answer[7]))) * time.Millisecond
	l.heed(c, answer[8])
	c.JobState, c.wrongJob = JobState(text(answer[9])), exportsOf(text(answer[10]))
	if text(answer[3]) == "" {
		return fmt.Errorf("payload of export %s: %w", c.Export, ErrPayloadMissing)
	}
	var err error
	if c.Payload, err = l.openPayload([]byte(text(answer[3])), c.Ref, c.destination()); err != nil {
		return fmt.Errorf("payload of export %s: %w", c.Export, err)
	}
	return nil
}

func (c *Claim) destination() destination { return destination{c.Target, c.Options} }

// heed takes what a claim tells of the customer's keys.
func (l *Ledger) heed(c *Claim, told any) {
	now := readEpoch(told)
	l.seen.claimed(c.Customer, now)
	c.Epoch = now.epoch
}

// IncludesExported reports whether the batch asked for candidates that were
// exported before as well.
func (c *Claim) IncludesExported() bool { return strings.Contains(c.Options, optionInclude) }

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func millis(s string) time.Time { return time.UnixMilli(number(s)) }

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func pairs(v any) map[string]string {
	flat := list(v)
	m := make(map[string]string, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		m[text(flat[i])] = text(flat[i+1])
	}
	return m
}
