package operate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// callPhrases say what a call was to do.
var callPhrases = map[string]string{
	"customer.get":          "read the customer",
	"people.search":         "search for the e-mail",
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

// CallPhrase says what a call is to do, such as "create the person". Of what is no call
// it is "".
func CallPhrase(op string) string { return callPhrases[op] }

// Storyteller turns the story of an export into sentences.
type Storyteller struct {
	// Words adds iCIMS's own, which may repeat what was sent.
	Words bool
	// Clock is that of the reader.
	Clock prose.Clock
}

// tell tells one entry: what was found, what came of it, what iCIMS answered, and
// when it was to go on.
func (s Storyteller) tell(e store.Entry) string {
	if e.What == store.WhatSealed {
		return "Something that this keyset does not open."
	}
	begin, what := fmt.Sprintf("Attempt %d, %s: ", e.Attempt, s.Clock.When(e.At)), e.Reason.Info().Title
	switch e.What {
	case "retry":
	case "unknown":
		what = "it could not be known yet whether a write took effect"
	case "deferred":
		begin, what = strings.TrimSuffix(prose.Sentence(s.Clock.When(e.At)), ".")+": ", "put off, which counts as no attempt: "+what
	case "dead":
		what += ", so it was given up"
	case "done":
		what = "it worked"
	case "skipped":
		what = "skipped, " + what
	case "resolved":
		what = "" // the findings say it
	case "retried":
		return prose.Sentence(fmt.Sprintf("%s %s set it going again: “%s”", s.Clock.When(e.At), prose.Printable(e.Who), prose.Printable(e.Why)))
	case "cancelled":
		return prose.Sentence(fmt.Sprintf("%s %s cancelled it: “%s”", s.Clock.When(e.At), prose.Printable(e.Who), prose.Printable(e.Why)))
	case "transferred":
		act := prose.Sentence(fmt.Sprintf("%s %s sent the candidate to another job: “%s”", s.Clock.When(e.At), prose.Printable(e.Who), prose.Printable(e.Why)))
		return act + " " + prose.Sentence(strings.Join(e.Findings, ". "))
	case "settled":
		return prose.Sentence(s.Clock.When(e.At)+" it was settled") + " " + prose.Sentence(strings.Join(e.Findings, ". "))
	case "discarded":
		return prose.Sentence(fmt.Sprintf("%s %s gave it up for good: “%s”", s.Clock.When(e.At), prose.Printable(e.Who), prose.Printable(e.Why)))
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
		return "after a pause of " + pause + " iCIMS was to be searched, before anything is repeated"
	case "retry":
		return "it was to be tried again after " + pause
	}
	return "it was to go on after " + pause
}

// lower begins what follows a colon.
func lower(text string) string {
	first, rest, _ := strings.Cut(text, " ")
	if len(first) < 2 || first != strings.ToUpper(first[:1])+strings.ToLower(first[1:]) {
		return text
	}
	return strings.ToLower(first) + " " + rest
}

// call tells what iCIMS answered.
func (s Storyteller) call(c store.Called) string {
	phrase, made := callPhrases[c.Op]
	switch {
	case !made:
		return "" // held back before any call was made
	case c.Status == 0 && c.Sent == "no":
		return fmt.Sprintf("the request to %s was not sent", phrase)
	case c.Status == 0:
		return fmt.Sprintf("the request to %s was sent, but no answer came", phrase)
	}
	text := fmt.Sprintf("iCIMS answered the request to %s with status %d", phrase, c.Status)
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
			said = append(said, fmt.Sprintf("It said: “%s”.", strings.TrimRight(prose.Printable(words), ".")))
		}
	}
	return strings.Join(said, " ")
}

// codesOf are codes and fields without iCIMS's own words, which may repeat what
// was sent.
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

// Stands says how an export to a job (0 for none) stands or ended, and what to do or
// where to look.
func (s Storyteller) Stands(o Outcome, job int64, l Links) []string {
	place := ""
	if job != 0 && o.Workflow != 0 {
		place = fmt.Sprintf(", with workflow %d on job %d", o.Workflow, job)
	}
	next := ""
	if !o.Due.IsZero() {
		next = " The next try is due " + s.Clock.When(o.Due) + "."
	}
	switch o.State {
	case store.Queued:
		return []string{"It waits for a worker."}
	case store.Claimed:
		return []string{"A worker has it in hand."}
	case store.Creating:
		return []string{"A worker is creating the person right now."}
	case store.Created, store.Placing:
		return []string{fmt.Sprintf("Person %d is in iCIMS; a worker is putting the person on job %d.", o.Person, job)}
	case store.Deferred, store.Retrying, store.Unknown:
		known := ""
		if o.Person != 0 {
			known = fmt.Sprintf(" Person %d is in iCIMS already.", o.Person)
		}
		return []string{"It waits: " + o.Title + "." + known + next, o.Hint}
	case store.Done:
		how := "was created"
		if o.Counter == store.CountUpdated {
			how = "was in iCIMS already and is up to date"
		}
		return []string{fmt.Sprintf("It was done %s: person %d %s%s.", s.Clock.When(o.At), o.Person, how, place), l.Person(o.Person)}
	case store.Skipped:
		return []string{fmt.Sprintf("It was skipped %s: %s, as person %d.", s.Clock.When(o.At), o.Title, o.Person), l.Person(o.Person)}
	case store.Cancelled:
		if o.Reason == store.ReasonTransferred {
			return []string{"It was sent to another job " + s.Clock.When(o.At) + ", and goes on as an export of its own."}
		}
		if o.Reason == store.ReasonSettled {
			return []string{"It was settled " + s.Clock.When(o.At) + ": a later batch exported the candidate to a job."}
		}
		if o.Reason == store.ReasonCancelled {
			return []string{"It was cancelled " + s.Clock.When(o.At) + ", and the candidate's data purged."}
		}
		return []string{"It was given up for good " + s.Clock.When(o.At) + ", and the candidate's data purged."}
	case store.Dead:
		at := ""
		if !o.At.IsZero() {
			at = " " + s.Clock.When(o.At)
		}
		known := ""
		if o.Person != 0 {
			known = fmt.Sprintf(" Person %d is in iCIMS already, and a retry goes on from there.", o.Person)
		}
		return []string{fmt.Sprintf("It is a dead letter, given up%s: %s.%s", at, o.Title, known), o.Hint}
	}
	return []string{"It is " + string(o.State) + "."}
}
