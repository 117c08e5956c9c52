package operate

import (
	"fmt"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// Foretold is a forecast as text: what is to be done, what is left of the day, and
// when it will be done. kept tells that something keeps the exports of which the
// forecast does not know, such as that no worker runs.
func Foretold(f store.Forecast, now time.Time, kept bool) string {
	text := "about " + prose.Plural(f.Calls, "call") + " to go"
	if f.Calls == 1 {
		text = "1 call to go"
	}
	if others := f.Ahead - f.Calls; others > 0 {
		text += fmt.Sprintf(", and %s of other batches in between", prose.Grouped(others))
	}
	text += fmt.Sprintf("; %s of %s left today", prose.Grouped(f.LeftToday), prose.Grouped(f.PerDay))
	switch {
	case !f.Done.IsZero() && kept:
		return text + "; done " + About(f.Done, now) + " if it went on at once"
	case !f.Done.IsZero():
		return text + "; done " + About(f.Done, now)
	case f.Waits != "":
		return text + "; when it will be done depends on when it goes on"
	}
	return text + "; it will not be done as things stand"
}

// About renders a time that is an estimate.
func About(t, now time.Time) string {
	left := t.Sub(now)
	if left < time.Minute {
		return "within a minute"
	}
	if left < time.Hour {
		return "in about " + prose.Plural(int(left.Round(time.Minute)/time.Minute), "minute")
	}
	t, now = t.Add(30*time.Second).UTC(), now.UTC()
	switch {
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return "about " + t.Format("15:04 UTC")
	case t.Sub(now) < 300*24*time.Hour:
		return "about " + t.Format("2 Jan 15:04 UTC")
	}
	return "about " + t.Format("2 Jan 2006")
}
