package store

import (
	"context"
	"math"
	"time"
)

// Demand is a batch for whose end somebody waits.
type Demand struct {
	Calls float64 // it still needs
	// Others are the calls that each other open batch of the customer still needs.
	Others []float64
	// Express: the batch is small, so that it waits for no other one and may use the
	// whole budget.
	Express bool
}

// Forecast is when a batch will be done, and what that takes.
type Forecast struct {
	Calls     int       `json:"calls_to_go"`       // the batch still needs
	Ahead     int       `json:"calls_before_done"` // with those that other batches make in their turns
	LeftToday int       `json:"calls_left_today"`  // of the customer
	PerDay    int       `json:"calls_per_day"`
	Resets    time.Time `json:"resets"`          // when today's calls are followed by a new day's
	Done      time.Time `json:"done,omitzero"`   // zero: nobody can tell
	Waits     Reason    `json:"waits,omitempty"` // why no calls are made now, but for a day's that are used up
	Until     time.Time `json:"until,omitzero"`  // of the wait; zero: nobody knows
}

// Foretell says when a batch will be done, as its customer stands now. The limits
// are those of the connection; they hold as long as no call was ever made.
func Foretell(now time.Time, d Demand, s Standing, limits Limits) Forecast {
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
	p := Plan{
		Now: now, Calls: d.Calls, PerSecond: s.pace(), PerDay: s.Budget, Left: s.Left, DayEnd: s.WindowEnd,
		Foreign: s.foreign(now),
	}
	if !d.Express {
		p.Others, p.Reserve = d.Others, float64(limits.ExpressReserve)/100
	}
	f.Ahead = int(math.Ceil(p.Ahead()))
	if c := s.wait(); !c.Open() {
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
	if done, ok := p.Done(); ok {
		f.Done = done
	}
	return f
}

// The client's reasons that matter here; the store knows the client not.
const (
	reasonQuota       Reason = "icims_quota_exhausted"
	reasonCredentials Reason = "icims_credentials"
	reasonAccess      Reason = "icims_access_denied"

	reasonNotAuthorized Reason = "icims_not_authorized"
)

// wait is why no calls are made, other than that the day's are used up: those come
// again by themselves, part of them within the day.
func (s Standing) wait() Closure {
	switch {
	case s.Pause != nil:
		return Closure{ReasonPaused, s.Pause.Until}
	case s.ClosedExpress.Reason != reasonQuota:
		return s.ClosedExpress
	}
	return Closure{}
}

// pace is how many calls a second to reckon with: those that are made, where a
// slow iCIMS keeps a busy customer below its rate, else those that may be.
func (s Standing) pace() float64 {
	const idle = 0.25 // of the rate; below it there is too little to do, or a beginning
	busy := s.MaxInFlight > 0 && s.InFlight >= s.MaxInFlight
	if busy && s.Rate > idle*s.CallsPerSecond && s.Rate < s.CallsPerSecond {
		return s.Rate
	}
	return s.CallsPerSecond
}

// foreign is how many calls a day others seem to make on the account.
func (s Standing) foreign(now time.Time) float64 {
	passed := day - s.WindowEnd.Sub(now)
	if passed < time.Hour {
		return float64(s.Others)
	}
	return float64(s.Others) * day.Hours() / passed.Hours()
}

// Forecast foretells the end of an open batch. Express says whether it is one of
// the small ones.
func (l *Ledger) Forecast(ctx context.Context, b Batch, express bool, limits Limits) (Forecast, error) {
	costs, err := l.Costs(ctx, b.ID.Customer())
	if err != nil {
		return Forecast{}, err
	}
	return l.ForecastDemand(ctx, b.ID.Customer(), b.ID, Demand{Calls: costs.Remaining(b), Express: express}, costs, limits)
}

// ForecastDemand foretells the end of something that needs calls of the customer
// beside its open batches. One of these may be left out, as the one that it is
// about.
func (l *Ledger) ForecastDemand(ctx context.Context, customer string, leftOut BatchID, d Demand, costs Costs, limits Limits) (Forecast, error) {
	open, err := l.OpenBatches(ctx, customer)
	if err != nil {
		return Forecast{}, err
	}
	for _, other := range open {
		if other.ID != leftOut {
			d.Others = append(d.Others, costs.Remaining(other))
		}
	}
	standings, err := l.Standings(ctx, customer)
	if err != nil {
		return Forecast{}, err
	}
	// By this process's clock, as the times of the standing.
	return Foretell(time.Now(), d, standings[0], limits), nil
}
