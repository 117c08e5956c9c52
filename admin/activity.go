package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// Activity is an entry of a lane's activity: an event, or an action of an operator.
type Activity struct {
	At   time.Time
	Text string
	// Times counts repetitions within a minute, such as one per worker.
	Times int
}

// Happened lists the recent activity, newest first.
func (l LaneDetail) Happened(at prose.Clock) []Activity {
	var all []Activity
	for _, e := range l.Events {
		// Actions say more about pauses than events do.
		if len(l.Actions) > 0 && (e.Kind == "paused" || e.Kind == "resumed") {
			continue
		}
		all = append(all, Activity{At: e.At, Text: eventText(e, at)})
	}
	for _, a := range l.Actions {
		text := fmt.Sprintf("%s %s", prose.Printable(a.Who), prose.Printable(a.What))
		if a.Count > 1 {
			text += fmt.Sprintf(" (%s)", prose.Grouped(a.Count))
		}
		if a.Why != "" {
			text += fmt.Sprintf(": “%s”", prose.Printable(a.Why))
		}
		all = append(all, Activity{At: a.At, Text: text})
	}
	slices.SortStableFunc(all, func(x, y Activity) int { return cmp.Compare(y.At.UnixMilli(), x.At.UnixMilli()) })
	all = mergeRepeated(all)
	return all[:min(len(all), shownEvents)]
}

// mergeRepeated merges equal entries within a minute.
func mergeRepeated(all []Activity) []Activity {
	var kept []Activity
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

// eventText describes an event.
func eventText(e store.Event, at prose.Clock) string {
	reason := store.Reason(e.Text).Info().Title
	switch e.Kind {
	case "closed":
		text := "lane closed: " + reason
		if !e.Until.IsZero() {
			text += ", until " + at.Moment(e.Until)
		}
		return text
	case "opened":
		return "lane open again after: " + reason
	case "breaker":
		return map[string]string{
			"open": "calls suspended: iCIMS keeps failing", "half-open": "probing iCIMS with one call", "closed": "iCIMS responds again; calls resumed",
		}[e.Text]
	}
	return strings.TrimSpace(e.Kind + " " + prose.Printable(e.Text))
}
