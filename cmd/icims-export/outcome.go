package main

import (
	"cmp"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker"
)

// outcome is how one export stands, explained.
type outcome struct {
	store.Outcome

	Row      int      `json:"row"`
	Title    string   `json:"title,omitempty"` // of the reason
	Hint     string   `json:"hint,omitempty"`
	Warnings []string `json:"warnings,omitempty"` // as sentences
	Link     string   `json:"link,omitempty"`
}

func explain(o store.Outcome, row int, l links) outcome {
	e := outcome{Outcome: o, Row: row, Link: l.person(o.Person)}
	if o.Reason != "" {
		info := o.Reason.Info()
		e.Title, e.Hint = info.Title, info.Hint
	}
	for _, w := range worker.ParseWarnings(o.Warnings) {
		e.Warnings = append(e.Warnings, w.Text())
	}
	return e
}

// who names the candidate, or the export where its outcome has expired.
func (o outcome) who() string { return cmp.Or(o.Candidate, o.Export) }

// how is the outcome in a word, and its colour.
func (o outcome) how() cell {
	switch {
	case o.State == store.Dead:
		return cell{"dead", red}
	case o.Counter == store.CountCreated || o.Counter == store.CountUpdated:
		return cell{string(o.Counter), green}
	case o.State.Ended():
		return cell{cmp.Or(string(o.Counter), string(o.State)), dim}
	}
	return cell{string(o.State), yellow}
}

// note is what else is to be said, in one line.
func (o outcome) note() string {
	parts := make([]string, 0, 3)
	if o.Title != "" {
		parts = append(parts, o.Title)
	}
	if !o.Due.IsZero() {
		parts = append(parts, "next try "+moment(o.Due))
	}
	parts = append(parts, o.Warnings...)
	return strings.Join(parts, "; ")
}

// moment renders a time for people.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if t = t.Local(); time.Since(t).Abs() < 12*time.Hour {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}
