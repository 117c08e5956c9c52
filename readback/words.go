package readback

import (
	"fmt"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// The kinds of violations of a read-back.
const (
	ViolationPerson   = "remote_person"   // an exported person who is not in iCIMS
	ViolationWorkflow = "remote_workflow" // a workflow that is not in iCIMS
	ViolationField    = "remote_field"    // a field of which less than half arrived
)

// Violations returns the violations found by a read-back.
func (v ReadBack) Violations() []store.Violation {
	var found []store.Violation
	violate := func(kind, format string, args ...any) {
		found = append(found, store.Violation{Kind: kind, Customer: v.Customer, Text: fmt.Sprintf(format, args...)})
	}
	for _, id := range v.Report.People.Gone {
		violate(ViolationPerson, "Person %d was exported and cannot be found in iCIMS: deleted, merged, or hidden from the account.", id)
	}
	for _, id := range v.Report.Workflows.Gone {
		violate(ViolationWorkflow, "Workflow %d was created and cannot be found in iCIMS.", id)
	}
	for _, c := range v.Report.Fields {
		switch {
		case !c.Low():
		case c.ignored():
			violate(ViolationField, "The field %s was sent %s, and iCIMS has the same other value each time: it ignores what is sent, or a user changed all of them. Verify the connection, or set the value's node ID in the connection.", c.Field, times(c.Sent))
		default:
			violate(ViolationField, "The field %s was sent %s and is in iCIMS %s. Ask iCIMS to let the account read and write it.", c.Field, times(c.Sent), times(c.Arrived))
		}
	}
	return found
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return prose.Grouped(n) + " times"
}

// Summary counts the records read and the calls.
func (v ReadBack) Summary() string {
	text := fmt.Sprintf("Read back from iCIMS with %s: %s, %d gone; %s, %d gone.", prose.Plural(v.Calls, "call"),
		People(v.Report.People.Found), len(v.Report.People.Gone), prose.Plural(v.Report.Workflows.Found, "workflow"), len(v.Report.Workflows.Gone))
	if n := v.Report.People.Unread + v.Report.Workflows.Unread; n > 0 {
		text += fmt.Sprintf(" %s failed.", prose.Plural(n, "call"))
	}
	if n := v.Report.PresenceOnly; n > 0 {
		text += fmt.Sprintf(" For %s the record of what was sent has expired: only their presence was checked.", People(n))
	}
	return text
}

// Percent returns the share of values that arrived.
func (c FieldCount) Percent() string { return fmt.Sprintf("%.0f%%", 100*c.Share) }

// Headings returns the headings of the field table.
func Headings() []string { return []string{"field", "sent", "arrived", "changed", "missing", "share"} }

// People returns "1 person" or "2 people".
func People(n int) string {
	if n == 1 {
		return "1 person"
	}
	return prose.Grouped(n) + " people"
}

// SampleText returns the size of the sample, such as "50 people and 50 workflows".
func (p Plan) SampleText() string {
	text := People(p.People)
	if p.Workflows > 0 {
		text += " and " + prose.Plural(p.Workflows, "workflow")
	}
	return text
}

// CostText returns the cost of a read-back, such as "50 people and 50 workflows: up to 100 calls of
// 9,994 left today.".
func (p Plan) CostText() string {
	text := p.SampleText() + ": up to " + prose.Plural(p.Calls, "call")
	if p.Known {
		text += fmt.Sprintf(" of %s left today", prose.Grouped(p.Left))
	}
	return text + "."
}
