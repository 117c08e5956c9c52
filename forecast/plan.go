package forecast

import (
	"math"
	"time"
)

// plan is what the end of a batch depends on.
type plan struct {
	Now   time.Time
	Calls float64 // that the batch still needs
	// Others are calls that other open batches of the customer make before the end.
	Others float64

	PerSecond float64 // calls that may be made
	PerDay    int     // calls of a full day
	Left      int     // calls left in the day that ends at DayEnd
	DayEnd    time.Time
	// Reserve is the share of PerDay that is kept for small batches, and released
	// by the hour as the day passes.
	Reserve float64
	// Foreign is how many calls a day somebody else spends on the account.
	Foreign float64
	// Opens is when calls are made again; zero where they are being made.
	Opens time.Time
}

// lastQuarter is before the end of a day when nothing is kept in reserve any more.
const lastQuarter = 15 * time.Minute

const day = 24 * time.Hour

// ahead is how many calls are made until the batch is done: its own, and those of
// others.
func (p plan) ahead() float64 { return p.Calls + p.Others }

// done is when the batch will be done, and false where it never will. With more to
// do it is never earlier.
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
	const tooFar = 100 * 365 // days; beyond that a time says nothing
	whole := math.Ceil(work/each) - 1
	if whole > tooFar {
		return time.Time{}, false
	}
	if whole > 0 {
		work -= whole * each
		next = p.fullDay(w.end.Add(time.Duration(whole) * day))
	}
	// Rounding may leave a trace more than fits.
	return next.done(min(work, each))
}

// budgetDay is a day of calls, or what is left of one.
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

// firstDay is what is left of the day in which calls can be made first.
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
	// The day that is known of is over by then; later ones begin at the same hour.
	w := p.fullDay(p.DayEnd.Add(start.Sub(p.DayEnd).Truncate(day)))
	w.start = start
	return w
}

// capacity is how many calls can be made in the day.
func (w budgetDay) capacity() float64 {
	return min(w.calls, w.perSecond*w.end.Sub(w.start).Seconds())
}

// done is when so many calls have been made, and false where they are not made in
// this day.
func (w budgetDay) done(calls float64) (time.Time, bool) {
	if calls > w.capacity() {
		return time.Time{}, false
	}
	at := w.start.Add(time.Duration(calls / w.perSecond * float64(time.Second)))
	if w.perHour > 0 {
		// The last of the day's calls are released hour by hour.
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
