package store

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/quota"
)

// Standing is the quota status of a customer, with what else keeps calls from being made.
type Standing struct {
	Customer string
	// Own and Others are calls of this window: ours, and those of others who use
	// the same account, as far as iCIMS's headers told of them.
	Own, Others int
	// Budget is how many calls a window has; 0: none was ever made. Left is what
	// may still be made, Reserve the part of it that is kept for express now.
	Budget, Left, Reserve int
	WindowEnd             time.Time
	InFlight              int
	// Rate is how many calls a second were made lately, CallsPerSecond how many may
	// be.
	Rate, CallsPerSecond float64
	// MaxInFlight is how many may be in flight at once.
	MaxInFlight int
	// Closed says why no calls of large batches are made, ClosedExpress why none
	// at all are.
	Closed, ClosedExpress Closure
	Pause                 *Pause
	// PauseOver: a pause has ended by itself, and its record is about to be removed.
	PauseOver bool
	// Breakers are circuit breakers that are not closed, by worker.
	Breakers map[string]string
	LastGood time.Time
}

// Closure is why no calls are made. Its zero value means: open.
type Closure struct {
	Reason Reason
	Until  time.Time // zero: nobody knows
}

// ClosureOf returns a closure of the quota.
func ClosureOf(c quota.Closure) Closure { return Closure{Reason(c.Reason), c.Until} }

// Quota returns the closure as the quota has it.
func (c Closure) Quota() quota.Closure {
	return quota.Closure{Reason: string(c.Reason), Until: c.Until}
}

// Open reports whether calls may be made.
func (c Closure) Open() bool { return c.Reason == "" }

// At returns the closure at a time: one that has ended is open.
func (c Closure) At(now time.Time) Closure { return ClosureOf(c.Quota().At(now)) }

// Caller is who would call a customer's iCIMS.
type Caller struct {
	// Credentials tells them from others, see Keyset.CredentialsHash: verdicts on
	// others are left out. Empty: all count.
	Credentials string
	// Limits are those that the caller would go by. Zero: those in force.
	Limits Limits
}

// Standings reads how customers stand, in their order.
func (l *Ledger) Standings(ctx context.Context, customers ...string) ([]Standing, error) {
	return l.StandingsFor(ctx, customers, make([]Caller, len(customers)))
}

// StandingsFor is Standings for callers, one for each customer: changed credentials
// or limits may have opened what was closed.
func (l *Ledger) StandingsFor(ctx context.Context, customers []string, callers []Caller) ([]Standing, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	askers := make([]quota.Caller, len(customers))
	for i, c := range customers {
		askers[i] = quota.Caller{Customer: c, Credentials: callers[i].Credentials, Limits: callers[i].Limits}
	}
	statuses, err := l.quota.Statuses(ctx, askers...)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	pauses, breakers := make([]*redis.MapStringStringCmd, len(customers)), make([]*redis.MapStringStringCmd, len(customers))
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range customers {
			pauses[i], breakers[i] = p.HGetAll(ctx, pauseKey(c)), p.HGetAll(ctx, breakersKey(c))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	standings := make([]Standing, len(customers))
	for i, s := range statuses {
		standings[i] = Standing{
			Customer: customers[i], Own: s.Own, Others: s.Foreign, Budget: s.Budget, Left: s.Left, Reserve: s.Reserve,
			WindowEnd: s.WindowEnd, InFlight: s.InFlight, MaxInFlight: s.Limits.InFlight, Rate: s.Rate, CallsPerSecond: s.Limits.CallsPerSecond,
			Closed: ClosureOf(s.Closed), ClosedExpress: ClosureOf(s.ClosedExpress), LastGood: s.LastSuccess, Breakers: breakers[i].Val(),
		}
		switch pause := pauses[i].Val(); {
		case len(pause) == 0:
		case s.Paused.Open():
			standings[i].PauseOver = true
		default:
			standings[i].Pause = l.readPause(customers[i], pause)
		}
	}
	return standings, nil
}
