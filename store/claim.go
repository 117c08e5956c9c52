package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Intent is a write that was started and whose response is not recorded.
type Intent string

// The intents: none, POST of a person, POST of a workflow.
const (
	NoIntent       Intent = ""
	IntentPerson   Intent = "p"
	IntentWorkflow Intent = "w"
)

// ClaimOptions configure a claim.
type ClaimOptions struct {
	// Lease is how long the claim is valid without renewal.
	Lease time.Duration
	// Settle is how long iCIMS may take to complete an interrupted write.
	Settle time.Duration
	// Worker is the name of the claiming process, see Beat.
	Worker string
	// PastPause claims even if the customer is paused.
	PastPause bool
}

// Verdict is the result of a claim.
type Verdict string

// The verdicts of a claim.
const (
	ClaimOK        Verdict = "ok"
	ClaimGone      Verdict = "gone"      // ended and purged
	ClaimEnded     Verdict = "ended"     // dead or finished
	ClaimHeld      Verdict = "held"      // held by another worker, for Wait at most
	ClaimPaused    Verdict = "paused"    // the customer is paused, for Wait or until resumed
	ClaimUnsettled Verdict = "unsettled" // an interrupted write settles after Wait
	ClaimLocked    Verdict = "locked"    // another export with the same email is in progress
	ClaimWentBack  Verdict = "went_back" // Redis may have lost the record of a create, which settles after Wait
)

// Claim is an export held by one worker, with everything known about it.
type Claim struct {
	Ref
	Verdict Verdict
	// Wait is how long to wait before the next claim. For ClaimLocked and ClaimPaused it is 0 if
	// unknown.
	Wait time.Duration

	Batch     BatchID
	Row       int
	Candidate string
	EmailHash string
	State     State
	Payload   []byte
	Target    string // as passed to OpenBatch
	Options   string
	Trace     string // as passed to OpenBatch

	Intent     Intent // open when claimed; must be resolved before any write
	Person     int64  // recorded by an earlier attempt; 0 = none
	PersonMade bool   // this export created Person
	// PersonProven means this service recorded Person for this export. An unproven person is only a
	// hint: it was recorded by an earlier version or for the dead letter that this export replaces,
	// or it was written to Redis by someone else.
	PersonProven bool
	Attempts     int
	// Failing is the time since the first failed attempt, by the Redis clock; 0 if none failed.
	// Time spent waiting does not count.
	Failing  time.Duration
	Panics   int    // attempts that panicked
	Reason   Reason // of the last deferral
	Warnings string

	Marker      *Marker // of an earlier export of the candidate; nil = none
	KnownPerson int64   // person recently found for this email; 0 = none
	// KnownProven means this service recorded KnownPerson.
	KnownProven bool
	// KnownWorkflows are workflows this service recently created for KnownPerson, by job.
	KnownWorkflows map[int64]int64

	// Epoch is the epoch of the customer's keys. It increases when Redis lost writes or may have,
	// and everything cached before then is invalid.
	Epoch int64
	// JobState is the known state of the batch's job.
	JobState JobState

	// token is the fencing token. It increases with each claim of the export.
	token int64
	// wrongJob lists the candidate's dead letters whose job was missing.
	wrongJob []string
}

// WrongJob lists the candidate's dead letters whose job was missing. Finish settles them if the
// export gets a workflow.
func (c *Claim) WrongJob() []string { return c.wrongJob }

// Claim takes an export for one worker. Every verdict except ClaimOK means that there is nothing to
// do, or not yet. Errors come from Redis, except ErrSealed for a payload this keyset cannot open,
// and ErrForged for one that was accepted with another target or other options.
func (l *Ledger) Claim(ctx context.Context, ref Ref, o ClaimOptions) (*Claim, error) {
	if err := l.ensureHeartbeat(ctx, o, ref.Customer); err != nil {
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
	case ClaimHeld, ClaimPaused, ClaimUnsettled, ClaimLocked, ClaimWentBack:
		// The script returns a duration, not a time: clocks may differ.
		c.Wait = time.Duration(max(number(text(answer[1])), 0)) * time.Millisecond
		l.applyEpoch(c, answer[2])
	case ClaimEnded:
		c.State = State(text(answer[1]))
		l.applyEpoch(c, answer[2])
	case ClaimGone:
	default:
		return nil, fmt.Errorf("ledger: claim returned %q", c.Verdict)
	}
	return c, nil
}

// newRequest returns a request ID, so that scripts recognize a repeated request: go-redis repeats
// requests whose response was lost. It only needs to be unique among requests for one export.
func newRequest() string { return rand.Text()[:8] }

func (l *base) readClaim(c *Claim, answer []any) error {
	c.token = number(text(answer[1]))
	c.State = Claimed
	record := pairs(answer[2]) // before the claim
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
	l.applyEpoch(c, answer[8])
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

// applyEpoch applies what the claim reports about the customer's keys.
func (l *base) applyEpoch(c *Claim, reported any) {
	now := readEpoch(reported)
	l.seen.claimed(c.Customer, now)
	c.Epoch = now.epoch
}

// IncludesExported reports whether the batch includes previously exported candidates.
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
