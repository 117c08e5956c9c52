package operate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// Happening is something that happened to a customer's exports, by itself or by an
// operator.
type Happening struct {
	At   time.Time
	Text string
	// Times is how often it happened within a minute, as in each of several workers.
	Times int
}

// Happened tells what happened last, the latest first.
func (l LaneDetail) Happened(at prose.Clock) []Happening {
	var all []Happening
	for _, e := range l.Events {
		// Of pauses the actions tell more, where they can be read.
		if len(l.Actions) > 0 && (e.Kind == "paused" || e.Kind == "resumed") {
			continue
		}
		all = append(all, Happening{At: e.At, Text: eventText(e, at)})
	}
	for _, a := range l.Actions {
		text := fmt.Sprintf("%s %s", prose.Printable(a.Who), prose.Printable(a.What))
		if a.Count > 1 {
			text += fmt.Sprintf(" (%s)", prose.Grouped(a.Count))
		}
		if a.Why != "" {
			text += fmt.Sprintf(": “%s”", prose.Printable(a.Why))
		}
		all = append(all, Happening{At: a.At, Text: text})
	}
	slices.SortStableFunc(all, func(x, y Happening) int { return cmp.Compare(y.At.UnixMilli(), x.At.UnixMilli()) })
	all = once(all)
	return all[:min(len(all), shownEvents)]
}

// once puts together what happened several times within a minute.
func once(all []Happening) []Happening {
	var kept []Happening
	for _, h := range all {
		h.Times = 1
		if n := len(kept); n > 0 && kept[n-1].Text == h.Text && kept[n-1].At.Sub(h.At) < time.Minute {
			kept[n-1].Times++
			continue
		}
		kept = append(kept, h)
	}
	return kept
}

// eventText is an event as a sentence.
func eventText(e store.Event, at prose.Clock) string {
	reason := store.Reason(e.Text).Info().Title
	switch e.Kind {
	case "closed":
		text := "no calls: " + reason
		if !e.Until.IsZero() {
			text += ", until " + at.Moment(e.Until)
		}
		return text
	case "opened":
		return "calls again, after: " + reason
	case "breaker":
		return map[string]string{
			"open": "calls suspended, since iCIMS keeps failing", "half-open": "iCIMS is probed with one call", "closed": "iCIMS answers again; calls go on",
		}[e.Text]
	}
	return strings.TrimSpace(e.Kind + " " + prose.Printable(e.Text))
}
