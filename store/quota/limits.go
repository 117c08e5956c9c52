package quota

import (
	"cmp"
	"time"
)

// Limits bound the calls for one customer across all processes.
type Limits struct {
	CallsPerSecond float64 `yaml:"calls_per_second" json:"calls_per_second"`
	// Burst is how many calls above the even rate iCIMS accepts at once.
	Burst       int `yaml:"burst" json:"burst"`
	InFlight    int `yaml:"in_flight" json:"in_flight"`
	CallsPerDay int `yaml:"calls_per_day" json:"calls_per_day"`
	// ExpressReserve is the percentage of the day's calls reserved for small batches.
	ExpressReserve int `yaml:"express_reserve" json:"express_reserve"`
	// DayAssumed means CallsPerDay is a default, replaced by the limit that iCIMS reports.
	DayAssumed bool `yaml:"-" json:"day_assumed,omitempty"`
}

// Or returns the limits with missing values taken from defaults.
func (l Limits) Or(defaults Limits) Limits {
	l.CallsPerSecond = cmp.Or(l.CallsPerSecond, defaults.CallsPerSecond)
	l.Burst = cmp.Or(l.Burst, defaults.Burst)
	l.InFlight = cmp.Or(l.InFlight, defaults.InFlight)
	if l.CallsPerDay == 0 && defaults.CallsPerDay != 0 {
		l.CallsPerDay, l.DayAssumed = defaults.CallsPerDay, true
	}
	l.ExpressReserve = cmp.Or(l.ExpressReserve, defaults.ExpressReserve)
	return l
}

// Lateness is how much later than After a call may start. A permit that is later must be returned
// unused, or more calls than permitted could arrive together. Half of the burst is for late calls:
// one half of that for a slow process, the other for the network.
func (l Limits) Lateness() time.Duration {
	// A permit used later than this could expire before its call ends.
	const least, most = 20 * time.Millisecond, 5 * time.Second
	seconds := float64(l.Burst/2) / l.CallsPerSecond / 2
	return max(time.Duration(min(seconds, most.Seconds())*float64(time.Second)), least)
}
