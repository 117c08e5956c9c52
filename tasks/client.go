package tasks

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// Client accepts batches. It is safe for concurrent use.
type Client struct {
	redis       redis.UniversalClient
	ledger      *store.Ledger
	dummyDomain string
	chunk       int
	retention   time.Duration
	queues      *Queues
	tracer      trace.Tracer // nil: no traces
}

// ClientOption configures a Client.
type ClientOption func(*Client)

// WithDummyDomain sets the domain of dummy addresses.
func WithDummyDomain(domain string) ClientOption { return func(c *Client) { c.dummyDomain = domain } }

// WithChunk sets how many candidates are written to Redis in one round trip.
func WithChunk(n int) ClientOption { return func(c *Client) { c.chunk = max(1, n) } }

// WithTaskRetention sets how long asynq's web UI shows a completed task; 0 means not at all.
func WithTaskRetention(d time.Duration) ClientOption { return func(c *Client) { c.retention = d } }

// Defaults of a Client.
const (
	DefaultDummyDomain = "seekout.example.com"
	DefaultChunk       = 500
)

// NewClient returns a client that keeps its ledger and queues in the client's Redis.
func NewClient(client redis.UniversalClient, ledger *store.Ledger, options ...ClientOption) *Client {
	c := &Client{redis: client, ledger: ledger, dummyDomain: DefaultDummyDomain, chunk: DefaultChunk, retention: DefaultRetention}
	for _, o := range options {
		o(c)
	}
	c.queues = NewQueues(client, c.retention)
	return c
}

// Enqueue accepts a batch: each valid candidate gets a record in the ledger and a task, each
// invalid one a refusal in the receipt. The receipt counts what was accepted, also with an error;
// those exports run.
//
// Errors:
//
//   - *BatchError: the batch as a whole is invalid.
//   - *store.BatchConflictError: the idempotency key belongs to a batch with another target, other
//     options or other rows. Nothing was accepted.
//   - store.ErrBatchCancelled: the batch was canceled, maybe during the submission.
//   - store.ErrTooManyWaiting: the customer has too many waiting candidates.
//   - store.ErrMemoryReserved: Redis's memory is nearly full.
//   - *NothingAcceptedError: there was no valid row, so there is no batch. The receipt lists the
//     refusals.
//   - Errors of the input, such as *CutError and *TooManyRowsError, and of Redis.
//
// Submitting the batch again with the same idempotency key adds the rest, except after
// *TooManyRowsError.
func (c *Client) Enqueue(ctx context.Context, b input.Batch) (Receipt, error) {
	if err := b.Validate(); err != nil {
		return Receipt{}, err
	}
	if c.tracer != nil {
		return c.traced(ctx, b)
	}
	return c.enqueue(ctx, b, "")
}

// enqueue is Enqueue for a valid batch. parent is the parent span, or empty.
func (c *Client) enqueue(ctx context.Context, b input.Batch, parent string) (Receipt, error) {
	spec := store.BatchSpec{
		Customer: b.Customer, IdempotencyKey: b.IdempotencyKey, Job: b.Target.Job,
		GenerateDummyEmails: b.Options.GenerateDummyEmails, IncludePreviouslyExported: b.Options.IncludePreviouslyExported,
		Trace: parent,
	}
	if spec.IdempotencyKey == "" {
		spec.IdempotencyKey = crand.Text()
	}
	s := &submission{
		client: c, batch: b, spec: spec, id: store.BatchID(c.ledger.Keys().BatchID(spec.Customer, spec.IdempotencyKey)), dummyDomain: c.dummyDomain,
		seen: seenRows{}, warnings: map[input.Problem]int{},
		parent: parent,
	}
	var inputErr error
	err := s.chooseDomain(ctx)
	if err == nil {
		inputErr, err = s.read(ctx)
	}
	if err == nil {
		err = s.flush(ctx)
	}
	if writeErr := s.written(); err == nil {
		err = writeErr
	}
	if conflict, ok := errors.AsType[*store.BatchConflictError](err); ok {
		return Receipt{}, conflict
	}
	switch {
	case s.receipt.Batch != "":
	case err != nil:
		return s.receipt, err
	case inputErr != nil:
		return s.receipt, inputErr
	default:
		return s.receipt, &input.NothingAcceptedError{Refused: s.receipt.RefusedRows()}
	}
	id := s.receipt.Batch
	if err != nil {
		// A batch that is not closed never ends. A later submission with the same key reopens it.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		_ = c.ledger.Batches.CloseSending(closing, id, &s.refused, true)
		return s.receipt, fmt.Errorf("accept candidates: %w", err)
	}
	_, tooMany := errors.AsType[*input.TooManyRowsError](inputErr)
	if inputErr != nil {
		err = c.ledger.Batches.CloseSending(ctx, id, &s.refused, !tooMany)
	} else {
		err = c.ledger.Batches.CompleteSending(ctx, id, &s.refused, s.rows)
	}
	if conflict, ok := errors.AsType[*store.BatchConflictError](err); ok {
		return Receipt{}, conflict
	}
	if err != nil {
		return s.receipt, fmt.Errorf("close batch: %w", err)
	}
	return s.receipt, inputErr
}

// closeTime is the timeout for closing an interrupted batch.
const closeTime = 5 * time.Second

// submission is the state of one Enqueue.
type submission struct {
	client   *Client
	batch    input.Batch
	spec     store.BatchSpec
	id       store.BatchID // of the batch, which is opened with its first chunk
	receipt  Receipt
	row      int
	seen     seenRows
	refused  store.Refused         // the refusals to store; receipt.Refused may list fewer
	warnings map[input.Problem]int // index in receipt.Warnings
	pending  []store.NewExport
	rows     store.Rows // not written yet
	dummies  []int      // rows of pending candidates with dummy addresses
	flushed  bool
	size     store.QueueSize  // set once flushed
	writing  chan chunkResult // of the chunk being written; nil = none
	parent   string           // the batch's span; empty if there is none

	dummyDomain string
}

// chunkResult is the result of writing one chunk.
type chunkResult struct {
	accepted, again, dummies int
	err                      error
}

// chooseDomain prefers the customer's own domain for dummy addresses. It ignores a connection that
// this producer cannot open; workers report that.
func (s *submission) chooseDomain(ctx context.Context) error {
	if !s.batch.Options.GenerateDummyEmails {
		return nil
	}
	found, err := s.client.ledger.Connections.GetAll(ctx, s.batch.Customer)
	if own := found[s.batch.Customer].DummyDomain; own != "" {
		s.dummyDomain = own
	}
	return err
}

// read accepts candidates until the input ends. It separates errors of the input from those of
// Redis: candidates read before an input error are still accepted.
func (s *submission) read(ctx context.Context) (inputErr, err error) {
	return s.each(ctx, func(c input.Candidate) error {
		s.take(c)
		// Wait until the size of the batch, and so its queue, is known.
		if len(s.pending) < s.client.chunk || !s.flushed && len(s.pending) <= normalLimit {
			return nil
		}
		return s.flush(ctx)
	})
}

// each calls visit with the candidates of the input and refuses invalid rows. inputErr is why the
// input was not read to its end.
func (s *submission) each(ctx context.Context, visit func(input.Candidate) error) (inputErr, err error) {
	for candidate, err := range s.batch.Candidates {
		refused, bad := errors.AsType[*input.RowError](err)
		if err != nil && !bad {
			return fmt.Errorf("read candidates: %w", err), nil
		}
		if most := cmp.Or(max(s.batch.MaxRows, 0), input.DefaultMaxRows); s.row == most {
			beyond := &input.TooManyRowsError{Most: most, Line: candidate.Line()}
			if bad {
				beyond.Line = refused.Line
			}
			return beyond, nil
		}
		if s.row++; ctx.Err() != nil {
			return nil, fmt.Errorf("stopped after row %d: %w", s.row-1, context.Cause(ctx))
		}
		if !bad {
			s.note(digest(candidate))
		} else if !refused.Cut {
			s.note(refusedDigest(refused))
		}
		if bad {
			s.refuse(refused.Line, refused.Candidate, refused.Problems)
			if refused.Cut {
				return &input.CutError{Row: s.row, Line: refused.Line}, nil
			}
			continue
		}
		if err := visit(candidate); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// note adds the digest of a row.
func (s *submission) note(row []byte) {
	if s.id != "" { // a review does not compare rows
		s.rows.Digests = append(s.rows.Digests, s.client.ledger.Keys().RowDigest(s.id, row)...)
	}
}

func (s *submission) refuse(line int, candidate string, problems []input.Problem) {
	r := input.Refusal{Row: s.row, Line: line, Candidate: candidate, Problems: problems}
	s.refused.Add(refusedRow(r))
	if s.batch.ListAtMost > 0 && len(s.receipt.Refused) >= s.batch.ListAtMost {
		s.receipt.MoreRefused++
		return
	}
	s.receipt.Refused = append(s.receipt.Refused, r)
}

// take validates a candidate and adds it to the pending ones.
func (s *submission) take(c input.Candidate) {
	s.warn(c)
	problems := c.Validate(s.batch.Options)
	c = c.Cleaned()
	id := ""
	if c.ID != "" {
		id = s.client.ledger.Keys().ExportID(string(s.id), c.ID)
		if first, twice := s.seen.row(id); twice {
			problems = append(problems, input.Problem{
				Field: "id", Code: "id_duplicate",
				Message: fmt.Sprintf("is a duplicate ID (also in row %d)", first),
				Remedy:  "send each candidate once",
			})
		}
	}
	if len(problems) > 0 {
		s.refuse(c.Line(), input.OpaqueID(c.ID), problems)
		return
	}
	s.seen.add(id, s.row)
	p := Payload{Candidate: c}
	if c.Email == "" {
		p.Dummy = true
		p.Candidate.Email = input.DummyEmail(int32(rand.Uint32()), s.dummyDomain)
		s.dummies = append(s.dummies, s.row)
	}
	s.pending = append(s.pending, store.NewExport{
		Export: id, Candidate: c.ID,
		EmailHash: s.client.ledger.Keys().EmailHash(s.batch.Customer, p.Candidate.Email), Payload: p.Encode(),
		Row: s.row,
	})
}

func (s *submission) warn(c input.Candidate) {
	for _, w := range c.Warnings() {
		i, seen := s.warnings[w]
		if !seen && s.batch.ListAtMost > 0 && len(s.receipt.Warnings) >= s.batch.ListAtMost {
			s.receipt.MoreWarned++
			continue
		}
		if !seen {
			i = len(s.receipt.Warnings)
			s.warnings[w] = i
			s.receipt.Warnings = append(s.receipt.Warnings, input.RepeatedWarning{Problem: w, FirstLine: c.Line()})
		}
		s.receipt.Warnings[i].Rows++
	}
}

// flush writes the pending candidates, in chunks.
func (s *submission) flush(ctx context.Context) error {
	if !s.flushed {
		s.size, s.flushed = SizeOf(len(s.pending)), true
	}
	for len(s.pending) > 0 {
		if err := s.flushChunk(ctx, min(len(s.pending), s.client.chunk)); err != nil {
			return err
		}
	}
	return nil
}

// flushChunk starts writing the first n pending candidates once the previous chunk is written.
// Meanwhile the next ones are read and sealed, which takes about as long.
func (s *submission) flushChunk(ctx context.Context, n int) error {
	if err := s.written(); err != nil {
		return err
	}
	if s.batch.MayGoOn != nil {
		if err := s.batch.MayGoOn(ctx); err != nil {
			return err
		}
	}
	if s.receipt.Batch == "" {
		if err := s.open(ctx); err != nil {
			return err
		}
	}
	chunk, rows, result := s.pending[:n:n], s.rowsOf(n), chunkResult{}
	last := chunk[n-1].Row
	for len(s.dummies) > 0 && s.dummies[0] <= last {
		result.dummies, s.dummies = result.dummies+1, s.dummies[1:]
	}
	if s.pending = s.pending[n:]; len(s.pending) == 0 {
		s.pending = make([]store.NewExport, 0, n)
	}
	writing, write := make(chan chunkResult, 1), s.write
	s.writing = writing
	if s.parent != "" {
		write = s.tracedChunk
	}
	go func() {
		write(ctx, chunk, rows, &result)
		writing <- result
	}()
	return nil
}

// rowsOf removes the rows of the first n pending candidates from s.rows and returns them. With the
// last candidate, it also returns the refused rows after it.
func (s *submission) rowsOf(n int) store.Rows {
	size := len(s.rows.Digests)
	if n < len(s.pending) && size > 0 {
		size = (s.pending[n-1].Row - s.rows.Before) * store.RowDigestSize
	}
	rows := store.Rows{Before: s.rows.Before, Digests: s.rows.Digests[:size:size]}
	s.rows = store.Rows{Before: rows.Before + size/store.RowDigestSize, Digests: s.rows.Digests[size:]}
	return rows
}

// open opens the batch before its first chunk.
func (s *submission) open(ctx context.Context) error {
	id, known, err := s.client.ledger.Batches.Open(ctx, s.spec)
	if err != nil {
		return fmt.Errorf("open batch: %w", err)
	}
	s.receipt.Batch, s.receipt.Known = id, known
	return nil
}

// written waits for the chunk being written and counts it.
func (s *submission) written() error {
	if s.writing == nil {
		return nil
	}
	r := <-s.writing
	s.writing = nil
	s.receipt.Accepted += r.accepted
	s.receipt.Again += r.again
	s.receipt.Dummies += r.dummies
	return r.err
}

// write writes a chunk, to the ledger first: the sweep finds a record without a task, but a task
// without a record would do nothing.
func (s *submission) write(ctx context.Context, chunk []store.NewExport, rows store.Rows, r *chunkResult) {
	accepted, err := s.client.ledger.AcceptFor(ctx, s.spec, s.receipt.Batch, chunk, rows, s.size)
	if err != nil {
		r.dummies = 0
	}
	if len(accepted) == 0 {
		r.err = err
		return
	}
	// The exports of a large batch are linked to its trace, not part of it.
	trace := ""
	if s.size == store.ExpressQueue {
		trace = s.parent
	}
	candidates := make(map[string]string, len(chunk))
	for _, e := range chunk {
		candidates[e.Export] = e.Candidate
	}
	var fresh, again []Export
	for _, a := range accepted {
		e := Export{
			Ref: store.Ref{Customer: s.batch.Customer, Export: a.Export}, Batch: s.receipt.Batch, Row: a.Row + 1, Candidate: candidates[a.Export],
			Queue: a.Queue, Trace: trace,
		}
		r.accepted++
		switch {
		case a.New:
			fresh = append(fresh, e)
		case a.State == store.Queued:
			// Also enqueue exports of an earlier submission that have not started: it may have
			// failed before it enqueued them.
			again = append(again, e)
		}
		if !a.New {
			r.again++
		}
	}
	// Announce what was enqueued, even if the rest failed.
	r.err = errors.Join(s.client.queues.Enqueue(ctx, fresh...), s.client.queues.EnqueueMissing(ctx, again...), s.announce(ctx))
	if r.err == nil {
		r.err = err
	}
}

// announce notifies the workers of the customer's work, even if the caller's context has ended:
// accepted candidates stay accepted.
func (s *submission) announce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	return s.client.ledger.Lanes.Announce(ctx, s.batch.Customer)
}
