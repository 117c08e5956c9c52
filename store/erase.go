package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

var eraseScript = loadEssentialScript("erase")

// EraseOptions configure an erasure.
type EraseOptions struct {
	Who, Why string
	// Settle is how long an unconfirmed write may take to complete: the worker's
	// ICIMS_EXPORT_SETTLE_TIME or longer. It only matters for dead letters. 0: DefaultEraseSettle.
	Settle time.Duration
}

// DefaultEraseSettle is far longer than iCIMS needs to complete a write.
const DefaultEraseSettle = 15 * time.Minute

// emailStaysKnown is how long the person of an email, as a keyed hash, stays known after an
// erasure: until look-ups without a match have expired (five minutes at most) and iCIMS's search
// shows the person. Otherwise, another candidate with the same email could become a second profile.
const emailStaysKnown = 10 * time.Minute

// ErasureReceipt lists what was erased of a candidate. It names no candidate.
type ErasureReceipt struct {
	// Reference stands for the candidate. It is a keyed hash, the same for each erasure of the
	// candidate, so the erasure can be proven later.
	Reference string    `json:"reference"`
	Customer  string    `json:"customer"`
	At        time.Time `json:"at"`
	// Complete means nothing is left. Otherwise an export is in progress: erase again.
	Complete bool `json:"complete"`
	// Cancelled exports had not started or waited for a retry.
	Cancelled int `json:"cancelled"`
	// DeadLetters were discarded.
	DeadLetters int `json:"dead_letters"`
	// Ended exports stay in the batches' counts, without any candidate data.
	Ended int `json:"ended"`
	// RefusedRows named the candidate. They stay, without the ID.
	RefusedRows int `json:"refused_rows"`
	// Marker is set if the candidate had a success marker.
	Marker bool `json:"marker"`
	// People are the candidate's profiles in iCIMS. They are not deleted there.
	People []int64 `json:"people"`
	// InWork lists exports that a worker holds, or that have an unconfirmed write.
	InWork []ExportInWork `json:"in_work"`
	// Exports lists all exports of the candidate. The caller removes the tasks of unfinished ones.
	Exports []string `json:"-"`
}

// Nothing reports whether there was nothing to erase.
func (r ErasureReceipt) Nothing() bool {
	return r.Cancelled+r.DeadLetters+r.Ended+r.RefusedRows == 0 && !r.Marker
}

// With adds the result of a later erasure of the same candidate.
func (r ErasureReceipt) With(later ErasureReceipt) ErasureReceipt {
	later.Cancelled += r.Cancelled
	later.DeadLetters += r.DeadLetters
	later.Ended += r.Ended
	later.RefusedRows += r.RefusedRows
	later.Marker = later.Marker || r.Marker
	later.Exports = append(later.Exports, r.Exports...)
	people := append(append([]int64{}, r.People...), later.People...)
	slices.Sort(people)
	later.People = slices.Compact(people)
	return later
}

// ExportInWork is an export that cannot be erased yet.
type ExportInWork struct {
	Batch  BatchID `json:"batch"`
	Export string  `json:"export"`
	State  State   `json:"state"`
}

// CandidateReference returns the keyed hash that stands for a candidate in records that outlive an
// erasure.
func (l *Candidates) CandidateReference(customer, candidate string) string {
	return l.keys.hash("erased", customer, candidate)
}

func (l *base) emptyReceipt(customer, candidate string) ErasureReceipt {
	return ErasureReceipt{Reference: l.Candidates.CandidateReference(customer, candidate), Customer: customer, People: []int64{}, InWork: []ExportInWork{}}
}

// eraseRounds bounds how often Erase looks for new exports. They come from a transfer or another
// batch, so a second round is rarely needed.
const eraseRounds = 5

// Erase erases a candidate's data: payloads, timelines, marker, and the candidate ID everywhere.
// Exports that have not started are canceled, and dead letters are discarded. Finished ones keep
// their outcome without a name, because counts and idempotency keys depend on it.
//
// An export that may be in the middle of a write stays unchanged, together with the marker. The
// receipt is then incomplete, and Erase must be called again. The same applies if new exports keep
// arriving. Exports submitted afterwards are new ones. Erasing an unknown candidate is not an
// error. With an error, the receipt lists what was erased before it.
func (l *Candidates) Erase(ctx context.Context, customer, candidate string, o EraseOptions) (ErasureReceipt, error) {
	if o.Settle <= 0 {
		o.Settle = DefaultEraseSettle
	}
	receipt, err := l.eraseAll(ctx, customer, candidate, o.Settle)
	if err == nil {
		if receipt.RefusedRows, err = l.eraseRefused(ctx, customer, candidate); err != nil {
			receipt.Complete = false
		}
	}
	if receipt.Nothing() {
		return receipt, err
	}
	n := receipt.Cancelled + receipt.DeadLetters + receipt.Ended
	action := Action{At: receipt.At, Who: o.Who, What: "erased a candidate (reference " + receipt.Reference + ")", Why: o.Why, Count: n}
	if actErr := l.AuditLog.Act(context.WithoutCancel(ctx), customer, action); actErr != nil {
		err = errors.Join(err, fmt.Errorf("the candidate is erased, but recording it failed: %w", actErr))
	}
	return receipt, err
}

// eraseAll repeats until there is no unseen export left: a transferred dead letter continues as an
// export that was not listed.
func (l *base) eraseAll(ctx context.Context, customer, candidate string, settle time.Duration) (ErasureReceipt, error) {
	receipt := l.emptyReceipt(customer, candidate)
	exports, err := l.exportsOf(ctx, customer, candidate)
	if err != nil {
		return receipt, err
	}
	for round := 1; ; round++ {
		erased, err := l.eraseListed(ctx, customer, candidate, settle, exports)
		if err != nil {
			receipt.Complete = false
			return receipt, err
		}
		receipt = receipt.With(erased)
		listed, err := l.exportsOf(ctx, customer, candidate)
		if err != nil {
			receipt.Complete = false
			return receipt, err
		}
		fresh := unseen(listed, exports)
		if len(fresh) == 0 {
			return receipt, nil
		}
		if round == eraseRounds {
			receipt.Complete = false
			for _, e := range fresh {
				receipt.InWork = append(receipt.InWork, ExportInWork{e.batch, e.Export, e.State})
			}
			return receipt, nil
		}
		// Include the known exports: while one of them is in progress, the marker stays.
		exports = listed
	}
}

// unseen returns the exports that are neither erased nor known.
func unseen(listed, known []batchedOutcome) []batchedOutcome {
	ids := make(map[string]bool, len(known))
	for _, e := range known {
		ids[e.Export] = true
	}
	return slices.DeleteFunc(slices.Clone(listed), func(e batchedOutcome) bool { return e.Reason == ReasonErased || ids[e.Export] })
}

// eraseListed erases a candidate with the given exports in one script.
func (l *base) eraseListed(ctx context.Context, customer, candidate string, settle time.Duration, exports []batchedOutcome) (ErasureReceipt, error) {
	receipt := l.emptyReceipt(customer, candidate)
	bucket, _ := markerPlace(customer, candidate)
	args := make([]any, 0, 6+2*len(exports))
	args = append(args, prefix(customer), "", candidate, int64(l.retention/time.Second), settle.Milliseconds(), int64(emailStaysKnown/time.Second))
	batchOf := make(map[string]BatchID, len(exports))
	for _, e := range exports {
		args = append(args, e.batch.local(), e.Export)
		batchOf[e.Export] = e.batch
		receipt.Exports = append(receipt.Exports, e.Export)
	}
	answer, err := l.run(ctx, eraseScript, bucket, args...)
	if err != nil {
		return receipt, err
	}
	receipt.At = time.Now().UTC().Truncate(time.Second)
	count := func(i int) int { return int(number(text(answer[i]))) }
	receipt.Cancelled, receipt.DeadLetters, receipt.Ended, receipt.Marker = count(1), count(2), count(3), count(4) == 1
	for _, person := range list(answer[5]) {
		if id, err := strconv.ParseInt(text(person), 10, 64); err == nil && id > 0 {
			receipt.People = append(receipt.People, id)
		}
	}
	slices.Sort(receipt.People)
	for pair := range slices.Chunk(list(answer[6]), 2) {
		export := text(pair[0])
		receipt.InWork = append(receipt.InWork, ExportInWork{batchOf[export], export, State(text(pair[1]))})
	}
	receipt.Complete = len(receipt.InWork) == 0
	return receipt, nil
}
