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

// A Redis that is restored from a copy, fails over to a replica that lagged, or is
// emptied forgets writes that it had acknowledged: who was created in iCIMS, and what was
// about to be. Workers notice in two ways (docs/adr/0021-redis-goes-back.md):
//
//   - Every claim compares the identity of the server (run_id of INFO) and the number of
//     claims with what the customer's counters say, and with what this process has seen.
//   - Every beat of a worker leaves a number and expects to find it at the next one.
//
// Either way nothing is created for the settle time, and what was looked up before counts
// no more.

var noticeLossScript = loadFleetScript("notice_loss")

// LossKind is how Redis came to lose writes.
type LossKind string

// The kinds of loss.
const (
	// LossPossible: another server answers, after a restart or a fail-over. It may
	// have lost its last writes.
	LossPossible LossKind = "possible"
	// LossWentBack: the server had forgotten beats of a worker.
	LossWentBack LossKind = "went_back"
	// LossEmptied: the ledger is empty but was not.
	LossEmptied LossKind = "emptied"
)

// LossKinds lists them.
func LossKinds() []LossKind { return []LossKind{LossPossible, LossWentBack, LossEmptied} }

// Loss is the last time that Redis lost writes, or may have. Its zero value means never.
type Loss struct {
	Kind LossKind `json:"kind" doc:"How Redis came to lose writes: possible (another server answers, after a restart or a fail-over), went_back (it forgot what it had acknowledged) or emptied."`
	// At is when a worker noticed, by Redis's clock.
	At time.Time `json:"at" doc:"When a worker noticed."`
	// LostSeconds is how much is missing, to the beat of a worker (2 s).
	LostSeconds float64 `json:"lost_seconds,omitempty" doc:"Lost time in seconds, if known."`
	// CreatesFrom is when records are created in iCIMS again.
	CreatesFrom time.Time `json:"creates_from" doc:"When creates in iCIMS resume."`
}

// String tells what happened.
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

// Remedy says what an operator is to do.
func (l Loss) Remedy() string {
	if l.Kind == LossEmptied {
		return "Restore a copy of Redis. Without a copy, send the batches again with their idempotency keys."
	}
	return "Send the batches of that time again with their idempotency keys. Check connections and API keys for lost changes."
}

// ErrWentBack: Redis went back since the export was claimed, or another server answers,
// so nothing may be created now.
var ErrWentBack = errors.New("ledger: Redis lost writes; creates wait for the settle time")

// seen is what this process has seen of Redis. It must not outlive the state that it
// comes from, which is what it is compared for.
type seen struct {
	beating chan struct{} // holds a token while nobody beats

	mu        sync.Mutex
	customers map[string]seenCustomer
	fleet     seenFleet
}

// seenCustomer is the epoch of a customer's keys, which begins with each loss, and the
// highest number of claims in it.
type seenCustomer struct{ epoch, claims int64 }

// seenFleet is what the last beats have left and learned.
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

// claimed takes what a claim was answered.
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

// args are what a script compares.
func (s *seen) args(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.customers[id]
	return fmt.Sprintf("%d:%d:%d:%s", c.epoch, c.claims, s.fleet.epoch, s.fleet.server)
}

// NoticeLoss is a worker's beat that finds out whether Redis went back since the last one.
// It returns the last loss, and whether this process has not heard of it before. Nothing is
// created in iCIMS for the settle time after a loss.
func (l *Ledger) NoticeLoss(ctx context.Context, worker string, settle time.Duration) (last Loss, news bool, err error) {
	s := &l.seen
	select {
	case <-s.beating:
	case <-ctx.Done():
		return Loss{}, false, context.Cause(ctx)
	}
	defer func() { s.beating <- struct{}{} }()
	s.mu.Lock()
	left, known := s.fleet.beats[worker], s.fleet.epoch
	s.mu.Unlock()
	answer, err := noticeLossScript.of(l).Run(ctx, l.redis, []string{redisKey}, worker, left, known, settle.Milliseconds()).Slice()
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
	// A process that has just started hears of old losses, too.
	return last, left != "" || text(answer[4]) == "1", nil
}

// meet sees to it that this process has beaten before it first claims for a customer: a
// ledger that was emptied looks like one of a new customer.
func (l *Ledger) meet(ctx context.Context, o ClaimOptions, customer string) error {
	if _, known := l.seen.customer(customer); known || o.Worker == "" {
		return nil
	}
	_, _, err := l.NoticeLoss(ctx, o.Worker, o.Settle)
	if _, cluster := l.redis.(*redis.ClusterClient); err != nil && !cluster {
		return err // of a cluster a node out of reach stops no customers of others
	}
	l.seen.claimed(customer, seenCustomer{})
	return nil
}

// lossTold is for how long a loss is told to whoever looks at how things stand.
const lossTold = 24 * time.Hour

// RecentLoss is the last loss where that was within the last day; nil without one.
func (l *Ledger) RecentLoss(ctx context.Context) (*Loss, error) {
	last, err := l.LastLoss(ctx)
	if err != nil || last.Kind == "" {
		return nil, err
	}
	now, err := l.nowAt(ctx, redisKey)
	if err != nil || now.Sub(last.At) > lossTold {
		return nil, err
	}
	return &last, nil
}

// LastLoss is the last time that Redis lost writes, or may have; zero: never, as far as
// is known.
func (l *Ledger) LastLoss(ctx context.Context) (Loss, error) {
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

// leaveBeats forgets the beats of workers that have ended.
func (l *Ledger) leaveBeats(ctx context.Context, workers ...string) error {
	fields := make([]string, len(workers))
	for i, w := range workers {
		fields[i] = "beat:" + w
	}
	if err := l.redis.HDel(ctx, redisKey, fields...).Err(); err != nil {
		return fmt.Errorf("remove heartbeats: %w", err)
	}
	return nil
}

// readEpoch reads "epoch:claims".
func readEpoch(v any) seenCustomer {
	epoch, claims, _ := strings.Cut(text(v), ":")
	return seenCustomer{number(epoch), number(claims)}
}
