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

// Ledger is the record of every export: what was accepted, where it stands and
// how it ended. It is the truth; the queue only says when to look.
type Ledger struct {
	redis     redis.UniversalClient
	keys      *Keyset
	retention time.Duration
	simulated bool // see WithSimulatedClock
	quota     *quota.Store

	seen seen

	journalAge   time.Duration
	nobodyOnce   sync.Once
	nobodySealed string // see nobody
	apiKeys      seenAPIKeyList
	connections  seenConnections

	maxWaiting   int
	acceptMemory int // percent
	memory       memoryLook

	publishFails   atomic.Bool
	onPublishError func(error) // see OnPublishError
}

// Option changes a setting of a Ledger.
type Option func(*Ledger)

// DefaultRetention is how long the outcomes of a finished batch are kept, and
// with them the memory of its idempotency key. Markers stay for good.
const DefaultRetention = 30 * 24 * time.Hour

// WithRetention sets how long outcomes of finished batches are kept.
func WithRetention(d time.Duration) Option { return func(l *Ledger) { l.retention = d } }

// DefaultJournalAge is how long it is known who changed what.
const DefaultJournalAge = 400 * 24 * time.Hour

// WithJournalAge sets how long entries of the journal are kept.
func WithJournalAge(d time.Duration) Option { return func(l *Ledger) { l.journalAge = d } }

// OnPublishError sets what is done with the first of several messages to the workers
// that cannot be sent, such as logging it. Nothing else comes of it.
func OnPublishError(report func(error)) Option { return func(l *Ledger) { l.onPublishError = report } }

// NewLedger returns the ledger kept in the Redis that the client speaks to.
func NewLedger(client redis.UniversalClient, keys *Keyset, options ...Option) *Ledger {
	l := &Ledger{redis: client, keys: keys, retention: DefaultRetention, journalAge: DefaultJournalAge, maxWaiting: DefaultMaxWaiting, acceptMemory: DefaultAcceptMemory}
	l.seen.beating = make(chan struct{}, 1)
	l.seen.beating <- struct{}{}
	for _, o := range options {
		o(l)
	}
	l.quota = quota.New(client)
	if l.simulated {
		l.quota = quota.NewSimulated(client)
	}
	return l
}

// Quota returns the limits of the customers' accounts, which are kept in the same Redis.
func (l *Ledger) Quota() *quota.Store { return l.quota }

// Keys returns the keyset that the ledger seals with.
func (l *Ledger) Keys() *Keyset { return l.keys }

// Errors that a move of an export may meet. All three mean: stop working on it.
var (
	// ErrStale: another worker has claimed the export since.
	ErrStale = errors.New("ledger: the claim is stale, another worker holds the export")
	// ErrGone: the export has ended and its record is purged.
	ErrGone = errors.New("ledger: the export has ended")
	// ErrIllegalMove: the state machine has no such move. It is counted, since it
	// shows a bug.
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

// Ref names one export. It is all that the queue knows of it.
type Ref struct {
	Customer string
	Export   string
}

// payloadPlace binds a sealed payload to its export.
func payloadPlace(ref Ref) string { return payloadKey(ref.Customer, ref.Export) }

// IllegalMoves returns how often a customer's export was asked to make a move
// that the state machine lacks.
func (l *Ledger) IllegalMoves(ctx context.Context, customer string) (int64, error) {
	return l.counter(ctx, customer, "illegal")
}

// Live returns how many exports of the customer are still moving.
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
