package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// DefaultMaxWaiting is how many waiting candidates a customer may have.
const DefaultMaxWaiting = 200_000

// WithMaxWaiting sets how many waiting candidates a customer may have, including dead letters,
// which keep their data. 0 means no limit.
func WithMaxWaiting(n int) Option { return func(l *Ledger) { l.maxWaiting = n } }

// TooManyWaitingError means the customer's limit of waiting candidates is reached. The candidates
// before that are accepted.
type TooManyWaitingError struct {
	Customer string
	Most     int
}

func (e *TooManyWaitingError) Error() string {
	return fmt.Sprintf("customer %s has reached its limit of %d waiting candidates, dead letters included", e.Customer, e.Most)
}

// Is reports whether target is ErrTooManyWaiting.
func (e *TooManyWaitingError) Is(target error) bool { return target == ErrTooManyWaiting }

// Errors that mean there is no room for candidates.
var (
	ErrTooManyWaiting = errors.New("the customer has reached its limit of waiting candidates")
	ErrMemoryReserved = errors.New("Redis's memory is nearly full, so no candidates are accepted") //nolint:staticcheck // a name
)

// DefaultAcceptMemory is the share of Redis's memory (percent of maxmemory) up to which candidates
// are accepted.
const DefaultAcceptMemory = 85

// WithAcceptMemory sets the share of Redis's memory (percent of maxmemory) up to which candidates
// are accepted. The rest is reserved for exports in progress and for operators. 100 reserves
// nothing.
func WithAcceptMemory(percent int) Option { return func(l *Ledger) { l.acceptMemory = percent } }

// MemoryReservedError means Redis's memory is nearly full.
type MemoryReservedError struct {
	Used, Max int64 // bytes
	Percent   int   // limit for accepting candidates, of Max
}

func (e *MemoryReservedError) Error() string {
	return fmt.Sprintf("Redis uses %d%% of its memory; above %d%% no candidates are accepted, so that exports and operators can continue", 100*e.Used/e.Max, e.Percent)
}

// Is reports whether target is ErrMemoryReserved.
func (e *MemoryReservedError) Is(target error) bool { return target == ErrMemoryReserved }

// memoryReadingFor is how long a reading of Redis's memory is valid.
const memoryReadingFor = time.Second

// memoryReading is the last reading of Redis's memory.
type memoryReading struct {
	mu        sync.Mutex
	at        time.Time
	used, max int64
}

// checkMemory returns a MemoryReservedError if only the reserve is left. It returns nil if Redis
// does not report its memory or has no limit.
func (l *base) checkMemory(ctx context.Context) error {
	const all = 100
	if l.acceptMemory <= 0 || l.acceptMemory >= all {
		return nil
	}
	m := &l.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.at) >= memoryReadingFor {
		m.used, m.max = memoryOf(ctx, l.redis)
		m.at = now
	}
	if m.max > 0 && m.used*all >= m.max*int64(l.acceptMemory) {
		return &MemoryReservedError{m.used, m.max, l.acceptMemory}
	}
	return nil
}

// memoryOf reads Redis's memory usage and limit; on a cluster, those of the fullest master.
func memoryOf(ctx context.Context, client redis.UniversalClient) (used, most int64) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return memoryOfOne(ctx, client)
	}
	var mu sync.Mutex
	// Ignore a master that does not answer: it rejects candidates by itself.
	_ = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		u, m := memoryOfOne(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		if m > 0 && (most == 0 || float64(u)/float64(m) > float64(used)/float64(most)) {
			used, most = u, m
		}
		return nil
	})
	return used, most
}

func memoryOfOne(ctx context.Context, client redis.Cmdable) (used, most int64) {
	info := infoOf(ctx, client, "memory")
	used, _ = strconv.ParseInt(info["used_memory"], 10, 64)
	most, _ = strconv.ParseInt(info["maxmemory"], 10, 64)
	return used, most
}
