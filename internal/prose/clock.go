package prose

import (
	"fmt"
	"time"
)

// Clock renders times for a reader, by where the reader is and what time it is. The
// zero Clock is for whoever sits at this machine now.
type Clock struct {
	// In is the reader's time zone; nil is that of this machine.
	In *time.Location
	// Now is what the time is for the reader; zero is now.
	Now time.Time
	// Full names the day and the zone always, since the text may be read another day
	// or elsewhere.
	Full bool
}

// UTC is the clock for readers of whom nothing is known.
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

// Moment renders a time briefly; nothing for none.
func (c Clock) Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t, sameDay := c.local(t)
	switch {
	case c.Full:
		return t.Format("2006-01-02 15:04:05 MST")
	case sameDay:
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// When is a moment within a sentence.
func (c Clock) When(t time.Time) string {
	t, sameDay := c.local(t)
	switch {
	case c.Full:
		return "on " + t.Format("2006-01-02 at 15:04:05 MST")
	case sameDay:
		return "at " + t.Format("15:04:05")
	}
	return "on " + t.Format("2006-01-02 at 15:04")
}

// Until renders the end of a wait; open stands for one without end.
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

// Moment is Clock.Moment at this machine.
func Moment(t time.Time) string { return Clock{}.Moment(t) }

// When is Clock.When at this machine.
func When(t time.Time) string { return Clock{}.When(t) }

// Until is Clock.Until at this machine.
func Until(t time.Time, open string) string { return Clock{}.Until(t, open) }
