package store

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// Every call to iCIMS needs a permit. One script gives them for all processes: it
// knows the rate, the calls in flight, the day's budget and why calls are closed.
//
// The fields of ix:{1234}:limits; times are ms since 1970 unless
// said otherwise:
//
//	tat   when the next slot comes up at an even rate, in µs
//	sp    slots given back that may still be used, in µs
//	w     end of the budget's window; wg = 1: a guess, wn: its number
//	own   calls of ours in this window
//	fo    calls of others in it, pf: in the one before
//	l     iCIMS's limit, from its headers; lh: when they were last seen
//	qu    until when iCIMS has no calls left
//	qe    the number of the window whose end of budget was told as an event
//	ru    until when iCIMS asked to slow down, rn: how often in a row
//	v:*   by credentials, the last verdict: reason:until:how often in a row:at
//	lg    the last call that succeeded
//	rc    permits that came back used
//	ra    calls a second, lately, as of rt (µs)
//	xs    permits to express since bulk had one
//	q:*   by worker: first id of its last ask:since when it waits:when it asks again
//	cfg   the limits in force

// PermitRequest asks for permits, and gives back those that are over.
type PermitRequest struct {
	// Worker names the process. Its permits are called <worker>:<n>.
	Worker string
	// Credentials tells the user name and password in use from others, see
	// Keyset.CredentialsHash: verdicts on an account hold for those they were given to.
	Credentials string
	Limits      Limits
	// Hold is for how long a permit counts as in flight that does not come back.
	Hold time.Duration
	// First numbers the first permit of this request; the following ones count on.
	// It grows from request to request. A request that is repeated, as its answer
	// was lost, has the same number.
	First int64
	// Express and Bulk are how many permits are wanted, for calls of small
	// interactive batches and of large ones.
	Express, Bulk int
	Returned      []ReturnedPermit
	// Errand: the calls are those of an errand, which verdicts on the account do not
	// hold back, and whose success ends them.
	Errand bool
}

// ReturnedPermit is a permit that is over, with what iCIMS said. Numbers that
// iCIMS did not give are Absent.
type ReturnedPermit struct {
	Permit Permit
	// Unused: no call was made with it.
	Unused bool
	// Status is that of the answer; 0: none came; 1401: the user may not use the API at
	// all; 502 also: a refusal that is not iCIMS's. Of an unused permit it is 401 or 403
	// where the host that gives tokens refused one.
	Status int
	// Limit, Remaining and Reset (seconds) are x-ratelimit-*, RetryAfter (seconds)
	// is Retry-After.
	Limit, Remaining, Reset, RetryAfter int
}

// Absent stands for a number that an answer did not give.
const Absent = -1

// Permit allows one call.
type Permit struct {
	ID      string
	Express bool
	// After is when the call may be made, from the answer on. A negative time has
	// passed already.
	After time.Duration
	mark  string // what the script knew when it gave it
}

// UnknownPermit is the permit of a request whose answer was lost, so that it can
// be given back.
func UnknownPermit(worker string, n int64) Permit { return Permit{ID: permitID(worker, n)} }

func permitID(worker string, n int64) string { return worker + ":" + strconv.FormatInt(n, 10) }

// PermitAnswer is what a request for permits was given.
type PermitAnswer struct {
	// Permits are at most as many as were wanted.
	Permits []Permit
	// Again is when to ask for the rest; 0 where closed, or all were given.
	Again time.Duration
	// Full: the rest waits for permits that are in flight.
	Full bool
	// Closed says why bulk gets none, ClosedExpress why nobody does.
	Closed, ClosedExpress Closure
	// Paused: an operator paused the customer. Permits are given all the same, for
	// exports in the middle of their calls.
	Paused Closure
	// LastGood is when a call last succeeded; zero: never, as far as is known.
	LastGood time.Time
	// Left is how many more calls bulk may make of the day's budget, LeftExpress how
	// many express may; Absent where there is no budget.
	Left, LeftExpress int
	// Void: iCIMS itself said that it takes no more calls for now, so permits in hand
	// are not to be used either.
	Void bool
}

// Closure is why no calls are made. Its zero value means: open.
type Closure struct {
	Reason Reason
	Until  time.Time // zero: nobody knows
}

// Open reports whether calls may be made.
func (c Closure) Open() bool { return c.Reason == "" }

// At returns the closure as it stands at a time: one that is over is open.
func (c Closure) At(now time.Time) Closure {
	if !c.Until.IsZero() && !now.Before(c.Until) {
		return Closure{}
	}
	return c
}

// Lateness is how much later than After a call may be made. A permit that is
// later is to be given back, or more calls than allowed could come together. Half
// of the burst is for calls that arrive late: half of that for a process that is
// slow, the other for the network.
func (l Limits) Lateness() time.Duration {
	// A permit that is used later than this could expire before its call is over.
	const least, most = 20 * time.Millisecond, 5 * time.Second
	seconds := float64(l.Burst/2) / l.CallsPerSecond / 2
	return max(time.Duration(min(seconds, most.Seconds())*float64(time.Second)), least)
}

var errStaleRequest = errors.New("ledger: a later request for permits came first")

// Permits gives back permits that are over and takes new ones, in one round trip.
// After an error the permits of the request may have been given: the next request
// is to return them as unused, see UnknownPermit, and to return again what this
// one returned.
func (l *Ledger) Permits(ctx context.Context, customer string, r PermitRequest) (PermitAnswer, error) {
	answer, err := l.run(ctx, permitsScript, limitsKey(customer), r.args(customer)...)
	if err != nil {
		return PermitAnswer{}, err
	}
	if text(answer[0]) != "ok" {
		return PermitAnswer{}, errStaleRequest
	}
	a := PermitAnswer{
		Again: time.Duration(number(text(answer[1]))) * time.Microsecond, Full: text(answer[2]) == "1",
	}
	readClosures(answer, time.Now(), &a)
	for i := permitHead; i+2 < len(answer); i += 3 {
		a.Permits = append(a.Permits, Permit{
			ID: permitID(r.Worker, r.First+int64(len(a.Permits))), Express: text(answer[i]) == "1",
			After: time.Duration(number(text(answer[i+1]))) * time.Microsecond, mark: text(answer[i+2]),
		})
	}
	return a, nil
}

// permitHead is how many parts of the script's answer precede the permits.
const permitHead = 12

// readClosures reads what all answers have in common. Redis tells spans, as clocks
// may differ.
func readClosures(answer []any, now time.Time, a *PermitAnswer) {
	closure := func(reason, span string) Closure {
		if reason == "" {
			return Closure{}
		}
		return Closure{Reason(reason), now.Add(time.Duration(number(span)) * time.Millisecond)}
	}
	a.Closed, a.ClosedExpress = closure(text(answer[3]), text(answer[4])), closure(text(answer[5]), text(answer[6]))
	switch span := text(answer[7]); span {
	case "-":
	case "0":
		a.Paused = Closure{Reason: ReasonPaused}
	default:
		a.Paused = closure(string(ReasonPaused), span)
	}
	left := func(part any) int {
		if n := text(part); n != "-" {
			return int(number(n))
		}
		return Absent
	}
	a.Left, a.LeftExpress = left(answer[9]), left(answer[10])
	a.Void = text(answer[11]) == "1"
	if age := text(answer[8]); age != "-" {
		a.LastGood = now.Add(-time.Duration(number(age)) * time.Millisecond)
	}
}

func (r PermitRequest) args(customer string) []any {
	limits, purpose := r.Limits, ""
	if r.Errand {
		purpose = "errand"
	}
	args := append(make([]any, 0, 14+7*len(r.Returned)),
		prefix(customer), purpose, r.Worker, r.Credentials,
		strconv.FormatFloat(limits.CallsPerSecond, 'g', -1, 64), max(limits.Burst, 1), limits.InFlight,
		limits.CallsPerDay, flag(limits.DayAssumed), limits.ExpressReserve,
		r.Hold.Milliseconds(), r.First, r.Express, r.Bulk)
	for _, p := range r.Returned {
		status := p.Status
		switch {
		case p.Unused && status > 0:
			status = -status
		case p.Unused:
			status = Absent
		}
		args = append(args, p.Permit.ID, p.Permit.mark, status, p.Limit, p.Remaining, p.Reset, p.RetryAfter)
	}
	return args
}

// ReturnUnused gives a permit back with which no call was made.
func ReturnUnused(p Permit) ReturnedPermit {
	return ReturnedPermit{Permit: p, Unused: true, Limit: Absent, Remaining: Absent, Reset: Absent, RetryAfter: Absent}
}
