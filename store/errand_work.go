package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What workers do with errands. They find them in ix:errands, which is a reminder
// alone: what an errand's record says is true. A worker that runs one holds it for
// as long as its lease lasts, and renews that; once it has run out anybody may take
// the errand over.

// DueErrand is an entry of the list of errands: somebody has to look.
type DueErrand struct {
	Customer string
	Kind     ErrandKind
	Since    time.Time // by Redis's clock
	stamp    int64     // its score (µs); 0: heard of, not read
}

// DueErrands lists the errands that somebody has to look at by a time of Redis's
// clock.
func (l *Ledger) DueErrands(ctx context.Context, by time.Time) ([]DueErrand, error) {
	found, err := l.redis.ZRangeByScoreWithScores(ctx, errandsKey, &redis.ZRangeBy{Min: "-inf", Max: fmt.Sprint(by.UnixMicro())}).Result()
	if err != nil {
		return nil, fmt.Errorf("read errands that are due: %w", err)
	}
	due := make([]DueErrand, len(found))
	for i, z := range found {
		customer, kind, _ := strings.Cut(member(z), ":")
		due[i] = DueErrand{Customer: customer, Kind: ErrandKind(kind), Since: time.UnixMicro(int64(z.Score)), stamp: int64(z.Score)}
	}
	return due, nil
}

// RestErrand notes when to look at an errand again; a zero time takes it off the
// list. It does nothing where the errand was asked for since the entry was read, or
// was only heard of.
func (l *Ledger) RestErrand(ctx context.Context, d DueErrand, until time.Time) error {
	if d.stamp == 0 {
		return nil
	}
	when := ""
	if !until.IsZero() {
		when = fmt.Sprint(until.UnixMicro())
	}
	err := restScript.of(l).Run(ctx, l.redis, []string{errandsKey}, errandMember(d.Customer, d.Kind), d.stamp, when, longestRest.Milliseconds()).Err()
	return wrapped("put an errand off", err)
}

// ErrandClaim is an errand that a worker holds.
type ErrandClaim struct {
	Errand

	token string
}

// ClaimErrand takes the customer's errand of a kind for a worker, for as long as the
// lease. It returns false where there is none that waits: with the time until which
// another worker holds it, or zero where there is nothing to do.
func (l *Ledger) ClaimErrand(ctx context.Context, customer string, kind ErrandKind, worker string, lease time.Duration) (c ErrandClaim, held time.Time, claimed bool, err error) {
	answer, err := l.run(ctx, claimErrandScript, errandsOf(customer, kind), prefix(customer), worker, lease.Milliseconds(), rand.Text()[:10])
	if err != nil {
		return ErrandClaim{}, time.Time{}, false, err
	}
	switch text(answer[0]) {
	case "none":
		return ErrandClaim{}, time.Time{}, false, nil
	case "held":
		return ErrandClaim{}, millis(text(answer[1])), false, nil
	}
	id := text(answer[1])
	e, err := l.readErrand(customer, id, pairs(answer[4]))
	e.ID, e.Customer, e.Kind = id, customer, kind // also of one that cannot be opened
	return ErrandClaim{Errand: e, token: text(answer[2])}, millis(text(answer[3])), true, err
}

// ErrandStep is what a worker tells of an errand that it holds.
type ErrandStep struct {
	// Lease prolongs its hold; 0 leaves it.
	Lease time.Duration
	// Result is what was found so far, or at all; nil leaves it. It is encoded as
	// JSON.
	Result any
	Calls  int
	// To ends the errand, or gives it back (ErrandWaiting); empty: it goes on.
	To      ErrandState
	Failure ErrandFailure
}

// ErrErrandLost: another worker holds the errand, or it has ended.
var ErrErrandLost = errors.New("ledger: the errand is another worker's, or has ended")

// StepErrand records what a worker tells. It returns ErrErrandLost where the errand
// is no longer its own.
func (l *Ledger) StepErrand(ctx context.Context, c ErrandClaim, s ErrandStep) error {
	key := errandKey(c.Customer, c.ID)
	result, err := l.sealJSON(s.Result, key)
	if err != nil {
		return err
	}
	answer, err := l.run(ctx, stepErrandScript, key, c.token, s.Lease.Milliseconds(), result, s.Calls, string(s.To), string(s.Failure))
	switch {
	case err != nil:
		return err
	case text(answer[0]) != "ok":
		return ErrErrandLost
	case s.To == ErrandWaiting:
		return l.announceErrand(ctx, c.Customer, c.Kind)
	default:
		return nil
	}
}
