package store

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/quota"
)

// QuotaStatus is a customer's quota status, with everything else that prevents calls.
type QuotaStatus struct {
	Customer string
	// Own and Others count the calls of this window: ours, and those of other users of the same
	// account, as far as iCIMS's headers report them.
	Own, Others int
	// Budget is the number of calls per window; 0 if none was ever made. Left is what remains of
	// it, Reserve the part of Left reserved for express now.
	Budget, Left, Reserve int
	WindowEnd             time.Time
	InFlight              int
	// Rate is the recent number of calls per second, CallsPerSecond its limit.
	Rate, CallsPerSecond float64
	// Lowered means CallsPerSecond is lower than the connection's for now, because iCIMS answered
	// 429.
	Lowered bool
	// MaxInFlight is the limit of calls in flight.
	MaxInFlight int
	// Closed is why bulk calls are not permitted, ClosedExpress why no calls at all are.
	Closed, ClosedExpress Closure
	Pause                 *Pause
	// PauseOver means a pause has expired and its record is about to be removed.
	PauseOver bool
	// Breakers are the circuit breakers that are not closed, by worker.
	Breakers map[string]string
	LastGood time.Time
}

// Closure is why calls are not permitted. The zero value means open.
type Closure struct {
	Reason Reason
	Until  time.Time // zero: unknown
}

// ClosureOf converts a quota closure.
func ClosureOf(c quota.Closure) Closure { return Closure{Reason(c.Reason), c.Until} }

// Quota converts the closure to a quota closure.
func (c Closure) Quota() quota.Closure {
	return quota.Closure{Reason: string(c.Reason), Until: c.Until}
}

// Open reports whether calls are permitted.
func (c Closure) Open() bool { return c.Reason == "" }

// At returns the closure at a time; one that has ended is open.
func (c Closure) At(now time.Time) Closure { return ClosureOf(c.Quota().At(now)) }

// Caller is the connection that would make calls to a customer's iCIMS.
type Caller struct {
	// Credentials is the Keyset.CredentialsHash. Verdicts on other credentials are ignored. Empty:
	// all count.
	Credentials string
	// Limits of the connection. Zero: those in force.
	Limits Limits
}

// QuotaStatuses reads the quota status of customers, in the order given.
func (l *Ledger) QuotaStatuses(ctx context.Context, customers ...string) ([]QuotaStatus, error) {
	return l.QuotaStatusesFor(ctx, customers, make([]Caller, len(customers)))
}

// QuotaStatusesFor is Standings for callers, one per customer: changed credentials or limits may have
// reopened an account.
func (l *Ledger) QuotaStatusesFor(ctx context.Context, customers []string, callers []Caller) ([]QuotaStatus, error) {
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
	standings := make([]QuotaStatus, len(customers))
	for i, s := range statuses {
		standings[i] = QuotaStatus{
			Customer: customers[i], Own: s.Own, Others: s.Foreign, Budget: s.Budget, Left: s.Left, Reserve: s.Reserve,
			WindowEnd: s.WindowEnd, InFlight: s.InFlight, MaxInFlight: s.Limits.InFlight, Rate: s.Rate, CallsPerSecond: s.Limits.CallsPerSecond, Lowered: s.Lowered,
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
