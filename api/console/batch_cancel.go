package console

import (
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

// cancelForm asks whether a batch is to be cancelled.
type cancelForm struct {
	standing

	// Would is what a cancellation would end now.
	Would   store.Cancellation
	Why     string
	Refused *Refusal
}

// Wrong is what is wrong with the reason.
func (f cancelForm) Wrong() *api.FieldProblem { return f.Refused.Of("why") }

var (
	saidCancelled     = say("batch-cancelled", "What waited is cancelled, and its candidates' data purged.")
	saidPartCancelled = say("batch-part-cancelled", "What waited is cancelled, and its candidates' data purged. Some exports are in the middle of a call: they end by themselves. Should any be put off instead, cancel again.")
	saidPeopleLeft    = say("batch-people-left", "What waited is cancelled, and its candidates' data purged. For some the person was made in iCIMS already, without what was to follow: the results of those who were cancelled show the person.")
	saidNothingWaited = say("batch-nothing-waited", "Nothing waited any more, so nothing was cancelled.")
)

func (v *visit) askToCancel() error {
	f, err := v.cancelForm()
	if err != nil {
		return err
	}
	return v.page("batch_cancel", "Cancel the export to "+f.Target()+"?", f)
}

func (v *visit) cancelForm() (cancelForm, error) {
	s, err := v.readBatch()
	f := cancelForm{standing: s}
	if err == nil {
		err = v.post(v.batchPath("cancel"), map[string]any{"dry_run": true}, &f.Would)
	}
	return f, err
}

func (v *visit) cancelBatch() error {
	why := strings.TrimSpace(v.r.PostFormValue("why"))
	var done store.Cancellation
	err := v.post(v.batchPath("cancel"), map[string]any{"why": why}, &done)
	refused, ok := refusalOf(err)
	if ok {
		f, err := v.cancelForm()
		if err != nil {
			return err
		}
		f.Why, f.Refused = why, refused
		return v.pageWith(refused, "batch_cancel", "Cancel the export to "+f.Target()+"?", f)
	}
	if err != nil {
		return err
	}
	said := saidCancelled
	switch {
	case done.Cancelled == 0 && done.Busy == 0:
		said = saidNothingWaited
	case done.PeopleLeft > 0:
		said = saidPeopleLeft
	case done.Busy > 0:
		said = saidPartCancelled
	}
	return v.redirect(batchPage(v.Customer, v.r.PathValue("batch")), said)
}
