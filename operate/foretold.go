package operate

import (
	"fmt"
	"time"

	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/prose"
)

// Foretold is a forecast as text: what is to be done, what is left of the day, and
// when it will be done. kept tells that something keeps the exports of which the
// forecast does not know, such as that no worker runs.
func Foretold(f forecast.Forecast, now time.Time, kept bool) string {
	text := aboutCalls(f.Calls) + " to go"
	if others := f.Ahead - f.Calls; others > 0 {
		text += fmt.Sprintf(", and %s of other batches in between", prose.Grouped(others))
	}
	return text + "; " + within(f, now, kept)
}

// Reckoned is what exports would take that are not handed over yet, in sentences. The one
// number that is reckoned with stands first, then between which it lies. asOf says
// what the day's calls are told by.
func Reckoned(e Estimate, f forecast.Forecast, asOf string, now time.Time, kept bool) string {
	if e.Candidates == 0 {
		return "It would take no calls to iCIMS."
	}
	text := fmt.Sprintf("It would take %s to iCIMS, going by what such exports take: %s if all are new there, and at most %s. %s: ",
		aboutCalls(f.Calls), prose.Grouped(e.Least), prose.Grouped(e.Most), asOf)
	if others := f.Ahead - f.Calls; others > 0 {
		text += prose.Plural(others, "call") + " of other batches in between; "
	}
	return text + within(f, now, kept) + "."
}

func aboutCalls(n int) string {
	if n == 1 {
		return "1 call"
	}
	return "about " + prose.Plural(n, "call")
}

// within is what is left of the day, and when it will be done.
func within(f forecast.Forecast, now time.Time, kept bool) string {
	text := fmt.Sprintf("%s of %s left today", prose.Grouped(f.LeftToday), prose.Grouped(f.PerDay))
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
