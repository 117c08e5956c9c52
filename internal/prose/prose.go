// Package prose formats numbers, times and findings as plain sentences, for the command line and
// the API.
package prose

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Grouped formats a number with commas between thousands.
func Grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Plural returns "1 dead letter" or "2 dead letters".
func Plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return Grouped(n) + " " + thing
}

// Span formats a duration with its two largest units.
func Span(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	case d >= time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return "1s" // shorter spans are useless for planning
}

// Sentence adds a capital letter and a period. "iCIMS" keeps its lower-case letter.
func Sentence(text string) string {
	if text == "" {
		return ""
	}
	if !strings.HasPrefix(text, "iCIMS") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
