package forecast

import (
	"math"
	"time"

	"github.com/seekout/icims-export/store"
)

// Demand is the remaining work of a batch.
type Demand struct {
	Calls float64 // remaining calls of the batch
	// Others is the number of calls that other open batches of the customer make before the end.
	Others float64
	// Express means that the batch is small: it does not wait for others and may use the whole
	// quota.
	Express bool
}

// Forecast is when a batch will be done, and how many calls that takes.
type Forecast struct {
	Calls     int          `json:"calls_to_go"`       // remaining calls of the batch
	Ahead     int          `json:"calls_before_done"` // including those of other batches before its end
	LeftToday int          `json:"calls_left_today"`  // of the customer
	PerDay    int          `json:"calls_per_day"`
	Resets    time.Time    `json:"resets"`          // when the daily quota resets
	Done      time.Time    `json:"done,omitzero"`   // zero: unknown
	Waits     store.Reason `json:"waits,omitempty"` // why no calls are made now, except for a used-up quota
	Until     time.Time    `json:"until,omitzero"`  // end of the wait; zero: unknown
}

// Of returns when a batch will be done with its customer's current quota status. limits are the
// connection's limits; they apply before the first call.
func Of(now time.Time, d Demand, s store.QuotaStatus, limits store.Limits) Forecast {
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
	// iCIMS itself reports that no calls are left, whatever was counted here.
	if s.ClosedExpress.Reason == reasonQuota {
		f.LeftToday, p.Left = 0, 0
	}
	// It is unknown when an account is fixed or an open-ended pause is lifted.
	if f.Waits != "" && (f.Until.IsZero() || unpredictable[f.Waits]) {
		return f
	}
	if done, ok := p.done(); ok {
		f.Done = done
	}
	return f
}

// The relevant reasons of package icims.
const (
	reasonQuota       store.Reason = "icims_quota_exhausted"
	reasonCredentials store.Reason = "icims_credentials"
	reasonAccess      store.Reason = "icims_access_denied"

	reasonNotAuthorized store.Reason = "icims_not_authorized"
	reasonSearchRefused store.Reason = "icims_search_refused"
)

// unpredictable are the reasons that end when somebody changes the account.
var unpredictable = map[store.Reason]bool{reasonCredentials: true, reasonAccess: true, reasonNotAuthorized: true, reasonSearchRefused: true}

// wait returns why no calls are made, other than a used-up quota: its calls come back without
// action, partly within the day.
func wait(s store.QuotaStatus) store.Closure {
	switch {
	case s.Pause != nil:
		return store.Closure{Reason: store.ReasonPaused, Until: s.Pause.Until}
	case s.ClosedExpress.Reason != reasonQuota:
		return s.ClosedExpress
	}
	return store.Closure{}
}

// pace returns the expected calls per second: the actual rate if a slow iCIMS keeps a busy customer
// below its limit, else the limit.
func pace(s store.QuotaStatus) float64 {
	const idle = 0.25 // of the limit; below it there is too little work, or it just started
	busy := s.MaxInFlight > 0 && s.InFlight >= s.MaxInFlight
	if busy && s.Rate > idle*s.CallsPerSecond && s.Rate < s.CallsPerSecond {
		return s.Rate
	}
	return s.CallsPerSecond
}

// foreign returns how many calls per day others seem to make with the account.
func foreign(s store.QuotaStatus, now time.Time) float64 {
	passed := day - s.WindowEnd.Sub(now)
	if passed < time.Hour {
		return float64(s.Others)
	}
	return float64(s.Others) * day.Hours() / passed.Hours()
}
