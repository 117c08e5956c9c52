package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
)

// foretold is a forecast as text: what is to be done, what is left of the day, and
// when it will be done. kept tells that something keeps the exports of which the
// forecast does not know, such as that no worker runs.
func foretold(f store.Forecast, now time.Time, kept bool) string {
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
		return text + "; done " + about(f.Done, now) + " if it went on at once"
	case !f.Done.IsZero():
		return text + "; done " + about(f.Done, now)
	case f.Waits != "":
		return text + "; when it will be done depends on when it goes on"
	}
	return text + "; it will not be done as things stand"
}

// about renders a time that is an estimate.
func about(t, now time.Time) string {
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

// prospect is when a batch will be done, and what keeps it.
type prospect struct {
	forecast store.Forecast
	warnings []string
}

// text is the forecast as a sentence.
func (r *prospect) text() string {
	return prose.Sentence(foretold(r.forecast, time.Now(), len(r.warnings) > 0 && r.forecast.Waits == ""))
}

// prospectOf foretells the end of an open batch. It is worth less than the rest: a
// Redis that fails just now leaves it out.
func (p *process) prospectOf(ctx context.Context, desk *operate.Desk, b store.Batch) *prospect {
	r, err := desk.Prospect(ctx, b, p.waits())
	if err != nil {
		return nil
	}
	return &prospect{r.Forecast, r.Waits}
}

// json is the forecast, and nil where there is none.
func (r *prospect) json() *store.Forecast {
	if r == nil {
		return nil
	}
	return &r.forecast
}

// heed are the warnings.
func (r *prospect) heed() []string {
	if r == nil {
		return nil
	}
	return r.warnings
}

// write prints the forecast and what keeps the batch.
func (r *prospect) write(out io.Writer, s style, width int) {
	if r == nil {
		return
	}
	hang(out, width, "", r.text())
	for _, w := range r.warnings {
		writeWarning(out, s, width, w)
	}
}

// writeWarning marks a sentence as one that somebody should heed.
func writeWarning(out io.Writer, s style, width int, text string) {
	var b strings.Builder
	hang(&b, width, "! ", text)
	_, _ = io.WriteString(out, s.paint(yellow, "!")+b.String()[1:])
}
