package quota

import (
	"strconv"
	"time"
)

// Request asks for permits and returns those that are over.
type Request struct {
	// Worker names the process. The IDs of its permits are Worker:First, Worker:First+1 and so on.
	Worker string `json:"worker"`
	// Credentials tells the user name and password in use from others. Verdicts on an
	// account belong to the credentials they were given to.
	Credentials string `json:"credentials"`
	Limits      Limits `json:"-"`
	// Hold is for how long a permit counts as in flight that is not returned.
	Hold time.Duration `json:"-"`
	// CallTimeout is how long a call takes at most.
	CallTimeout time.Duration `json:"-"`
	// First numbers the first permit. No two requests of a worker share numbers. A request
	// that is repeated because its answer was lost may have the same number.
	First int64 `json:"first"`
	// Express and Bulk are how many permits are wanted for calls of small, interactive
	// batches and of large ones.
	Express  int        `json:"express"`
	Bulk     int        `json:"bulk"`
	Returned []Returned `json:"-"`
	// Control: the calls belong to a control task. Verdicts do not hold them back, and
	// their success ends verdicts.
	Control bool `json:"control"`
}

// Absent stands for a number that an answer does not have.
const Absent = -1

// Returned is a permit that is over, and what iCIMS answered. Missing numbers are Absent.
type Returned struct {
	Permit Permit
	// Unused: no call was made with it.
	Unused bool
	// Status is the answer's; 0: none came; 1401: the user may not use the API at all;
	// 502 also: a refusal that is not iCIMS's. Of an unused permit it is 401 or 403 where
	// the host that issues tokens refused one.
	Status int
	// Limit, Remaining and Reset (seconds) are x-ratelimit-*, RetryAfter (seconds) is
	// Retry-After.
	Limit, Remaining, Reset, RetryAfter int
}

// Unused returns a permit with which no call was made.
func Unused(p Permit) Returned {
	return Returned{Permit: p, Unused: true, Limit: Absent, Remaining: Absent, Reset: Absent, RetryAfter: Absent}
}

// Permit allows one call.
type Permit struct {
	ID      string
	Express bool
	// After is when the call may start, from the answer on.
	After time.Duration
	mark  string // what the script knew when it granted it
}

// UnknownPermit is a permit of a request whose answer was lost, so that it can be returned.
func UnknownPermit(worker string, n int64) Permit {
	return Permit{ID: worker + ":" + strconv.FormatInt(n, 10)}
}

// Closure is why no calls are made. The zero value means: open.
type Closure struct {
	Reason string
	Until  time.Time // zero: unknown
}

// Open reports whether calls may be made.
func (c Closure) Open() bool { return c.Reason == "" }

// At returns the closure at a time: one that has ended is open.
func (c Closure) At(now time.Time) Closure {
	if !c.Until.IsZero() && !now.Before(c.Until) {
		return Closure{}
	}
	return c
}

// Paused is the reason of Status.Paused.
const Paused = "paused"

// Answer is what a request was granted.
type Answer struct {
	// Permits are at most as many as were wanted.
	Permits []Permit
	// AskAgain is when to ask for the rest; 0 where closed, or where all were granted.
	AskAgain time.Duration
	// Full: the rest waits for permits in flight.
	Full bool
	// Void: iCIMS itself refuses calls for now, so unused permits must not be used either.
	Void bool
	Status
}

// Status is the state of a customer's limits.
type Status struct {
	// Closed says why bulk calls are not made, ClosedExpress why none are.
	Closed, ClosedExpress Closure
	// Paused: an operator paused the customer. Permits are granted all the same, for
	// exports in the middle of their calls.
	Paused Closure
	// LastSuccess is when a call last succeeded; zero: never, as far as is known.
	LastSuccess time.Time
	// Own and Foreign are the calls of this window: ours, and those of others who use the
	// same account, as far as iCIMS reported them.
	Own, Foreign int
	// Budget is how many calls a window has; 0: unknown. Left is how many may still be
	// made, Reserve how many of them are for express alone now.
	Budget, Left, Reserve int
	WindowEnd             time.Time
	InFlight              int
	// Rate is the calls a second made lately.
	Rate float64
	// Limits are those that the status goes by.
	Limits Limits
}
