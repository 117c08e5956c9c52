package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var transferScript = loadScript("transfer")

// Transfer sends the candidates of dead exports to another job of their customer. Each
// gets an export of a new batch, to go on there with what is known of the person, and the
// dead one ends. The new exports have the options of the old ones: for each set of options
// there is a batch, opened when its first export comes. Make one with NewTransfer for each
// thing that somebody does.
type Transfer struct {
	Customer string
	Job      int64
	Who, Why string
	// batches are those that take exports in, by their options.
	batches map[string]BatchID
}

// NewTransfer sends candidates of a customer to a job.
func NewTransfer(customer string, job int64, who, why string) *Transfer {
	return &Transfer{Customer: customer, Job: job, Who: who, Why: why, batches: map[string]BatchID{}}
}

// Transferred is a dead letter that was sent to another job. The caller puts the task of
// the new export into the queue.
type Transferred struct {
	From  string // the export that was dead
	To    string // the one that takes its place
	Batch BatchID
}

// Transfer sends those of the exports to the job that are dead letters still, each in one
// script. It leaves as they are: those that are on their way to that job anyway, those of
// verifications, those of which a write may have taken effect that nobody knows of, those
// whose data this keyset cannot open, and of several of one candidate all but the first.
// With an error it returns those that were sent before.
func (l *Ledger) Transfer(ctx context.Context, tr *Transfer, exports []string) ([]Transferred, error) {
	letters, err := l.transferable(ctx, tr, exports)
	if err != nil {
		return nil, err
	}
	calls := make([]scriptCall, len(letters))
	sent := make([]Transferred, len(letters))
	for i, d := range letters {
		batch, known := tr.batches[d.options]
		if !known {
			batch = BatchID(l.keys.BatchID(tr.Customer, rand.Text()))
			tr.batches[d.options] = batch
		}
		sent[i] = Transferred{d.export, l.keys.ExportID(string(batch), d.candidate), batch}
		if calls[i], err = l.transferCall(tr, d, sent[i]); err != nil {
			return nil, err
		}
	}
	answers, err := l.pipelined(ctx, transferScript, calls)
	var done []Transferred
	for i, answer := range answers {
		if list, _ := answer.([]any); len(list) > 0 && text(list[0]) == "ok" {
			done = append(done, sent[i])
		}
	}
	return done, err
}

// transferable is a dead letter that can be sent to another job.
type transferable struct {
	export, token, candidate, options string
	payload                           []byte
	from                              BatchID
	job                               int64
}

func (l *Ledger) transferCall(tr *Transfer, d transferable, to Transferred) (scriptCall, error) {
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
	sealed, err := l.keys.Seal(d.payload, payloadPlace(fresh))
	if err != nil {
		return scriptCall{}, err
	}
	return scriptCall{recordKey(tr.Customer, d.export), []any{
		prefix(tr.Customer), d.export, d.token, to.Batch.local(), BatchSpec{Job: tr.Job}.target(), d.options, to.To, sealed,
		firstLook.Milliseconds(), int64(l.retention / time.Second), ended, begun,
	}}, nil
}

// transferable reads those of the exports that can be sent to the job.
func (l *Ledger) transferable(ctx context.Context, tr *Transfer, exports []string) ([]transferable, error) {
	records, payloads := make([]*redis.SliceCmd, len(exports)), make([]*redis.StringCmd, len(exports))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, export := range exports {
			// The record first: should the payload change afterwards, the token has.
			records[i] = p.HMGet(ctx, recordKey(tr.Customer, export), "st", "tk", "c", "b", "in")
			payloads[i] = p.Get(ctx, payloadKey(tr.Customer, export))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	batches := map[BatchID]*redis.SliceCmd{}
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, record := range records {
			id := BatchID(tr.Customer + "-" + text(record.Val()[3]))
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
		r := records[i].Val()
		from := BatchID(tr.Customer + "-" + text(r[3]))
		if State(text(r[0])) != Dead || r[4] != nil || batches[from] == nil {
			continue
		}
		b := batches[from].Val()
		if target := text(b[0]); target == "" || target == (BatchSpec{Job: tr.Job}).target() || b[2] != nil {
			continue
		}
		payload, err := l.keys.Open([]byte(payloads[i].Val()), payloadPlace(Ref{tr.Customer, export}))
		if errors.Is(err, ErrSealed) {
			continue
		}
		if err != nil {
			return nil, err
		}
		letters = append(letters, transferable{
			export: export, token: cmp.Or(text(r[1]), "0"), candidate: text(r[2]), options: text(b[1]), payload: payload, from: from, job: JobOf(text(b[0])),
		})
	}
	return letters, nil
}

// placeName is what a batch's target is called.
func placeName(job int64) string {
	if job == 0 {
		return "the prospects"
	}
	return "job " + idText(job)
}
