package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Standing is how a customer stands with iCIMS: its budget, its rate, and what
// keeps calls from being made.
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
	// Breakers are circuit breakers that are not closed, by worker.
	Breakers map[string]string
	LastGood time.Time
}

// Standings reads how customers stand, all in one round trip, in their order.
func (l *Ledger) Standings(ctx context.Context, customers ...string) ([]Standing, error) {
	return l.StandingsFor(ctx, customers, make([]Caller, len(customers)))
}

// Caller is who would call a customer's iCIMS.
type Caller struct {
	// Credentials tells them from others, see Keyset.CredentialsHash: verdicts on
	// others are left out. Empty: all count.
	Credentials string
	// Limits are those that the caller would go by. Zero: those in force.
	Limits Limits
}

// StandingsFor is Standings for callers, one for each customer: changed credentials
// or limits may have opened what was closed.
func (l *Ledger) StandingsFor(ctx context.Context, customers []string, callers []Caller) ([]Standing, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	args := func(i int) []any {
		return PermitRequest{Credentials: callers[i].Credentials, Limits: callers[i].Limits}.args(customers[i])
	}
	calls := make([]*redis.Cmd, len(customers))
	// Its error is that of one of the calls.
	_, _ = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range customers {
			calls[i] = permitsScript.of(l).EvalSha(ctx, p, []string{limitsKey(c)}, args(i)...)
		}
		return nil
	})
	now := time.Now()
	standings := make([]Standing, len(customers))
	for i, call := range calls {
		answer, err := call.Slice()
		if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
			// The server does not know the script yet; this call teaches it.
			answer, err = l.run(ctx, permitsScript, limitsKey(customers[i]), args(i)...)
		}
		if err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
		standings[i] = l.readStanding(customers[i], answer, now)
	}
	return standings, nil
}

// windowEnd is the end of the day's window by this process's clock, reckoned as of an
// answer, or by Redis's, if the clocks agree: that one does not move with each answer.
func windowEnd(reckoned, kept time.Time) time.Time {
	const agree = 2 * time.Second
	if reckoned.Sub(kept).Abs() < agree {
		return kept
	}
	return reckoned
}

func (l *Ledger) readStanding(customer string, answer []any, now time.Time) Standing {
	var a PermitAnswer
	readClosures(answer, now, &a)
	rest := answer[permitHead:]
	count := func(i int) int { return int(number(text(rest[i]))) }
	s := Standing{
		Customer: customer, Own: count(0), Others: count(1), Budget: count(2), Left: count(3), Reserve: count(4),
		WindowEnd: windowEnd(now.Add(time.Duration(count(5))*time.Millisecond), millis(text(rest[12]))), InFlight: count(6), MaxInFlight: count(9),
		Closed: a.Closed, ClosedExpress: a.ClosedExpress, LastGood: a.LastGood, Breakers: pairs(rest[11]),
	}
	s.Rate, _ = strconv.ParseFloat(text(rest[7]), 64)
	s.CallsPerSecond, _ = strconv.ParseFloat(text(rest[8]), 64)
	if !a.Paused.Open() {
		s.Pause = l.readPause(customer, pairs(rest[10]))
	}
	return s
}
