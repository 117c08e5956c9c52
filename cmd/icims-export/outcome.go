package main

import (
	"cmp"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// whose returns the candidate, or the export if its outcome has expired.
func whose(o admin.Outcome) string { return cmp.Or(o.Candidate, o.Export) }

// endOf returns the outcome for display, with its color.
func endOf(o admin.Outcome) cell {
	text := endName(o)
	if text == string(store.CountCancelled) {
		text = "canceled"
	}
	switch {
	case o.State == store.Dead:
		return cell{text, red}
	case o.Counter == store.CountCreated || o.Counter == store.CountUpdated:
		return cell{text, green}
	case o.State.Ended():
		return cell{text, dim}
	}
	return cell{text, yellow}
}

// endName returns the outcome, or the state of an open export, as the API names it.
func endName(o admin.Outcome) string {
	switch {
	case o.State == store.Dead:
		return "dead"
	case o.Counter == store.CountCreated || o.Counter == store.CountUpdated:
		return string(o.Counter)
	case o.State.Ended():
		return cmp.Or(string(o.Counter), string(o.State))
	}
	return string(o.State)
}

// noteOf returns further details in one line.
func noteOf(o admin.Outcome) string {
	parts := make([]string, 0, 3)
	if o.Title != "" {
		parts = append(parts, o.Title)
	}
	if !o.Due.IsZero() {
		parts = append(parts, "next try "+prose.Moment(o.Due))
	}
	parts = append(parts, o.Warnings...)
	return strings.Join(parts, "; ")
}
