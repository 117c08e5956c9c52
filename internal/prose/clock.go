package prose

import (
	"fmt"
	"time"
)

// Clock formats times for a reader, by the reader's time zone and current time. The zero Clock is
// for a user of this machine, now.
type Clock struct {
	// In is the reader's time zone; nil means this machine's.
	In *time.Location
	// Now is the reader's current time; zero means now.
	Now time.Time
	// Full always includes the day and the zone, since the text may be read on another day or in
	// another place.
	Full bool
}

// UTC is the clock for unknown readers.
var UTC = Clock{In: time.UTC, Full: true}

const near = 12 * time.Hour

func (c Clock) now() time.Time {
	if c.Now.IsZero() {
		return time.Now()
	}
	return c.Now
}

func (c Clock) local(t time.Time) (time.Time, bool) {
	if c.In == nil {
		c.In = time.Local
	}
	return t.In(c.In), !c.Full && c.now().Sub(t).Abs() < near
}

// Moment formats a time briefly; a zero time is empty.
func (c Clock) Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t, sameDay := c.local(t)
	switch {
	case c.Full:
		return t.Format("2 Jan 2006, 15:04:05 MST")
	case sameDay:
		return t.Format("15:04:05")
	}
	return t.Format("2 Jan 2006, 15:04")
}

// When formats a moment within a sentence.
func (c Clock) When(t time.Time) string {
	t, sameDay := c.local(t)
	switch {
	case c.Full:
		return "on " + t.Format("2 Jan 2006, 15:04:05 MST")
	case sameDay:
		return "at " + t.Format("15:04:05")
	}
	return "on " + t.Format("2 Jan 2006, 15:04")
}

// Until formats the end of a wait; open is returned for one without end.
func (c Clock) Until(t time.Time, open string) string {
	if t.IsZero() {
		return open
	}
	left := t.Sub(c.now()).Round(time.Second)
	if left <= 0 {
		return "until now"
	}
	return fmt.Sprintf("until %s (in %s)", c.Moment(t), Span(left))
}

// Moment is Clock.Moment for this machine.
func Moment(t time.Time) string { return Clock{}.Moment(t) }

// When is Clock.When for this machine.
func When(t time.Time) string { return Clock{}.When(t) }

// Until is Clock.Until for this machine.
func Until(t time.Time, open string) string { return Clock{}.Until(t, open) }
