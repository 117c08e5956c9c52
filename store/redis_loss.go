package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Redis that is restored from a copy, fails over to a lagging replica, or is emptied loses
// acknowledged writes: people created in iCIMS, and intents. Workers detect this in two ways
// (docs/adr/0021-redis-goes-back.md):
//
//   - Every claim compares the server's identity (run_id of INFO) and the number of claims with the
//     customer's counters, and with what this process has seen.
//   - Every heartbeat of a worker writes a number and expects to find it at the next one.
//
// In both cases nothing is created for the settle time, and earlier look-ups are discarded.

var noticeLossScript = loadFleetScript("notice_loss")

// LossKind is how Redis lost writes.
type LossKind string

// The kinds of loss.
const (
	// LossPossible: another server answers, after a restart or failover. It may have lost its last
	// writes.
	LossPossible LossKind = "possible"
	// LossWentBack: the server lost heartbeats of a worker.
	LossWentBack LossKind = "went_back"
	// LossEmptied: the ledger was emptied.
	LossEmptied LossKind = "emptied"
)

// LossKinds lists the kinds of loss.
func LossKinds() []LossKind { return []LossKind{LossPossible, LossWentBack, LossEmptied} }

// Loss is the last time Redis lost writes, or may have. The zero value means never.
type Loss struct {
	Kind LossKind `json:"kind" doc:"possible (another server responds after a restart or fail-over), went_back (acknowledged writes are lost) or emptied."`
	// At is when a worker noticed, by the Redis clock.
	At time.Time `json:"at" doc:"When a worker noticed the loss."`
	// LostSeconds is how much is missing, with the resolution of a heartbeat (2 s).
	LostSeconds float64 `json:"lost_seconds,omitempty" doc:"Lost time in seconds, if known."`
	// CreatesFrom is when creating records in iCIMS resumes.
	CreatesFrom time.Time `json:"creates_from" doc:"When creates in iCIMS resume."`
}

// String describes the loss.
func (l Loss) String() string {
	switch {
	case l.Kind == LossEmptied:
		return "the ledger is empty but was not"
	case l.Kind == LossWentBack && l.LostSeconds > 0:
		return fmt.Sprintf("Redis lost the last %.0f seconds", math.Ceil(l.LostSeconds))
	case l.Kind == LossWentBack:
		return "Redis lost recent writes"
	case l.Kind == LossPossible:
		return "Redis restarted or failed over and may have lost recent writes"
	}
	return "Redis lost no writes"
}

// Remedy returns what an operator should do.
func (l Loss) Remedy() string {
	if l.Kind == LossEmptied {
		return "Restore a copy of Redis. Without a copy, send the batches again with their idempotency keys."
	}
	return "Send the batches of that time again with their idempotency keys. Check connections and API keys for lost changes."
}

// ErrWentBack means Redis lost writes since the export was claimed, or another server answers, so
// nothing may be created now.
var ErrWentBack = errors.New("ledger: Redis lost writes; creates wait for the settle time")

// seen is the state of Redis as seen by this process, for comparison with its current state.
type seen struct {
	heartbeatToken chan struct{} // holds a token while no heartbeat runs

	mu        sync.Mutex
	customers map[string]seenCustomer
	fleet     seenFleet
}

// seenCustomer holds the epoch of a customer's keys, which increases with each loss, and the
// highest number of claims in that epoch.
type seenCustomer struct{ epoch, claims int64 }

// seenFleet holds the results of the last heartbeats.
type seenFleet struct {
	beats  map[string]string // by worker: number and time (ms)
	server string            // identity
	epoch  int64
}

func (s *seen) customer(id string) (c seenCustomer, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known = s.customers[id]
	return c, known
}

// claimed records the result of a claim.
func (s *seen) claimed(id string, now seenCustomer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.customers == nil {
		s.customers = map[string]seenCustomer{}
	}
	before := s.customers[id]
	if now.epoch > before.epoch || now.epoch == before.epoch && now.claims >= before.claims {
		s.customers[id] = now
	}
}

// args returns the values that scripts compare.
func (s *seen) args(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.customers[id]
	return fmt.Sprintf("%d:%d:%d:%s", c.epoch, c.claims, s.fleet.epoch, s.fleet.server)
}

// NoticeLoss is a worker's heartbeat that detects whether Redis lost writes since the previous one.
// It returns the last loss, and whether it is new to this process. Nothing is created in iCIMS for
// the settle time after a loss.
func (l *Workers) NoticeLoss(ctx context.Context, worker string, settle time.Duration) (last Loss, news bool, err error) {
	s := &l.seen
	select {
	case <-s.heartbeatToken:
	case <-ctx.Done():
		return Loss{}, false, context.Cause(ctx)
	}
	defer func() { s.heartbeatToken <- struct{}{} }()
	s.mu.Lock()
	left, known := s.fleet.beats[worker], s.fleet.epoch
	s.mu.Unlock()
	answer, err := noticeLossScript.of(l.base).Run(ctx, l.redis, []string{redisKey}, worker, left, known, settle.Milliseconds()).Slice()
	if err != nil {
		return Loss{}, false, fmt.Errorf("check Redis for lost writes: %w", err)
	}
	epoch := number(text(answer[2]))
	s.mu.Lock()
	if s.fleet.beats == nil {
		s.fleet.beats = map[string]string{}
	}
	s.fleet.beats[worker], s.fleet.server, s.fleet.epoch = text(answer[0]), text(answer[1]), epoch
	s.mu.Unlock()
	last = readLoss(pairs(answer[3]))
	if epoch <= known {
		return last, false, nil
	}
	// A process that has just started also reports old losses.
	return last, left != "" || text(answer[4]) == "1", nil
}

// ensureHeartbeat makes sure this process has sent a heartbeat before it first claims for a
// customer: an emptied ledger looks like that of a new customer.
func (l *base) ensureHeartbeat(ctx context.Context, o ClaimOptions, customer string) error {
	if _, known := l.seen.customer(customer); known || o.Worker == "" {
		return nil
	}
	_, _, err := l.Workers.NoticeLoss(ctx, o.Worker, o.Settle)
	if _, cluster := l.redis.(*redis.ClusterClient); err != nil && !cluster {
		return err // an unreachable cluster node must not stop customers on other nodes
	}
	l.seen.claimed(customer, seenCustomer{})
	return nil
}

// lossReportedFor is how long a loss is reported.
const lossReportedFor = 24 * time.Hour

// RecentLoss returns the last loss if it was within the last day, or nil.
func (l *Workers) RecentLoss(ctx context.Context) (*Loss, error) {
	last, err := l.Workers.LastLoss(ctx)
	if err != nil || last.Kind == "" {
		return nil, err
	}
	now, err := l.nowAt(ctx, redisKey)
	if err != nil || now.Sub(last.At) > lossReportedFor {
		return nil, err
	}
	return &last, nil
}

// LastLoss returns the last time Redis lost writes, or may have; zero if never.
func (l *Workers) LastLoss(ctx context.Context) (Loss, error) {
	fields, err := l.redis.HGetAll(ctx, redisKey).Result()
	if err != nil {
		return Loss{}, fmt.Errorf("read the last loss of Redis: %w", err)
	}
	return readLoss(fields), nil
}

func readLoss(fields map[string]string) Loss {
	if fields["loss"] == "" {
		return Loss{}
	}
	return Loss{
		Kind: LossKind(fields["loss"]), At: millis(fields["loss_at"]),
		LostSeconds: float64(number(fields["lost"])) / 1000, CreatesFrom: millis(fields["creates_from"]),
	}
}

// deleteHeartbeats deletes the heartbeats of ended workers.
func (l *base) deleteHeartbeats(ctx context.Context, workers ...string) error {
	fields := make([]string, len(workers))
	for i, w := range workers {
		fields[i] = "beat:" + w
	}
	if err := l.redis.HDel(ctx, redisKey, fields...).Err(); err != nil {
		return fmt.Errorf("remove heartbeats: %w", err)
	}
	return nil
}

// readEpoch parses "epoch:claims".
func readEpoch(v any) seenCustomer {
	epoch, claims, _ := strings.Cut(text(v), ":")
	return seenCustomer{number(epoch), number(claims)}
}
