package console

import (
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

// cancelForm asks to confirm the cancellation of a batch.
type cancelForm struct {
	batchProgress

	// Would is the result of a dry run.
	Would   store.Cancellation
	Why     string
	Refused *Refusal
}

// Wrong returns the problem with the reason.
func (f cancelForm) Wrong() *api.FieldProblem { return f.Refused.Of("why") }

var (
	saidCancelled     = say("batch-cancelled", "Canceled. The data of the canceled candidates was deleted.")
	saidPartCancelled = say("batch-part-cancelled", "Canceled. The data of the canceled candidates was deleted. Some exports are still running and will finish; if one is rescheduled instead, cancel again.")
	saidPeopleLeft    = say("batch-people-left", "Canceled. The data of the canceled candidates was deleted. Some people were already created in iCIMS and stay there without the remaining steps; the results of canceled exports list them.")
	saidNothingWaited = say("batch-nothing-waited", "No exports were waiting, so nothing was canceled.")
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
	f := cancelForm{batchProgress: s}
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
