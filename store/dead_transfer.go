package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

var transferScript = loadEssentialScript("transfer")

// Transfer moves the candidates of dead exports to another job of their customer. Each gets an
// export in a new batch, which continues with the person found so far, and the dead export ends.
// The new exports keep their options: there is one batch per set of options, opened when first
// needed. Use one Transfer, made by NewTransfer, per operator action.
type Transfer struct {
	Customer string
	Job      int64
	Who, Why string
	// batches maps options to the batch that receives the exports.
	batches map[string]BatchID
	// sent holds the candidates this Transfer has moved.
	sent map[string]bool
}

// NewTransfer moves candidates of a customer to a job.
func NewTransfer(customer string, job int64, who, why string) *Transfer {
	return &Transfer{Customer: customer, Job: job, Who: who, Why: why, batches: map[string]BatchID{}, sent: map[string]bool{}}
}

// Transferred is a dead letter that was moved to another job. The caller enqueues the task of the
// new export.
type Transferred struct {
	From  string // the dead export
	To    string // its replacement
	Batch BatchID
}

// Transfer moves those of the exports to the job that are still dead letters, each in one script,
// and at most `most` (0 for all). It skips:
//
// - exports that already go to that job
// - exports of verifications
// - exports with an unconfirmed write
// - exports whose data this keyset cannot open
// - candidates that this Transfer already moved, whatever the options.
//
// It returns the moved exports, also with an error, and how many of the given exports it processed.
// It processes them in order: all, unless it reached `most`.
func (l *DeadLetters) Transfer(ctx context.Context, tr *Transfer, exports []string, most int) ([]Transferred, int, error) {
	letters, err := l.transferable(ctx, tr, exports)
	if err != nil {
		return nil, 0, err
	}
	through := len(exports)
	if most > 0 && len(letters) > most {
		letters = letters[:most]
		through = letters[most-1].place + 1
	}
	var done []Transferred
	for len(letters) > 0 {
		now, later := firstOfEach(letters)
		sent, err := l.transferEach(ctx, tr, now)
		done = append(done, sent...)
		if err != nil {
			return done, through, err
		}
		letters = slices.DeleteFunc(later, func(d transferable) bool { return tr.sent[d.candidate] })
	}
	return done, through, nil
}

// firstOfEach separates the first letter of each candidate from the others.
func firstOfEach(letters []transferable) (first, others []transferable) {
	met := make(map[string]bool, len(letters))
	for _, d := range letters {
		if met[d.candidate] {
			others = append(others, d)
			continue
		}
		met[d.candidate] = true
		first = append(first, d)
	}
	return first, others
}

// transferEach moves letters of different candidates.
func (l *base) transferEach(ctx context.Context, tr *Transfer, letters []transferable) ([]Transferred, error) {
	calls := make([]scriptCall, len(letters))
	sent := make([]Transferred, len(letters))
	for i, d := range letters {
		batch, known := tr.batches[d.options]
		if !known {
			batch = BatchID(l.keys.BatchID(tr.Customer, rand.Text()))
			tr.batches[d.options] = batch
		}
		sent[i] = Transferred{d.export, l.keys.ExportID(string(batch), d.candidate), batch}
		var err error
		if calls[i], err = l.transferCall(tr, d, sent[i]); err != nil {
			return nil, err
		}
	}
	answers, err := l.pipelined(ctx, transferScript, calls)
	var done []Transferred
	for i, answer := range answers {
		if list, _ := answer.([]any); len(list) > 0 && text(list[0]) == "ok" {
			tr.sent[letters[i].candidate] = true
			done = append(done, sent[i])
		}
	}
	return done, err
}

// transferable is a dead letter that can be moved to another job.
type transferable struct {
	place                             int // index among the requested exports
	export, token, candidate, options string
	payload                           []byte
	from                              BatchID
	job                               int64
}

func (l *base) transferCall(tr *Transfer, d transferable, to Transferred) (scriptCall, error) {
	old, fresh := Ref{tr.Customer, d.export}, Ref{tr.Customer, to.To}
	entry := Entry{At: time.Now(), What: "transferred", Who: tr.Who, Why: tr.Why}
	entry.Findings = []string{fmt.Sprintf("It goes on in batch %s, to %s", to.Batch, placeName(tr.Job))}
	ended, err := l.sealEntry(old, &entry)
	if err != nil {
		return scriptCall{}, err
	}
	entry.Findings = []string{fmt.Sprintf("It was a dead letter of batch %s, to %s", d.from, placeName(d.job))}
	begun, err := l.sealEntry(fresh, &entry)
	if err != nil {
		return scriptCall{}, err
	}
	sealed, err := l.sealPayload(d.payload, fresh, destination{BatchSpec{Job: tr.Job}.target(), d.options})
	if err != nil {
		return scriptCall{}, err
	}
	return scriptCall{recordKey(tr.Customer, d.export), []any{
		prefix(tr.Customer), d.export, d.token, to.Batch.local(), BatchSpec{Job: tr.Job}.target(), d.options, to.To, sealed,
		firstLook.Milliseconds(), int64(l.retention / time.Second), ended, begun,
	}}, nil
}

// transferable reads those of the exports that can be moved to the job.
func (l *base) transferable(ctx context.Context, tr *Transfer, exports []string) ([]transferable, error) {
	records, payloads, err := l.readDead(ctx, tr.Customer, exports)
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	batches := map[BatchID]*redis.SliceCmd{}
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, r := range records {
			id := BatchID(tr.Customer + "-" + text(r[3]))
			if batches[id] == nil && id.local() != "" {
				batches[id] = p.HMGet(ctx, batchKey(id), "t", "o", "test")
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	var letters []transferable
	for i, export := range exports {
		r := records[i]
		from, candidate := BatchID(tr.Customer+"-"+text(r[3])), text(r[2])
		if State(text(r[0])) != Dead || r[4] != nil || batches[from] == nil || tr.sent[candidate] {
			continue
		}
		b := batches[from].Val()
		if target := text(b[0]); target == "" || target == (BatchSpec{Job: tr.Job}).target() || b[2] != nil {
			continue
		}
		payload, err := l.openPayload([]byte(payloads[i]), Ref{tr.Customer, export}, destination{text(b[0]), text(b[1])})
		if errors.Is(err, ErrSealed) {
			continue
		}
		if err != nil {
			return nil, err
		}
		letters = append(letters, transferable{
			place: i, export: export, token: cmp.Or(text(r[1]), "0"), candidate: candidate, options: text(b[1]), payload: payload, from: from, job: JobOf(text(b[0])),
		})
	}
	return letters, nil
}

// readDead reads state, token, candidate, batch and intent of exports, and their payloads.
func (l *base) readDead(ctx context.Context, customer string, exports []string) (records [][]any, payloads []string, err error) {
	asked, sealed := make([]*redis.SliceCmd, len(exports)), make([]*redis.StringCmd, len(exports))
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, export := range exports {
			// Read the record first: if the payload changes afterwards, the token has changed too.
			asked[i] = p.HMGet(ctx, recordKey(customer, export), "st", "tk", "c", "b", "in")
			sealed[i] = p.Get(ctx, payloadKey(customer, export))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, nil, err
	}
	records, payloads = make([][]any, len(exports)), make([]string, len(exports))
	for i := range exports {
		// The pipeline's error is the first one: a missing payload hides a connection that broke
		// after it.
		if records[i], err = asked[i].Result(); err != nil {
			return nil, nil, err
		}
		if payloads[i], err = sealed[i].Result(); err != nil && !errors.Is(err, redis.Nil) {
			return nil, nil, err
		}
	}
	return records, payloads, nil
}

// placeName describes the target of a batch.
func placeName(job int64) string {
	if job == 0 {
		return "the prospects"
	}
	return "job " + idText(job)
}
