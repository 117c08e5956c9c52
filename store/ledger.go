package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/quota"
)

// Ledger records every export: its acceptance, its state and its outcome. It is the source of
// truth; the queue only decides when an export runs. Its fields give access to the other data in
// the same Redis.
type Ledger struct{ *base }

// The parts of the store. All share the connection to Redis and the keyset.
type (
	// Batches reads and closes batches.
	Batches struct{ *base }
	// DeadLetters lists failed exports, retries and discards them.
	DeadLetters struct{ *base }
	// Candidates is what is known of candidates over all batches: exports, success markers, samples
	// of what was sent.
	Candidates struct{ *base }
	// Recovery finds exports that something must happen to, for the sweep.
	Recovery struct{ *base }
	// Lanes records which customers want a lane, and pauses.
	Lanes struct{ *base }
	// Workers records the heartbeats of worker processes and losses of Redis.
	Workers struct{ *base }
	// Control records control tasks: verifications, job lists, read-backs.
	Control struct{ *base }
	// Connections keeps the customers' connections and tenant profiles.
	Connections struct{ *base }
	// JobLists keeps the customers' job lists.
	JobLists struct{ *base }
	// Access keeps API keys and console sessions.
	Access struct{ *base }
	// AuditLog keeps what administrators changed, and the recent activity of each customer.
	AuditLog struct{ *base }
	// Checks checks the records, the keyset and Redis itself.
	Checks struct{ *base }
)

// base is what the parts share.
type base struct {
	Batches     *Batches
	DeadLetters *DeadLetters
	Candidates  *Candidates
	Recovery    *Recovery
	Lanes       *Lanes
	Workers     *Workers
	Control     *Control
	Connections *Connections
	JobLists    *JobLists
	Access      *Access
	AuditLog    *AuditLog
	Checks      *Checks

	redis     redis.UniversalClient
	keys      *Keyset
	retention time.Duration
	simulated bool // see WithSimulatedClock
	quota     *quota.Store

	seen seen

	journalAge        time.Duration
	placeholderOnce   sync.Once
	placeholderSealed string // cache of placeholderKey
	apiKeys           seenAPIKeyList
	connections       seenConnections

	maxWaiting   int
	acceptMemory int // percent
	memory       memoryReading

	publishFails   atomic.Bool
	onPublishError func(error) // see OnPublishError
}

// Option configures a Ledger.
type Option func(*Ledger)

// DefaultRetention is how long the outcomes of a finished batch and its idempotency key are kept.
// Markers never expire.
const DefaultRetention = 30 * 24 * time.Hour

// WithRetention sets how long outcomes of finished batches are kept.
func WithRetention(d time.Duration) Option { return func(l *Ledger) { l.retention = d } }

// DefaultAuditLogAge is how long audit log entries are kept.
const DefaultAuditLogAge = 400 * 24 * time.Hour

// WithJournalAge sets how long audit log entries are kept.
func WithJournalAge(d time.Duration) Option { return func(l *Ledger) { l.journalAge = d } }

// OnPublishError sets a function that is called, for example to log it, with the first of
// consecutive errors from sending messages to workers.
func OnPublishError(report func(error)) Option { return func(l *Ledger) { l.onPublishError = report } }

// NewLedger returns a ledger stored in the client's Redis.
func NewLedger(client redis.UniversalClient, keys *Keyset, options ...Option) *Ledger {
	b := &base{redis: client, keys: keys, retention: DefaultRetention, journalAge: DefaultAuditLogAge, maxWaiting: DefaultMaxWaiting, acceptMemory: DefaultAcceptMemory}
	b.Batches, b.DeadLetters, b.Candidates, b.Recovery = &Batches{b}, &DeadLetters{b}, &Candidates{b}, &Recovery{b}
	b.Lanes, b.Workers, b.Control, b.Connections = &Lanes{b}, &Workers{b}, &Control{b}, &Connections{b}
	b.JobLists, b.Access, b.AuditLog, b.Checks = &JobLists{b}, &Access{b}, &AuditLog{b}, &Checks{b}
	l := &Ledger{b}
	l.seen.heartbeatToken = make(chan struct{}, 1)
	l.seen.heartbeatToken <- struct{}{}
	for _, o := range options {
		o(l)
	}
	l.quota = quota.New(client)
	if l.simulated {
		l.quota = quota.NewSimulated(client)
	}
	return l
}

// Quota returns the customers' limits, stored in the same Redis.
func (l *Ledger) Quota() *quota.Store { return l.quota }

// Keys returns the keyset the ledger seals with.
func (l *Ledger) Keys() *Keyset { return l.keys }

// Errors of transitions. All three mean: stop working on the export.
var (
	// ErrStale means another worker has claimed the export since.
	ErrStale = errors.New("ledger: the claim is stale, another worker holds the export")
	// ErrGone means the export has ended and its record is purged.
	ErrGone = errors.New("ledger: the export has ended")
	// ErrIllegalMove means the state machine does not allow the transition. It is counted, since it
	// indicates a bug.
	ErrIllegalMove = errors.New("ledger: illegal move")
)

func moveError(answer []any, to State) error {
	switch text(answer[0]) {
	case "ok":
		return nil
	case "stale":
		return ErrStale
	case "gone":
		return ErrGone
	case "went_back":
		return ErrWentBack
	case "illegal":
		return fmt.Errorf("%w from %s to %s", ErrIllegalMove, text(answer[1]), to)
	default:
		return fmt.Errorf("ledger: unexpected answer %q", text(answer[0]))
	}
}

// Ref identifies an export. Tasks contain nothing else.
type Ref struct {
	Customer string
	Export   string
}

// payloadPlace binds a sealed payload to its export.
func payloadPlace(ref Ref) string { return payloadKey(ref.Customer, ref.Export) }

// IllegalMoves returns how often an illegal transition was requested for a customer's exports.
func (l *Recovery) IllegalMoves(ctx context.Context, customer string) (int64, error) {
	return l.counter(ctx, customer, "illegal")
}

// Live returns how many of the customer's exports are in progress.
func (l *Recovery) Live(ctx context.Context, customer string) (int64, error) {
	return l.counter(ctx, customer, "live")
}

func (l *base) counter(ctx context.Context, customer, name string) (int64, error) {
	n, err := l.redis.HGet(ctx, countersKey(customer), name).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("ledger: read counter: %w", err)
	}
	return n, nil
}
