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
// truth; the queue only decides when an export runs.
type Ledger struct {
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
	l := &Ledger{redis: client, keys: keys, retention: DefaultRetention, journalAge: DefaultAuditLogAge, maxWaiting: DefaultMaxWaiting, acceptMemory: DefaultAcceptMemory}
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
func (l *Ledger) IllegalMoves(ctx context.Context, customer string) (int64, error) {
	return l.counter(ctx, customer, "illegal")
}

// Live returns how many of the customer's exports are in progress.
func (l *Ledger) Live(ctx context.Context, customer string) (int64, error) {
	return l.counter(ctx, customer, "live")
}

func (l *Ledger) counter(ctx context.Context, customer, name string) (int64, error) {
	n, err := l.redis.HGet(ctx, countersKey(customer), name).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("ledger: read counter: %w", err)
	}
	return n, nil
}
