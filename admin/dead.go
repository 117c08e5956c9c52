package admin

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
)

// DeadChoice selects dead letters. An empty condition matches all.
type DeadChoice struct {
	store.DeadFilter

	Customers []string
	// Until excludes letters that failed later, so that a letter that is retried and fails again
	// during the action is not selected twice.
	Until time.Time
	// Text is searched for in the reason, and in the operation, status or codes of iCIMS's last
	// response.
	Text      string
	Candidate string // empty for all
	// Exports, if any, selects only these. They belong to one customer.
	Exports []string
}

// DeadLetter is a dead letter with the last entry of its timeline, if that is readable.
type DeadLetter struct {
	store.DeadLetter
	last *store.Entry
}

const deadPage = 500

// Each calls yield with the selected letters, up to 500 of one customer at a time. If yield
// returns an error, DeadLetters returns that error.
func (d *DeadLetters) Each(ctx context.Context, choice DeadChoice, yield func(customer string, page []DeadLetter) error) error {
	for _, customer := range choice.Customers {
		if err := d.deadLettersOf(ctx, customer, choice, yield); err != nil {
			return err
		}
	}
	return nil
}

func (d *base) deadLettersOf(ctx context.Context, customer string, choice DeadChoice, yield func(string, []DeadLetter) error) error {
	var failure error
	page := make([]store.DeadLetter, 0, deadPage)
	flush := func() bool {
		var list []DeadLetter
		if list, failure = d.letters(ctx, customer, choice.Text, page); failure == nil && len(list) > 0 {
			failure = yield(customer, list)
		}
		page = page[:0]
		return failure == nil
	}
	each := func(letter store.DeadLetter) bool {
		switch {
		case !choice.Until.IsZero() && letter.At.After(choice.Until):
			return false
		case choice.Candidate != "" && letter.Candidate != choice.Candidate:
			return true
		}
		page = append(page, letter)
		return len(page) < deadPage || flush()
	}
	var err error
	if len(choice.Exports) > 0 {
		err = d.named(ctx, customer, choice, each)
	} else {
		err = d.Ledger.DeadLetters.Each(ctx, customer, choice.DeadFilter, each)
	}
	if err == nil && failure == nil && len(page) > 0 {
		flush()
	}
	if failure != nil {
		return failure
	}
	return err
}

// named reads the letters that choice.Exports names.
func (d *base) named(ctx context.Context, customer string, choice DeadChoice, yield func(store.DeadLetter) bool) error {
	for exports := range slices.Chunk(choice.Exports, deadPage) {
		letters, err := d.Ledger.DeadLetters.GetAll(ctx, customer, exports)
		if err != nil {
			return err
		}
		for _, letter := range letters {
			if choice.Chooses(letter) && !yield(letter) {
				return nil
			}
		}
	}
	return nil
}

// letters adds the last timeline entry of each letter, and filters by text.
func (d *base) letters(ctx context.Context, customer, text string, letters []store.DeadLetter) ([]DeadLetter, error) {
	list := make([]DeadLetter, len(letters))
	ids := make([]string, len(letters))
	for i, l := range letters {
		list[i].DeadLetter, ids[i] = l, l.Export
	}
	if !d.Closed {
		entries, err := d.Ledger.DeadLetters.LastEntries(ctx, customer, ids)
		if err != nil {
			return nil, err
		}
		for i, e := range entries {
			list[i].last = e
		}
	}
	if text = strings.ToLower(text); text != "" {
		list = slices.DeleteFunc(list, func(l DeadLetter) bool { return !l.has(text) })
	}
	return list, nil
}

// has reports whether the reason or the last failed call contains the text.
func (l DeadLetter) has(text string) bool {
	texts := []string{string(l.Reason)}
	if l.last != nil {
		for _, call := range l.last.Calls {
			texts = append(texts, call.Op, call.Reason, call.Transaction)
			texts = append(texts, call.Problems...)
			if call.Status != 0 {
				texts = append(texts, strconv.Itoa(call.Status), "status "+strconv.Itoa(call.Status))
			}
		}
	}
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(strings.ToLower(t), text) })
}

// DeadLine is a dead letter in a list.
type DeadLine struct {
	Customer    string        `json:"customer" doc:"iCIMS's customer ID."`
	Export      string        `json:"export" doc:"The export's ID."`
	Batch       store.BatchID `json:"batch" doc:"The export's batch."`
	Candidate   string        `json:"candidate" doc:"The candidate's ID, as submitted."`
	Died        time.Time     `json:"died" doc:"When the export failed."`
	Attempts    int           `json:"attempts" doc:"Number of attempts."`
	Reason      store.Reason  `json:"reason" doc:"Why: a code of docs/errors.md."`
	Title       string        `json:"title" doc:"The reason in words."`
	Hint        string        `json:"hint" doc:"The remedy."`
	Person      int64         `json:"person,omitempty" doc:"The person in iCIMS, if there is one."`
	Operation   string        `json:"operation,omitempty" doc:"The last failed call."`
	Status      int           `json:"status,omitempty" doc:"The status of iCIMS's response."`
	Codes       []string      `json:"codes,omitempty" doc:"The codes and fields of the response."`
	Transaction string        `json:"transaction,omitempty" doc:"The transaction ID, for iCIMS support."`
}

// Line returns the letter as a list entry.
func (l DeadLetter) Line() DeadLine {
	info := l.Reason.Info()
	line := DeadLine{
		Customer: l.Customer, Export: l.Export, Batch: l.Batch, Candidate: l.Candidate, Died: l.At.UTC(),
		Attempts: l.Attempts + 1, // the ledger does not count the last attempt
		Reason:   l.Reason, Title: info.Title, Hint: info.Hint, Person: l.Person,
	}
	if l.last != nil && len(l.last.Calls) > 0 {
		call := l.last.Calls[len(l.last.Calls)-1]
		line.Operation, line.Status, line.Transaction, line.Codes = call.Op, call.Status, call.Transaction, codesOf(call)
	}
	return line
}

// DeadCount counts the dead letters of one reason.
type DeadCount struct {
	Reason store.Reason `json:"reason" doc:"A code of docs/errors.md."`
	Count  int          `json:"count" doc:"Number of dead letters."`
	Title  string       `json:"title" doc:"The reason in words."`
	Hint   string       `json:"hint" doc:"The remedy."`
}

// DeadCounts maps reasons to numbers of dead letters.
type DeadCounts map[store.Reason]int

// Add counts the letters of a page.
func (c DeadCounts) Add(page []DeadLetter) {
	for _, l := range page {
		c[l.Reason]++
	}
}

// Total returns the number of letters counted.
func (c DeadCounts) Total() int {
	n := 0
	for _, count := range c {
		n += count
	}
	return n
}

// List returns the counts, largest first.
func (c DeadCounts) List() []DeadCount {
	list := make([]DeadCount, 0, len(c))
	for _, r := range slices.Sorted(maps.Keys(c)) {
		list = append(list, DeadCount{r, c[r], r.Info().Title, r.Info().Hint})
	}
	slices.SortStableFunc(list, func(x, y DeadCount) int { return y.Count - x.Count })
	return list
}

// Count counts the selected letters by reason.
func (d *DeadLetters) Count(ctx context.Context, choice DeadChoice) (DeadCounts, error) {
	counts := DeadCounts{}
	err := d.DeadLetters.Each(ctx, choice, func(_ string, page []DeadLetter) error {
		counts.Add(page)
		return nil
	})
	return counts, err
}
