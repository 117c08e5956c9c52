package admin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// callPhrases describe calls by operation.
var callPhrases = map[string]string{
	"customer.get":          "read the customer",
	"people.search":         "search for the email",
	"workflows.search":      "search for the workflow",
	"portals.search":        "read the job portal",
	"people.get":            "read the person",
	"people.create":         "create the person",
	"people.patch":          "update the person",
	"people.collection.add": "add an entry to the person",
	"workflows.get":         "read a workflow",
	"workflows.pair":        "read the workflow of a person and job",
	"workflows.create":      "create the workflow",
	"workflows.patch":       "update the workflow",
	"jobs.get":              "read the job",
	"schema.get":            "read the field definitions",
}

// CallPhrase describes a call, such as "create the person". It returns "" for unknown operations.
func CallPhrase(op string) string { return callPhrases[op] }

// TimelineWriter writes the timeline of an export as sentences.
type TimelineWriter struct {
	// Words includes iCIMS's messages, which may repeat personal data.
	Words bool
	// Clock formats times for the reader.
	Clock prose.Clock
}

// sentence describes one entry: findings, result, iCIMS's responses and the next attempt.
func (s TimelineWriter) sentence(e store.Entry) string {
	if e.What == store.WhatSealed {
		return "Unreadable entry: this keyset does not open it."
	}
	begin, what := fmt.Sprintf("Attempt %d %s: ", e.Attempt, s.Clock.When(e.At)), e.Reason.Info().Title
	switch e.What {
	case "retry":
	case "unknown":
		what = "unconfirmed write"
	case "deferred":
		begin, what = strings.TrimSuffix(prose.Sentence(s.Clock.When(e.At)), ".")+": ", "postponed without counting an attempt: "+what
	case "dead":
		what += ", so the export failed"
	case "done":
		what = "succeeded"
	case "skipped":
		what = "skipped: " + what
	case "resolved":
		what = "" // the findings say it
	case "retried":
		return prose.Sentence(fmt.Sprintf("%s %s retried it: “%s”", s.Clock.When(e.At), prose.Printable(e.Who), prose.Printable(e.Why)))
	case "cancelled":
		return prose.Sentence(fmt.Sprintf("%s %s canceled it: “%s”", s.Clock.When(e.At), prose.Printable(e.Who), prose.Printable(e.Why)))
	case "transferred":
		act := prose.Sentence(fmt.Sprintf("%s %s moved the candidate to another job: “%s”", s.Clock.When(e.At), prose.Printable(e.Who), prose.Printable(e.Why)))
		return act + " " + prose.Sentence(strings.Join(e.Findings, ". "))
	case "settled":
		return prose.Sentence(s.Clock.When(e.At)+" settled") + " " + prose.Sentence(strings.Join(e.Findings, ". "))
	case "discarded":
		return prose.Sentence(fmt.Sprintf("%s %s discarded it: “%s”", s.Clock.When(e.At), prose.Printable(e.Who), prose.Printable(e.Why)))
	default:
		what = e.What
	}
	told := slices.Clone(e.Findings)
	if what != "" {
		told = append(told, what)
	}
	for _, c := range e.Calls {
		told = append(told, s.call(c))
	}
	if e.Again > 0 {
		told = append(told, again(e))
	}
	for i, text := range told {
		told[i] = prose.Sentence(text)
	}
	told = slices.DeleteFunc(told, func(text string) bool { return text == "" })
	return begin + lower(strings.Join(told, " "))
}

func again(e store.Entry) string {
	pause := prose.Span(time.Duration(e.Again) * time.Second)
	switch e.What {
	case "unknown":
		return "iCIMS is searched after " + pause + ", before anything is repeated"
	case "retry":
		return "next attempt after " + pause
	}
	return "continues after " + pause
}

// lower makes the first word lowercase, for text after a colon.
func lower(text string) string {
	first, rest, _ := strings.Cut(text, " ")
	if len(first) < 2 || first != strings.ToUpper(first[:1])+strings.ToLower(first[1:]) {
		return text
	}
	return strings.ToLower(first) + " " + rest
}

// call describes iCIMS's response.
func (s TimelineWriter) call(c store.Called) string {
	phrase, made := callPhrases[c.Op]
	switch {
	case !made:
		return "" // delayed before a call
	case c.Status == 0 && c.Sent == "no":
		return fmt.Sprintf("the request to %s was not sent", phrase)
	case c.Status == 0:
		return fmt.Sprintf("no response to the request to %s", phrase)
	}
	text := fmt.Sprintf("iCIMS responded to the request to %s with status %d", phrase, c.Status)
	text = strings.Join(append([]string{text}, codesOf(c)...), ", ")
	if c.Transaction != "" {
		text += " (transaction " + c.Transaction + ")"
	}
	if !s.Words {
		return text
	}
	said := []string{prose.Sentence(text)}
	for _, p := range c.Problems {
		if _, words, ok := strings.Cut(p, ": "); ok && words != "" {
			said = append(said, fmt.Sprintf("Message: “%s”.", strings.TrimRight(prose.Printable(words), ".")))
		}
	}
	return strings.Join(said, " ")
}

// codesOf returns codes and fields without iCIMS's messages, which may repeat personal data.
func codesOf(c store.Called) []string {
	codes := make([]string, 0, len(c.Problems))
	for _, p := range c.Problems {
		code, _, _ := strings.Cut(p, ": ")
		if code != "no code" && code != "" {
			codes = append(codes, code)
		}
	}
	return codes
}

// Stands describes the state of an export to a job (0 for none), and the next step or link.
func (s TimelineWriter) Stands(o Outcome, job int64, l Links) []string {
	place := ""
	if job != 0 && o.Workflow != 0 {
		place = fmt.Sprintf(", with workflow %d on job %d", o.Workflow, job)
	}
	next := ""
	if !o.Due.IsZero() {
		next = " Next attempt " + s.Clock.When(o.Due) + "."
	}
	switch o.State {
	case store.Queued:
		return []string{"Waiting for a worker."}
	case store.Claimed:
		return []string{"In progress."}
	case store.Creating:
		return []string{"In progress: creating the person."}
	case store.Created, store.Placing:
		return []string{fmt.Sprintf("In progress: person %d exists in iCIMS; adding the person to job %d.", o.Person, job)}
	case store.Deferred, store.Retrying, store.Unknown:
		known := ""
		if o.Person != 0 {
			known = fmt.Sprintf(" Person %d exists in iCIMS.", o.Person)
		}
		return []string{"Waiting: " + o.Title + "." + known + next, o.Hint}
	case store.Done:
		how := "was created"
		if o.Counter == store.CountUpdated {
			how = "was already in iCIMS and is up to date"
		}
		return []string{fmt.Sprintf("Done %s: person %d %s%s.", s.Clock.When(o.At), o.Person, how, place), l.Person(o.Person)}
	case store.Skipped:
		return []string{fmt.Sprintf("Skipped %s: %s, as person %d.", s.Clock.When(o.At), o.Title, o.Person), l.Person(o.Person)}
	case store.Cancelled:
		if o.Reason == store.ReasonTransferred {
			return []string{"Moved to another job " + s.Clock.When(o.At) + " as a new export."}
		}
		if o.Reason == store.ReasonSettled {
			return []string{"Settled " + s.Clock.When(o.At) + ": a later batch exported the candidate to a job."}
		}
		if o.Reason == store.ReasonCancelled {
			return []string{"Canceled " + s.Clock.When(o.At) + ". The candidate's data was deleted."}
		}
		return []string{"Discarded " + s.Clock.When(o.At) + ". The candidate's data was deleted."}
	case store.Dead:
		at := ""
		if !o.At.IsZero() {
			at = " " + s.Clock.When(o.At)
		}
		known := ""
		if o.Person != 0 {
			known = fmt.Sprintf(" Person %d exists in iCIMS; a retry continues from there.", o.Person)
		}
		return []string{fmt.Sprintf("Failed%s: %s.%s", at, o.Title, known), o.Hint}
	}
	return []string{"State: " + string(o.State) + "."}
}
