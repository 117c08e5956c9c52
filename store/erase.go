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

// EraseOptions set how a candidate is erased.
type EraseOptions struct {
	Who, Why string
	// Settle is how long after it was begun a write may still take effect that nobody
	// knows the outcome of: those of the worker (ICIMS_EXPORT_SETTLE_TIME) or longer.
	// It matters for dead letters alone. 0: DefaultEraseSettle.
	Settle time.Duration
}

// DefaultEraseSettle is far beyond the time in which iCIMS completes a write.
const DefaultEraseSettle = 15 * time.Minute

// emailStaysKnown is for how long it stays known whose e-mail it is, by a keyed hash:
// until look-ups have been used up that found nobody (five minutes at most), and
// iCIMS's search shows the person. Else another candidate with the same e-mail could
// become a second profile.
const emailStaysKnown = 10 * time.Minute

// ErasureReceipt tells what of a candidate was erased. It names no candidate.
type ErasureReceipt struct {
	// Reference stands for the candidate: a keyed hash, the same for each erasure of
	// the candidate, by which the erasure can be shown later.
	Reference string    `json:"reference"`
	Customer  string    `json:"customer"`
	At        time.Time `json:"at"`
	// Complete says that nothing is left. If not, an export is in work: erase again.
	Complete bool `json:"complete"`
	// Cancelled exports had not begun or waited for another try.
	Cancelled int `json:"cancelled"`
	// DeadLetters were given up for good.
	DeadLetters int `json:"dead_letters"`
	// Ended exports keep their places in the batches' counts, and nothing else.
	Ended int `json:"ended"`
	// RefusedRows named the candidate. They stay, without the ID.
	RefusedRows int `json:"refused_rows"`
	// Marker says that it was known that the candidate is exported.
	Marker bool `json:"marker"`
	// People are the candidate's profiles in iCIMS, where they stay.
	People []int64 `json:"people"`
	// InWork are exports that a worker has in hand, or of which it is not known yet
	// whether a write took effect.
	InWork []ExportInWork `json:"in_work"`
	// Exports are all of the candidate's. The caller removes the tasks of those that had not
	// ended.
	Exports []string `json:"-"`
}

// Nothing reports whether there was nothing to erase.
func (r ErasureReceipt) Nothing() bool {
	return r.Cancelled+r.DeadLetters+r.Ended+r.RefusedRows == 0 && !r.Marker
}

// With adds what a later erasure of the same candidate has done.
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

// CandidateReference stands for a candidate where the id must not: in what outlasts an
// erasure.
func (l *Ledger) CandidateReference(customer, candidate string) string {
	return l.keys.hash("erased", customer, candidate)
}

func (l *Ledger) emptyReceipt(customer, candidate string) ErasureReceipt {
	return ErasureReceipt{Reference: l.CandidateReference(customer, candidate), Customer: customer, People: []int64{}, InWork: []ExportInWork{}}
}

// eraseRounds bounds how often it is looked for exports that came meanwhile. One comes by
// a transfer or another batch, so that a second one hardly ever does.
const eraseRounds = 5

// Erase erases what is kept of a candidate: data, stories, marker, and the candidate's
// id wherever it is. Exports that have not begun are cancelled, dead letters given up;
// ended ones keep their outcome without a name, since counts and idempotency keys rest
// on it. An export that may be in the middle of a write is left as it is, together with
// the marker: the receipt is incomplete then, and Erase is to be called again. So it is
// where exports keep coming while it is erased. Exports that are handed over afterwards
// are new ones. Erasing what is unknown is no error. With an error the receipt tells what
// was erased before.
func (l *Ledger) Erase(ctx context.Context, customer, candidate string, o EraseOptions) (ErasureReceipt, error) {
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
	told := Action{At: receipt.At, Who: o.Who, What: "erased a candidate (reference " + receipt.Reference + ")", Why: o.Why, Count: n}
	if untold := l.Act(context.WithoutCancel(ctx), customer, told); untold != nil {
		err = errors.Join(err, fmt.Errorf("the candidate is erased, but recording it failed: %w", untold))
	}
	return receipt, err
}

// eraseAll erases until no export is left that it has not seen: a dead letter that is sent
// to another job goes on as an export that was not listed.
func (l *Ledger) eraseAll(ctx context.Context, customer, candidate string, settle time.Duration) (ErasureReceipt, error) {
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
		// With those it knew: as long as one of them is in work, the marker stays.
		exports = listed
	}
}

// unseen are those of the exports that are neither erased nor among the known ones.
func unseen(listed, known []batchedOutcome) []batchedOutcome {
	ids := make(map[string]bool, len(known))
	for _, e := range known {
		ids[e.Export] = true
	}
	return slices.DeleteFunc(slices.Clone(listed), func(e batchedOutcome) bool { return e.Reason == ReasonErased || ids[e.Export] })
}

// eraseListed erases in one script what is kept of a candidate that has these exports.
func (l *Ledger) eraseListed(ctx context.Context, customer, candidate string, settle time.Duration, exports []batchedOutcome) (ErasureReceipt, error) {
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
