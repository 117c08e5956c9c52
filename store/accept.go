package store

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// NewExport is one candidate to be taken into the ledger.
type NewExport struct {
	Export    string // from Keyset.ExportID
	Candidate string
	EmailHash string // from Keyset.EmailHash; empty only for no address at all
	Payload   []byte // in clear; sealed before it leaves the process
	Row       int    // of the input, from 1; 0: there is none
}

// Accepted tells what became of one NewExport.
type Accepted struct {
	Export string
	// New is false for an export that an earlier sending of the batch brought.
	New bool
	// State is where that earlier one stands; Queued for a new one.
	State State
	// Row, counted from 0, and Queue are those of its task, where it is Queued.
	Row   int
	Queue QueueSize
}

// QueueSize says to which of its customer's queues an export's task goes, by the size of
// its batch.
type QueueSize string

// The sizes of queues.
const (
	ExpressQueue QueueSize = "express"
	NormalQueue  QueueSize = ""
	LargeQueue   QueueSize = "large"
)

// firstLook is when the sweep first looks for the task of an export: late
// enough for its producer to have enqueued it.
const firstLook = 30 * time.Second

// AcceptFor takes exports of a batch that was opened by the spec into the ledger, all in
// one script, and seals them for its target and options. An export that is already
// there, moving or ended, is left as it is. Where the batch was cancelled it returns
// those that are there already, and ErrBatchCancelled if there were others; where the
// customer has too many candidates waiting, those that had room, and ErrTooManyWaiting. Their
// tasks go to the customer's queue of that size. rows are those of the input that the exports came in: where an earlier sending
// brought others nothing is accepted, and it returns a BatchConflictError. Rows without
// digests are not compared.
func (l *Ledger) AcceptFor(ctx context.Context, spec BatchSpec, batch BatchID, exports []NewExport, rows Rows, size QueueSize) ([]Accepted, error) {
	if len(exports) == 0 {
		return nil, nil
	}
	customer, to := batch.Customer(), spec.destination()
	if err := l.memoryForMore(ctx); err != nil {
		return nil, err
	}
	args := make([]any, 0, 9+5*len(exports))
	args = append(args, prefix(customer), "", batch.local(), firstLook.Milliseconds(), string(size), l.keys.idBytes(), l.maxWaiting, rows.Before, rows.Digests)
	for _, e := range exports {
		sealed, err := l.sealPayload(e.Payload, Ref{customer, e.Export}, to)
		if err != nil {
			return nil, err
		}
		args = append(args, e.Export, e.Candidate, e.EmailHash, sealed, e.Row)
	}
	answers, err := l.run(ctx, acceptScript, batchKey(batch), args...)
	if err != nil {
		return nil, err
	}
	if err := differs(batch, answers); err != nil {
		return nil, err
	}
	if len(answers) != len(exports) {
		return nil, fmt.Errorf("ledger: accept returned %d of %d exports", len(answers), len(exports))
	}
	accepted := make([]Accepted, 0, len(exports))
	for i, e := range exports {
		answer, rest, _ := strings.Cut(text(answers[i]), "|")
		row, queue, _ := strings.Cut(rest, "|")
		a := Accepted{Export: e.Export, State: State(answer), Row: int(number(row)), Queue: QueueSize(queue)}
		switch answer {
		case "stopped":
			err = ErrBatchCancelled
			continue
		case "full":
			err = &TooManyWaitingError{customer, l.maxWaiting}
			continue
		case "new":
			a.New, a.State, a.Queue = true, Queued, size
		}
		accepted = append(accepted, a)
	}
	return accepted, err
}
