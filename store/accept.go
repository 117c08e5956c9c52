package store

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// NewExport is one candidate to accept into the ledger.
type NewExport struct {
	Export    string // from Keyset.ExportID
	Candidate string
	EmailHash string // from Keyset.EmailHash; empty if the candidate has no address
	Payload   []byte // plaintext; sealed before it leaves the process
	Row       int    // 1-based row of the input; 0 for none
}

// Accepted is the result of accepting one NewExport.
type Accepted struct {
	Export string
	// New is false for an export that an earlier submission of the batch created.
	New bool
	// State is the export's current state; Queued for a new one.
	State State
	// Row (0-based) and Queue belong to the export's task. Set only while it is Queued.
	Row   int
	Queue QueueSize
}

// QueueSize selects one of a customer's queues by the size of the batch.
type QueueSize string

// The queue sizes.
const (
	ExpressQueue QueueSize = "express"
	NormalQueue  QueueSize = ""
	LargeQueue   QueueSize = "large"
)

// firstLook is when the sweep first looks for an export's task. By then the producer has enqueued
// it.
const firstLook = 30 * time.Second

// AcceptFor accepts exports into a batch in one script and seals their payloads for the batch's
// target and options. The batch must have been opened with spec. Existing exports, in progress or
// finished, stay unchanged. The tasks go to the customer's queue of the given size.
//
// If the batch was canceled, AcceptFor returns the existing exports, and ErrBatchCancelled if there
// were new ones. If the customer has too many waiting candidates, it returns those accepted and
// ErrTooManyWaiting. rows describes the input rows of the exports: if an earlier submission sent
// different rows, AcceptFor accepts nothing and returns a BatchConflictError. Rows without digests
// are not compared.
func (l *Ledger) AcceptFor(ctx context.Context, spec BatchSpec, batch BatchID, exports []NewExport, rows Rows, size QueueSize) ([]Accepted, error) {
	if len(exports) == 0 {
		return nil, nil
	}
	customer, to := batch.Customer(), spec.destination()
	if err := l.checkMemory(ctx); err != nil {
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
