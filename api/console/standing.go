package console

import (
	"fmt"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
)

// standing is how a batch stands, in words. Its template is shared by the page of the
// batch, its stream of events and the receipt of an export.
type standing struct {
	api.BatchStatus

	// MayCancel tells that its reader may cancel the batch.
	MayCancel bool
	now       time.Time
}

func (v *visit) standingOf(b api.BatchStatus) standing {
	return standing{b, v.May(api.ScopeExport), v.Now()}
}

// Over reports whether nothing of the batch will change any more by itself. The API's
// stream of events ends by the same rule.
func (s standing) Over() bool { return !s.Closed.IsZero() && s.Batch.Moving() == 0 }

// Customer is whose batch it is.
func (s standing) Customer() string { return s.ID.Customer() }

// Path is the address of the batch's page.
func (s standing) Path() string { return batchPage(s.Customer(), string(s.ID)) }

// batchPage is the address of a batch's page.
func batchPage(customer, batch string) string {
	return "/customers/" + customer + "/batches/" + batch
}

// State is how it stands in a word.
func (s standing) State() string {
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

// headings are the states as a person would say it.
var headings = map[string]string{
	"empty": "No candidate was accepted", "cancelled": "Cancelled", "complete": "Export complete",
	"receiving": "Candidates are still coming in", "waiting": "Waiting", "exporting": "Exporting",
}

// Heading is how it stands in a few words. "Export complete" is said only where none is
// dead or cancelled.
func (s standing) Heading() string {
	switch s.State() {
	case "dead", "partly dead":
		are := "are"
		if s.Dead == 1 {
			are = "is"
		}
		return fmt.Sprintf("Export ended: %s of %s %s dead", prose.Grouped(s.Dead), prose.Grouped(s.Accepted), are)
	case "partly cancelled":
		return fmt.Sprintf("Cancelled: %s of %s", prose.Grouped(s.Cancelled), prose.Plural(s.Accepted, "candidate"))
	}
	return headings[s.State()]
}

// Held reports whether something keeps the exports.
func (s standing) Held() bool { return len(s.Waits) > 0 || s.Forecast != nil && s.Forecast.Waits != "" }

// Done is how many exports have ended.
func (s standing) Done() int { return s.Accepted - s.Batch.Moving() }

// Percent is how much of the batch has ended; 100 only when all of it has.
func (s standing) Percent() int {
	const all = 100
	if s.Accepted == 0 {
		return 0
	}
	return s.Done() * all / s.Accepted
}

// Foretold is when it will be done, as a sentence; "" where nobody can tell.
func (s standing) Foretold() string {
	if s.Forecast == nil || s.Over() {
		return ""
	}
	return prose.Sentence(operate.Foretold(*s.Forecast, s.now, len(s.Waits) > 0 && s.Forecast.Waits == ""))
}

// Lane leads to where the lane is set going; nil where that is not what is waited for.
func (s standing) Lane() *link {
	hint := s.Reason().Hint
	return openLane(s.Customer(), append([]string{hint}, s.Waits...))
}

// Reason is why no calls are made now, if the forecast knows.
func (s standing) Reason() store.ReasonInfo {
	if s.Forecast == nil || s.Forecast.Waits == "" {
		return store.ReasonInfo{}
	}
	return s.Forecast.Waits.Info()
}

// quarters are what is said of each quarter of a batch that has ended.
var quarters = [...]string{"", "A quarter is done.", "Half is done.", "Three quarters are done.", ""}

// Step is what a screen reader says. It changes at a few steps only, however often the
// counts do.
func (s standing) Step() string {
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

// Counted are the counts that are not zero, as a sentence.
func (s standing) Counted() string {
	text := ""
	for _, c := range s.Counts() {
		if c.N == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += prose.Grouped(c.N) + " " + c.Name
	}
	return prose.Sentence(text)
}

// count is how many exports of a batch ended in a way.
type count struct {
	Name string
	N    int
	Tone string
}

// Counts are how many ended in which way, in the order in which they are told.
func (s standing) Counts() []count {
	return []count{
		{"created", s.Created, "good"}, {"updated", s.Updated, "good"}, {"skipped", s.Skipped, "plain"}, {"dead", s.Dead, "bad"}, {"cancelled", s.Cancelled, "warn"},
	}
}
