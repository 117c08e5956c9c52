package console

import (
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/readback"
)

// words are the template functions.
var words = template.FuncMap{
	"asset":    asset,
	"number":   func(n any) string { return prose.Grouped(toInt(n)) },
	"plural":   func(n any, thing string) string { return prose.Plural(toInt(n), thing) },
	"moment":   moment,
	"ago":      func(t time.Time) template.HTML { return ago(t, time.Now()) },
	"span":     prose.Span,
	"sentence": sentenceCase,
	"alone":    alone,
	"dict":     dict,
	"tone":     tone,
	"word":     word,
	"join":     strings.Join,
	"clock":    clock,

	"refusedField": (*Refusal).Of,
	"answered":     answered,

	"connectionWord": connectionWord,
	"checkWord":      checkWord,
	"resultWord":     resultWord,
	"verdict":        verdict,
	"people":         readback.People,
	"readBackWord":   readBackWord,
	"latest":         latest,
}

// toInt converts the API's count types.
func toInt(n any) int {
	switch n := n.(type) {
	case int:
		return n
	case int64:
		return int(n)
	case int32:
		return int(n)
	default:
		return 0
	}
}

// dateLayout is the format of dates in pages.
const dateLayout = "2 Jan 2006, 15:04 UTC"

// moment shows a time in UTC, to the minute. Its title has the seconds.
func moment(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, t.Format(time.RFC3339), t.Format("2 Jan 2006, 15:04:05 UTC"), t.Format(dateLayout))) //nolint:gosec // digits and names of months
}

// clock shows the time of day.
func clock(t time.Time) template.HTML {
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.Format(time.RFC3339), t.Format("15:04:05"))) //nolint:gosec // digits
}

// ago shows how long ago a time was. Its title has the exact time.
func ago(t, now time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	t = t.UTC()
	text := "just now"
	switch d := now.Sub(t); {
	case d < -time.Second:
		text = "in " + prose.Span(-d)
	case d >= time.Minute:
		text = prose.Span(d) + " ago"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, t.Format(time.RFC3339), t.Format("2 Jan 2006, 15:04:05 UTC"), text)) //nolint:gosec // digits and our own words
}

// sentenceCase capitalizes the first letter, except in iCIMS.
func sentenceCase(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 || strings.HasPrefix(text, "iCIMS") {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// alone is a field's problem as a sentence beside the field: "is missing" becomes
// "Missing".
func alone(problem string) string {
	for _, verb := range []string{"is ", "are "} {
		if rest, ok := strings.CutPrefix(problem, verb); ok {
			return sentenceCase(rest)
		}
	}
	return sentenceCase(problem)
}

// dict makes a map from alternating names and values, for templates with several arguments.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("name %d is not a string", i)
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// tones map a state, outcome or step to its color: good, busy, warn or bad. The text next to the
// color says the same.
var tones = map[string]string{
	"connected": "good", "created": "good", "updated": "good", "passed": "good", "open": "good",
	"unverified": "warn", "degraded": "warn", "paused": "warn", "warning": "warn", "closed": "warn", "deferred": "warn", "retrying": "warn", "unknown": "warn",
	"verifying": "busy", "running": "busy", "queued": "busy", "active": "busy", "waiting": "busy", "in progress": "busy", "later": "busy",
	"invalid": "bad", "failed": "bad", "failing": "bad", "dead": "bad", "dead letter": "bad", "refused": "bad",
	"partly dead": "bad", "partly cancelled": "warn", "cancelled": "warn",
	"complete": "good", "exporting": "busy", "receiving": "busy", "claimed": "busy", "creating": "busy", "placing": "busy",
	"new": "warn", "credentials_rejected": "bad", "access_denied": "bad",
	"ok": "good", "warned": "warn", "incomplete": "warn", "partly": "warn", "not verified": "warn", "broken": "bad", "clean": "good", "problems": "bad", "done": "good",
}

// displayWords are the displayed names of API values, where they differ.
var displayWords = map[string]string{
	"cancelled": "canceled", "partly cancelled": "partly canceled", "moving": "in progress", "later": "scheduled",
}

// word returns the displayed name of a state or outcome.
func word(state any) string {
	text := fmt.Sprint(state)
	if w, ok := displayWords[text]; ok {
		return w
	}
	return text
}

func tone(state any) string {
	if t, ok := tones[fmt.Sprint(state)]; ok {
		return t
	}
	return "plain"
}
