package main

import (
	"cmp"
	"strings"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
)

// whose returns the candidate, or the export if its outcome has expired.
func whose(o operate.Outcome) string { return cmp.Or(o.Candidate, o.Export) }

// endOf returns the outcome's name and color.
func endOf(o operate.Outcome) cell {
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

// noteOf returns further details in one line.
func noteOf(o operate.Outcome) string {
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
