package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
)

type deadCommand struct {
	List    deadListCommand    `cmd:"" help:"List dead letters."`
	Show    deadShowCommand    `cmd:"" help:"Explain one dead letter."`
	Retry   deadRetryCommand   `cmd:"" help:"Set dead letters going again, with a fresh retry budget."`
	Discard deadDiscardCommand `cmd:"" help:"Give dead letters up for good, and purge the candidates' data."`
}

// deadChoice says which dead letters are meant. Left out, a condition holds for
// all.
type deadChoice struct {
	Customer string `placeholder:"ID" help:"Only of this customer; all customers without."`
	Batch    string `placeholder:"ID" help:"Only of this batch."`
	Reason   string `placeholder:"CODE" help:"Only for this reason (docs/errors.md lists them)."`
	Since    string `placeholder:"TIME" help:"Only those given up since: 24h or 7d ago, or a time such as 2026-11-22T15:04:05Z."`
	Text     string `placeholder:"TEXT" help:"Only those that have this text in their reason, or in operation, status or codes of what iCIMS said last."`
	DryRun   bool   `help:"Only count what would be chosen, by reason."`
}

// chosen is one dead letter with the end of its story, where that can be read.
type chosen struct {
	store.DeadLetter
	last *store.Entry
}

// deadSearch is a choice that has been checked.
type deadSearch struct {
	operator  *operator
	customers []string
	filter    store.DeadFilter
	text      string
	export    string // only this one
	candidate string // only of this one
	until     time.Time
}

// named reports whether the choice narrows anything down.
func (c deadChoice) named() bool {
	return c.Customer != "" || c.Batch != "" || c.Reason != "" || c.Since != "" || c.Text != ""
}

func (c deadChoice) check() error {
	if c.Customer != "" && !store.ValidCustomer(c.Customer) {
		return misused("--customer must be iCIMS's customer id, digits only")
	}
	if c.Reason != "" && !slices.Contains(store.Reasons(), store.Reason(c.Reason)) {
		return misused("--reason %q is none of the reasons: docs/errors.md lists them, and --dry-run counts those that there are", c.Reason)
	}
	return nil
}

// search checks the choice. what names one: CUSTOMER:EXPORT, or a candidate.
func (c deadChoice) search(ctx context.Context, o *operator, what string) (*deadSearch, error) {
	s := &deadSearch{operator: o, text: strings.ToLower(c.Text)}
	s.filter.Reason = store.Reason(c.Reason)
	var err error
	if c.Batch != "" {
		if s.filter.Batch, err = store.ParseBatchID(c.Batch); err != nil {
			return nil, misused("%v", err)
		}
		if c.Customer != "" && c.Customer != s.filter.Batch.Customer() {
			return nil, misused("batch %s is not one of customer %s: leave --customer out", c.Batch, c.Customer)
		}
		c.Customer = s.filter.Batch.Customer()
	}
	if customer, export, ok := strings.Cut(what, ":"); ok && store.ValidCustomer(customer) {
		if c.Customer != "" && c.Customer != customer {
			return nil, misused("%s is not of customer %s: leave --customer and --batch out", what, c.Customer)
		}
		c.Customer, s.export = customer, export
	} else {
		s.candidate = what
	}
	now, err := o.ledger.Now(ctx)
	if err != nil {
		return nil, o.lost(err)
	}
	// Letters that are retried and die again meanwhile are not chosen twice.
	s.until = now
	if s.filter.Since, err = parseSince(c.Since, now); err != nil {
		return nil, err
	}
	s.customers, err = o.customers(ctx, c.Customer)
	return s, err
}

const deadPage = 500

// each calls yield with what is chosen, at most deadPage letters of one customer
// at a time, until yield returns an error.
func (s *deadSearch) each(ctx context.Context, yield func(customer string, page []chosen) error) error {
	for _, customer := range s.customers {
		var failure error
		page := make([]store.DeadLetter, 0, deadPage)
		flush := func() bool {
			var list []chosen
			if list, failure = s.choose(ctx, customer, page); failure == nil && len(list) > 0 {
				failure = yield(customer, list)
			}
			page = page[:0]
			return failure == nil
		}
		err := s.operator.ledger.DeadLetters(ctx, customer, s.filter, func(d store.DeadLetter) bool {
			if d.At.After(s.until) {
				return false
			}
			if s.export != "" && d.Export != s.export || s.candidate != "" && d.Candidate != s.candidate {
				return true
			}
			page = append(page, d)
			return len(page) < deadPage || flush()
		})
		if err == nil && failure == nil && len(page) > 0 {
			flush()
		}
		if failure != nil {
			return failure
		}
		if err != nil {
			return s.operator.lost(err)
		}
	}
	return nil
}

// choose adds how their stories ended, and goes by the text that was asked for.
func (s *deadSearch) choose(ctx context.Context, customer string, letters []store.DeadLetter) ([]chosen, error) {
	list := make([]chosen, len(letters))
	ids := make([]string, len(letters))
	for i, d := range letters {
		list[i].DeadLetter, ids[i] = d, d.Export
	}
	if !s.operator.sealed {
		entries, err := s.operator.ledger.LastEntries(ctx, customer, ids)
		if err != nil {
			return nil, s.operator.lost(err)
		}
		for i, e := range entries {
			list[i].last = e
		}
	}
	if s.text != "" {
		list = slices.DeleteFunc(list, func(c chosen) bool { return !c.has(s.text) })
	}
	return list, nil
}

// has reports whether the reason or the last failed call has the text.
func (c chosen) has(text string) bool {
	texts := []string{string(c.Reason)}
	if c.last != nil {
		for _, call := range c.last.Calls {
			texts = append(texts, call.Op, call.Reason, call.Transaction)
			texts = append(texts, call.Problems...)
			if call.Status != 0 {
				texts = append(texts, strconv.Itoa(call.Status), "status "+strconv.Itoa(call.Status))
			}
		}
	}
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(strings.ToLower(t), text) })
}

// deadCount is how many dead letters there are for a reason.
type deadCount struct {
	Reason store.Reason `json:"reason"`
	Count  int          `json:"count"`
	Title  string       `json:"title"`
	Hint   string       `json:"hint"`
}

// deadCounts counts by reason.
type deadCounts map[store.Reason]int

func (c deadCounts) add(page []chosen) {
	for _, d := range page {
		c[d.Reason]++
	}
}

// list is the counts, the largest first.
func (c deadCounts) list() []deadCount {
	list := make([]deadCount, 0, len(c))
	for _, r := range slices.Sorted(maps.Keys(c)) {
		list = append(list, deadCount{r, c[r], r.Info().Title, r.Info().Hint})
	}
	slices.SortStableFunc(list, func(x, y deadCount) int { return y.Count - x.Count })
	return list
}
