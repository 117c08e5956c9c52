package quota

import (
	"strconv"
	"time"
)

// Request asks for permits and returns finished ones.
type Request struct {
	// Worker names the process. The IDs of its permits are Worker:First, Worker:First+1 and so on.
	Worker string `json:"worker"`
	// Credentials identifies the user name and password in use. Verdicts on an account apply to the
	// credentials of the call.
	Credentials string `json:"credentials"`
	Limits      Limits `json:"-"`
	// Hold is how long a permit counts as in flight if it is not returned.
	Hold time.Duration `json:"-"`
	// CallTimeout is the maximum duration of a call.
	CallTimeout time.Duration `json:"-"`
	// First is the number of the first permit. No two requests of a worker share numbers, except a
	// request repeated because its reply was lost.
	First int64 `json:"first"`
	// Express and Bulk are the numbers of permits requested for small, interactive batches and for
	// large ones.
	Express  int        `json:"express"`
	Bulk     int        `json:"bulk"`
	Returned []Returned `json:"-"`
	// Control means the calls belong to a control task. Verdicts do not block them, and their
	// success ends verdicts.
	Control bool `json:"control"`
}

// Absent stands for a number that a response does not have.
const Absent = -1

// Returned is a finished permit with iCIMS's response. Missing numbers are Absent.
type Returned struct {
	Permit Permit
	// Unused means no call was made with the permit.
	Unused bool
	// Status is the HTTP status; 0: no response; 1401: the user may not use the API; 1403: a search for people is refused; 502 also: a
	// refusal that did not come from iCIMS. For an unused permit it is 401 or 403 if the token host
	// refused to issue a token.
	Status int
	// Limit, Remaining and Reset (seconds) are x-ratelimit-*, RetryAfter (seconds) is
	// Retry-After.
	Limit, Remaining, Reset, RetryAfter int
}

// Unused returns a permit without a call.
func Unused(p Permit) Returned {
	return Returned{Permit: p, Unused: true, Limit: Absent, Remaining: Absent, Reset: Absent, RetryAfter: Absent}
}

// Permit allows one call.
type Permit struct {
	ID      string
	Express bool
	// After is when the call may start, counted from the reply.
	After time.Duration
	mark  string // budget counts when it was granted
}

// UnknownPermit returns a permit of a request whose reply was lost, so that it can be returned.
func UnknownPermit(worker string, n int64) Permit {
	return Permit{ID: worker + ":" + strconv.FormatInt(n, 10)}
}

// Closure is why calls are not permitted. The zero value means open.
type Closure struct {
	Reason string
	Until  time.Time // zero: unknown
}

// Open reports whether calls are permitted.
func (c Closure) Open() bool { return c.Reason == "" }

// At returns the closure at a time; one that has ended is open.
func (c Closure) At(now time.Time) Closure {
	if !c.Until.IsZero() && !now.Before(c.Until) {
		return Closure{}
	}
	return c
}

// Paused is the reason of Status.Paused.
const Paused = "paused"

// Answer is the reply to a request.
type Answer struct {
	// Permits has at most the requested number.
	Permits []Permit
	// AskAgain is when to ask for the rest; 0 if closed or if all were granted.
	AskAgain time.Duration
	// Full means the rest must wait for permits in flight.
	Full bool
	// Void means iCIMS refuses calls for now, so unused permits must not be used.
	Void bool
	Status
}

// Status is the state of a customer's limits.
type Status struct {
	// Closed is why bulk calls are not permitted, ClosedExpress why no calls are.
	Closed, ClosedExpress Closure
	// Paused is set if an operator paused the customer. Permits are still granted, for exports in
	// the middle of their calls.
	Paused Closure
	// LastSuccess is when a call last succeeded; zero if unknown.
	LastSuccess time.Time
	// Own and Foreign count the calls of this window: ours, and those of other users of the same
	// account, as far as iCIMS reports them.
	Own, Foreign int
	// Budget is the number of calls per window; 0 if unknown. Left is what remains of it, Reserve
	// the part of Left reserved for express now.
	Budget, Left, Reserve int
	WindowEnd             time.Time
	InFlight              int
	// Rate is the recent number of calls per second.
	Rate float64
	// Limits in force. If Lowered, iCIMS answered 429: they have a lower rate and no burst for now.
	Limits  Limits
	Lowered bool
}
