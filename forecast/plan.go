package forecast

import (
	"math"
	"time"
)

// plan contains what the end of a batch depends on.
type plan struct {
	Now   time.Time
	Calls float64 // remaining calls of the batch
	// Others is the number of calls that other open batches of the customer make before the end.
	Others float64

	PerSecond float64 // rate limit
	PerDay    int     // quota of a full day
	Left      int     // calls left in the day that ends at DayEnd
	DayEnd    time.Time
	// Reserve is the share of PerDay that is reserved for small batches, and released hourly during
	// the day.
	Reserve float64
	// Foreign is how many calls per day other users of the account make.
	Foreign float64
	// Opens is when calls resume; zero if they are being made.
	Opens time.Time
}

// lastQuarter is the end of a day, without a reserve.
const lastQuarter = 15 * time.Minute

const day = 24 * time.Hour

// ahead returns how many calls are made until the batch is done: its own, and those of others.
func (p plan) ahead() float64 { return p.Calls + p.Others }

// done returns when the batch will be done, or false for never. More work never gives an earlier
// time.
func (p plan) done() (time.Time, bool) {
	if p.Calls <= 0 {
		return p.Now, true
	}
	if p.PerSecond <= 0 {
		return time.Time{}, false
	}
	w := p.firstDay()
	work := p.ahead()
	if at, ok := w.done(work); ok {
		return at, true
	}
	work -= w.capacity()
	next := p.fullDay(w.end)
	each := next.capacity()
	if each <= 0 {
		return time.Time{}, false
	}
	const tooFar = 100 * 365 // days; later times are meaningless
	whole := math.Ceil(work/each) - 1
	if whole > tooFar {
		return time.Time{}, false
	}
	if whole > 0 {
		work -= whole * each
		next = p.fullDay(w.end.Add(time.Duration(whole) * day))
	}
	// Rounding may leave slightly more than fits.
	return next.done(min(work, each))
}

// budgetDay is a day of calls, or the rest of one.
type budgetDay struct {
	start, end time.Time
	calls      float64 // that may be made in it
	perSecond  float64
	perHour    float64 // that the reserve releases
}

func (p plan) fullDay(start time.Time) budgetDay {
	return budgetDay{
		start: start, end: start.Add(day), calls: max(float64(p.PerDay)-p.Foreign, 0),
		perSecond: p.PerSecond, perHour: p.Reserve * float64(p.PerDay) / 24,
	}
}

// firstDay returns the rest of the first day in which calls can be made.
func (p plan) firstDay() budgetDay {
	start := p.Now
	if p.Opens.After(start) {
		start = p.Opens
	}
	if start.Before(p.DayEnd) {
		w := p.fullDay(p.DayEnd.Add(-day))
		w.start = start
		w.calls = max(float64(p.Left)-p.Foreign*p.DayEnd.Sub(p.Now).Hours()/24, 0)
		return w
	}
	// The known day is over by then; later days begin at the same hour.
	w := p.fullDay(p.DayEnd.Add(start.Sub(p.DayEnd).Truncate(day)))
	w.start = start
	return w
}

// capacity returns how many calls can be made in the day.
func (w budgetDay) capacity() float64 {
	return min(w.calls, w.perSecond*w.end.Sub(w.start).Seconds())
}

// done returns when the calls have been made, or false if the day is too short.
func (w budgetDay) done(calls float64) (time.Time, bool) {
	if calls > w.capacity() {
		return time.Time{}, false
	}
	at := w.start.Add(time.Duration(calls / w.perSecond * float64(time.Second)))
	if w.perHour > 0 {
		// The last calls of the day are released hour by hour.
		kept := min(math.Floor((w.calls-calls)/w.perHour), 24)
		released := w.end.Add(-time.Duration(kept) * time.Hour)
		if kept < 1 {
			released = w.end.Add(-lastQuarter)
		}
		if released.After(at) {
			at = released
		}
	}
	return at, true
}
