package admin

import (
	"fmt"
	"time"

	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/prose"
)

// ForecastText formats a forecast: calls to make, calls left today and the ETA. kept means that
// something blocks the exports that the forecast does not know, such as missing workers.
func ForecastText(f forecast.Forecast, now time.Time, kept bool) string {
	text := aboutCalls(f.Calls) + " remaining"
	if others := f.Ahead - f.Calls; others > 0 {
		text += fmt.Sprintf(", after %s of other batches", prose.Grouped(others))
	}
	return text + "; " + within(f, now, kept)
}

// Reckoned formats the cost of exports that are not submitted yet: the expected number of calls,
// then the range. asOf says what the calls left today are based on.
func Reckoned(e Estimate, f forecast.Forecast, asOf string, now time.Time, kept bool) string {
	if e.Candidates == 0 {
		return "No calls to iCIMS."
	}
	text := prose.Sentence(fmt.Sprintf("%s to iCIMS (%s if all candidates are new, at most %s)",
		aboutCalls(f.Calls), prose.Grouped(e.Least), prose.Grouped(e.Most))) + " " + asOf + ": "
	if others := f.Ahead - f.Calls; others > 0 {
		text += prose.Plural(others, "call") + " of other batches first; "
	}
	return text + within(f, now, kept) + "."
}

func aboutCalls(n int) string {
	if n == 1 {
		return "1 call"
	}
	return "about " + prose.Plural(n, "call")
}

// within formats the calls left today and the ETA.
func within(f forecast.Forecast, now time.Time, kept bool) string {
	text := fmt.Sprintf("%s of %s left today", prose.Grouped(f.LeftToday), prose.Grouped(f.PerDay))
	switch {
	case !f.Done.IsZero() && kept:
		return text + "; done " + About(f.Done, now) + " if resumed now"
	case !f.Done.IsZero():
		return text + "; done " + About(f.Done, now)
	case f.Waits != "":
		return text + "; ETA unknown until exports resume"
	}
	return text + "; cannot finish within the current limits"
}

// About formats an ETA.
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
		return "about " + t.Format("2 Jan, 15:04 UTC")
	}
	return "about " + t.Format("2 Jan 2006")
}
