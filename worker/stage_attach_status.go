package worker

import (
	"context"
	"errors"
	"slices"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
)

// iCIMS may accept a status label, refuse it, or ignore it with or without a warning (API sheet
// §9.4, §0.3). So the first workflow of a connection is read back. If its status differs, the ID
// of the right status is searched by its label and set.

// isAbout reports whether iCIMS refuses a request for one field alone.
func isAbout(e *icims.Error, field string) bool {
	return (e.Reason == icims.ReasonFieldRefused || e.Reason == icims.ReasonFieldRequired) && slices.Equal(e.Fields(), []string{field})
}

// nextStatus returns what to send instead of a refused status: the ID for its label, or none. A
// status that the tenant is known to accept is left out for this workflow only.
func (s attachStage) nextStatus(ctx context.Context, refused store.NodeRef, known statusInfo) (store.NodeRef, error) {
	if known.settled || refused.ID != "" {
		return store.NodeRef{}, nil
	}
	return s.searchStatus(ctx, refused.Value)
}

// searchStatus returns the ID of the status with a label. It returns zero if no workflow has that
// status, or if it was searched before.
func (s attachStage) searchStatus(ctx context.Context, label string) (store.NodeRef, error) {
	if label == "" || !s.tenant.askStatus() {
		return store.NodeRef{}, nil
	}
	found, err := s.client.FindStatus(ctx, label)
	if e, ok := errors.AsType[*icims.Error](err); ok && denied(e) {
		return store.NodeRef{}, nil // the account may not search workflows
	}
	if err != nil {
		s.tenant.askStatusAgain()
	}
	if err != nil || found == nil {
		return store.NodeRef{}, err
	}
	return store.NodeRef{ID: found.ID, Value: label}, nil
}

// checkStatus checks and corrects the status of a new workflow. The workflow counts as created
// whatever the result.
func (s attachStage) checkStatus(ctx context.Context, x *export, id icims.WorkflowID, sent store.NodeRef, known statusInfo, warned bool) {
	if s.conn.Status.IsZero() && sent.IsZero() {
		return
	}
	if known.settled && known.later {
		if set, _ := s.setStatus(ctx, x, id, known.ref); !set {
			x.warn(mapping.WarningStatusDropped)
		}
		return
	}
	if known.settled {
		if warned || known.ignored || sent.IsZero() {
			x.warn(mapping.WarningStatusDropped)
		}
		return
	}
	kept, err := false, error(nil)
	if !warned && !sent.IsZero() {
		kept, err = s.isIn(ctx, id, sent)
	}
	switch {
	case err != nil: // the next workflow is checked instead
		x.notef("workflow %d could not be read back: %v", id, err)
		x.warn(mapping.WarningStatusDropped)
		return
	case kept:
		s.tenant.settleStatus(sent, false)
		return
	}
	right := sent
	if right.ID == "" {
		found, err := s.searchStatus(ctx, s.conn.Status.Value)
		if err != nil {
			x.notef("the status's id could not be found: %v", err)
			x.warn(mapping.WarningStatusDropped)
			return
		}
		if found.ID != "" {
			right = found
		}
	}
	set, err := s.setStatus(ctx, x, id, right)
	if err != nil { // the next workflow is corrected instead
		x.warn(mapping.WarningStatusDropped)
		return
	}
	if !set {
		x.warn(mapping.WarningStatusDropped)
		if right.ID != "" && sent.ID == "" && !sent.IsZero() {
			s.tenant.tryStatus(right) // the next workflow shows whether iCIMS accepts the ID
			return
		}
		if sent.IsZero() { // it was refused, so it is not sent again
			right = store.NodeRef{}
		} else if right.ID == "" {
			right = sent
		}
		s.tenant.settleStatus(right, true)
		return
	}
	x.notef("iCIMS ignored the status, so it was set by a second call")
	x.warn(mapping.WarningStatusLater)
	if right == sent {
		s.tenant.settleStatusLater(right)
		return
	}
	s.tenant.tryStatus(right) // the next workflow shows whether iCIMS accepts the ID at once
}

// setStatus sets a workflow's status, and reports whether it has that status now. A status may be
// ignored without a warning, so the workflow is read unless the status is known to be settable. The
// error is temporary.
func (s attachStage) setStatus(ctx context.Context, x *export, id icims.WorkflowID, status store.NodeRef) (set bool, err error) {
	if status.IsZero() {
		return false, nil
	}
	var answer *icims.Response
	err = s.finder.patiently(ctx, func() (err error) {
		answer, err = s.client.PatchWorkflow(ctx, id, icims.Fields{mapping.FieldStatus: mapping.Node(status)})
		return err
	})
	if err != nil {
		x.notef("the status could not be set: %v", err)
		if icims.ClassOf(err) == icims.ClassPermanent {
			err = nil
		}
		return false, err
	}
	if warnsOf(answer, mapping.FieldStatus) || s.tenant.knownStatus().later {
		return !warnsOf(answer, mapping.FieldStatus), nil
	}
	return s.isIn(ctx, id, status)
}

// isIn reports whether a workflow has a status.
func (s attachStage) isIn(ctx context.Context, id icims.WorkflowID, status store.NodeRef) (bool, error) {
	w, _, err := s.client.Workflow(ctx, id, mapping.FieldStatus)
	if err != nil {
		return false, err
	}
	if w.Status == nil {
		return false, nil
	}
	if status.ID != "" {
		return w.Status.ID == status.ID, nil
	}
	return w.Status.Matches(status.Value), nil
}

// recheckStatus warns if a workflow of a lost POST does not have the right status. It does not change the status: a recruiter may have done so since.
func (s attachStage) recheckStatus(ctx context.Context, x *export, id icims.WorkflowID) {
	known := s.tenant.knownStatus()
	want := known.ref
	if want.IsZero() {
		want = s.conn.Status
	}
	if x.claim.Intent != store.IntentWorkflow || known.settled && !known.ignored && !known.later || want.IsZero() {
		return
	}
	if in, err := s.isIn(ctx, id, want); err != nil || !in {
		x.warn(mapping.WarningStatusDropped)
	}
}

// warnWorkflow adds the warnings of a created workflow, and reports whether one is about the
// status.
func (x *export) warnWorkflow(answer *icims.Response) bool {
	if answer == nil {
		return false
	}
	for _, p := range answer.Warnings {
		if p.Field != mapping.FieldStatus {
			x.warn(mapping.WarningSaved.About(p.Field))
		}
	}
	return warnsOf(answer, mapping.FieldStatus)
}

func warnsOf(answer *icims.Response, field string) bool {
	return answer != nil && slices.ContainsFunc(answer.Warnings, func(p icims.Problem) bool { return p.Field == field })
}
