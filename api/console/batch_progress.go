package console

import (
	"fmt"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// batchProgress is a batch's progress in words. The batch's page, its event stream and the receipt
// of an export share its template.
type batchProgress struct {
	api.BatchStatus

	// MayCancel means that the reader may cancel the batch.
	MayCancel bool
	now       time.Time
}

func (v *visit) standingOf(b api.BatchStatus) batchProgress {
	return batchProgress{b, v.May(api.ScopeExport), v.Now()}
}

// Over reports whether the batch has ended, which also ends the API's event stream.
func (s batchProgress) Over() bool { return !s.Closed.IsZero() && s.Batch.Moving() == 0 }

// Customer returns the batch's customer.
func (s batchProgress) Customer() string { return s.ID.Customer() }

// Path returns the URL of the batch's page.
func (s batchProgress) Path() string { return batchPage(s.Customer(), string(s.ID)) }

// batchPage returns the URL of a batch's page.
func batchPage(customer, batch string) string {
	return "/customers/" + customer + "/batches/" + batch
}

// State returns the batch's state as a word.
func (s batchProgress) State() string {
	switch {
	case s.Over() && s.Accepted == 0:
		return "empty"
	case s.Over() && s.Cancelled == s.Accepted:
		return "cancelled"
	case s.Over() && s.Dead+s.Cancelled == s.Accepted:
		return "dead"
	case s.Over() && s.Dead > 0:
		return "partly dead"
	case s.Over() && s.Cancelled > 0:
		return "partly cancelled"
	case s.Over():
		return "complete"
	case s.Closed.IsZero():
		return "receiving"
	case s.Held():
		return "waiting"
	}
	return "exporting"
}

// headings are the headings of states.
var headings = map[string]string{
	"empty": "No candidates accepted", "cancelled": "Canceled", "complete": "Export complete",
	"receiving": "Receiving candidates", "waiting": "Waiting", "exporting": "Exporting",
}

// Heading returns the state in a few words. It is "Export complete" only if no export is dead or
// canceled.
func (s batchProgress) Heading() string {
	switch s.State() {
	case "dead", "partly dead":
		return fmt.Sprintf("Export ended: %s of %s failed", prose.Grouped(s.Dead), prose.Grouped(s.Accepted))
	case "partly cancelled":
		return fmt.Sprintf("Canceled: %s of %s", prose.Grouped(s.Cancelled), prose.Plural(s.Accepted, "candidate"))
	}
	return headings[s.State()]
}

// Held reports whether the exports are blocked.
func (s batchProgress) Held() bool {
	return len(s.Waits) > 0 || s.Forecast != nil && s.Forecast.Waits != ""
}

// Done returns how many exports have ended.
func (s batchProgress) Done() int { return s.Accepted - s.Batch.Moving() }

// Percent returns the share of ended exports; 100 only if all have ended.
func (s batchProgress) Percent() int {
	const all = 100
	if s.Accepted == 0 {
		return 0
	}
	return s.Done() * all / s.Accepted
}

// Foretold returns the forecast as a sentence; "" for none.
func (s batchProgress) Foretold() string {
	if s.Forecast == nil || s.Over() {
		return ""
	}
	return prose.Sentence(admin.ForecastText(*s.Forecast, s.now, len(s.Waits) > 0 && s.Forecast.Waits == ""))
}

// Lane links to the lane if resuming it unblocks the exports; otherwise it is nil.
func (s batchProgress) Lane() *link {
	hint := s.Reason().Hint
	return openLane(s.Customer(), append([]string{hint}, s.Waits...))
}

// Reason returns why no calls are made now, if the forecast knows.
func (s batchProgress) Reason() store.ReasonInfo {
	if s.Forecast == nil || s.Forecast.Waits == "" {
		return store.ReasonInfo{}
	}
	return s.Forecast.Waits.Info()
}

// quarters are announced as a batch progresses.
var quarters = [...]string{"", "25% done.", "50% done.", "75% done.", ""}

// Step returns the text for screen readers. It changes only a few times, however often the counts
// change.
func (s batchProgress) Step() string {
	if s.Over() {
		return s.Heading() + ". " + s.Counted()
	}
	const quarter = 25
	said := s.Heading() + "."
	if q := quarters[s.Percent()/quarter]; q != "" {
		said += " " + q
	}
	return said
}

// Counted returns the counts that are not zero as a sentence.
func (s batchProgress) Counted() string {
	text := ""
	for _, c := range s.Counts() {
		if c.N == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += prose.Grouped(c.N) + " " + word(c.Name)
	}
	return prose.Sentence(text)
}

// count is the number of exports with an outcome.
type count struct {
	Name string
	N    int
	Tone string
}

// Counts returns the number of exports per outcome, in display order.
func (s batchProgress) Counts() []count {
	return []count{
		{"created", s.Created, "good"}, {"updated", s.Updated, "good"}, {"skipped", s.Skipped, "plain"}, {"dead", s.Dead, "bad"}, {"cancelled", s.Cancelled, "warn"},
	}
}
