package forecast

import (
	"math"
	"time"

	"github.com/seekout/icims-export/store"
)

// Demand is a batch for whose end somebody waits.
type Demand struct {
	Calls float64 // it still needs
	// Others are calls that other open batches of the customer make before the end.
	Others float64
	// Express: the batch is small, so that it waits for no other one and may use the
	// whole budget.
	Express bool
}

// Forecast is when a batch will be done, and what that takes.
type Forecast struct {
	Calls     int          `json:"calls_to_go"`       // the batch still needs
	Ahead     int          `json:"calls_before_done"` // with those that other batches make before its end
	LeftToday int          `json:"calls_left_today"`  // of the customer
	PerDay    int          `json:"calls_per_day"`
	Resets    time.Time    `json:"resets"`          // when today's calls are followed by a new day's
	Done      time.Time    `json:"done,omitzero"`   // zero: nobody can tell
	Waits     store.Reason `json:"waits,omitempty"` // why no calls are made now, but for a day's that are used up
	Until     time.Time    `json:"until,omitzero"`  // of the wait; zero: nobody knows
}

// Of says when a batch will be done, as its customer stands now. The limits are those
// of the connection; they hold as long as no call was ever made.
func Of(now time.Time, d Demand, s store.Standing, limits store.Limits) Forecast {
	if s.Budget == 0 {
		s.Budget, s.Left = limits.CallsPerDay, limits.CallsPerDay
	}
	if s.CallsPerSecond == 0 {
		s.CallsPerSecond = limits.CallsPerSecond
	}
	if s.WindowEnd.IsZero() {
		s.WindowEnd = now.UTC().Truncate(day).Add(day)
	}
	f := Forecast{
		Calls: int(math.Ceil(d.Calls)), LeftToday: s.Left, PerDay: s.Budget, Resets: s.WindowEnd,
	}
	p := plan{
		Now: now, Calls: d.Calls, PerSecond: pace(s), PerDay: s.Budget, Left: s.Left, DayEnd: s.WindowEnd,
		Foreign: foreign(s, now),
	}
	if !d.Express {
		p.Others, p.Reserve = d.Others, float64(limits.ExpressReserve)/100
	}
	f.Ahead = int(math.Ceil(p.ahead()))
	if c := wait(s); !c.Open() {
		f.Waits, f.Until = c.Reason, c.Until
		p.Opens = c.Until
	}
	// iCIMS itself says that none are left, whatever was counted here.
	if s.ClosedExpress.Reason == reasonQuota {
		f.LeftToday, p.Left = 0, 0
	}
	// Nobody knows when somebody mends an account, or resumes.
	if f.Waits != "" && (f.Until.IsZero() || f.Waits == reasonCredentials || f.Waits == reasonAccess || f.Waits == reasonNotAuthorized) {
		return f
	}
	if done, ok := p.done(); ok {
		f.Done = done
	}
	return f
}

// The client's reasons that matter here.
const (
	reasonQuota       store.Reason = "icims_quota_exhausted"
	reasonCredentials store.Reason = "icims_credentials"
	reasonAccess      store.Reason = "icims_access_denied"

	reasonNotAuthorized store.Reason = "icims_not_authorized"
)

// wait is why no calls are made, other than that the day's are used up: those come
// again by themselves, part of them within the day.
func wait(s store.Standing) store.Closure {
	switch {
	case s.Pause != nil:
		return store.Closure{Reason: store.ReasonPaused, Until: s.Pause.Until}
	case s.ClosedExpress.Reason != reasonQuota:
		return s.ClosedExpress
	}
	return store.Closure{}
}

// pace is how many calls a second to reckon with: those that are made, where a
// slow iCIMS keeps a busy customer below its rate, else those that may be.
func pace(s store.Standing) float64 {
	const idle = 0.25 // of the rate; below it there is too little to do, or a beginning
	busy := s.MaxInFlight > 0 && s.InFlight >= s.MaxInFlight
	if busy && s.Rate > idle*s.CallsPerSecond && s.Rate < s.CallsPerSecond {
		return s.Rate
	}
	return s.CallsPerSecond
}

// foreign is how many calls a day others seem to make on the account.
func foreign(s store.Standing, now time.Time) float64 {
	passed := day - s.WindowEnd.Sub(now)
	if passed < time.Hour {
		return float64(s.Others)
	}
	return float64(s.Others) * day.Hours() / passed.Hours()
}
