package verify

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/control"
)

// begin records that the connection is being verified, and its previous state.
func (x *run) begin(ctx context.Context) error {
	if !x.Conn.Stored {
		return nil
	}
	c, err := x.Ledger().Connections.Get(ctx, x.Customer)
	if err != nil {
		return err
	}
	if x.report.Before = c.Below(); x.report.Before == store.ConnectionVerifying {
		x.report.Before = beforeOf(x.Run) // a worker crashed during it
	}
	return move(ctx, x.Run, store.ConnectionVerifying, "")
}

// beforeOf returns the connection's state before a verification that another worker started.
func beforeOf(r *control.Run) store.ConnectionState {
	var report Report
	if json.Unmarshal(r.Result, &report) == nil && report.Before != "" && report.Before != store.ConnectionVerifying {
		return report.Before
	}
	return store.ConnectionNew
}

// abandon restores the connection's previous state.
func abandon(ctx context.Context, r *control.Run) {
	c, err := r.Ledger().Connections.Get(ctx, r.Customer)
	if err != nil || c.Below() != store.ConnectionVerifying {
		return
	}
	r.ConnRevision = c.Revision
	if err := move(ctx, r, beforeOf(r), ""); err != nil {
		r.Log.Warn().Err(err).Fields(store.LogFields(err)).Msg("could not restore the connection's state")
	}
}

// conclude sets the result of the verification and the connection's state.
func (x *run) conclude(ctx context.Context) error {
	if x.allowed == 0 && x.denied > 0 && x.report.Checks[x.place(CheckAddress)].State == OK {
		// All rights are missing, not just one: it is the account itself, or the address.
		x.set(x.place(CheckAddress), failed(CodeAccountDenied, nil), 0)
	}
	to, reason := x.outcome()
	x.report.State = to
	err := x.keep(ctx)
	if err == nil && x.held && x.profile.SeesPeople != store.No {
		x.RunNow()
	}
	if !x.Conn.Stored {
		x.report.State = ""
		return err
	}
	if err == nil {
		err = move(ctx, x.Run, to, reason)
	}
	if _, changed := errors.AsType[*store.ConnectionChangedError](err); changed {
		// The report describes settings that have changed since.
		x.report.State, x.report.Result = "", ResultIncomplete
	}
	refused := x.report.Before == store.CredentialsRejected || x.report.Before == store.AccessDenied
	refused = refused || x.Conn.Profile.SeesPeople == store.No && x.profile.SeesPeople != store.No
	if err == nil && x.report.State != "" && refused && (to == store.ConnectionConnected || to == store.ConnectionDegraded) {
		x.RunNow() // start exports that waited for this
	}
	return err
}

// outcome returns the result, the new state of the connection, and the reason.
func (x *run) outcome() (store.ConnectionState, store.Reason) {
	states := map[Name]Check{}
	for _, c := range x.report.Checks {
		if states[c.Name].State != Failed {
			states[c.Name] = c
		}
		if c.State == Failed && passing(c.Code) {
			x.report.Result = ResultIncomplete
			return x.report.Before, ""
		}
	}
	worst, bad := x.report.Worst()
	refused := func(codes ...Code) bool {
		for _, c := range x.report.Checks {
			for _, code := range codes {
				if c.State == Failed && c.Code == code {
					return true
				}
			}
		}
		return false
	}
	switch {
	case states[CheckSettings].State == Failed:
		x.report.Result = ResultDegraded
		return store.ConnectionNew, reasonOf(CodeSettings)
	case refused(CodeCredentials):
		x.report.Result = ResultRefused
		return store.CredentialsRejected, store.Reason(icims.ReasonCredentials)
	case refused(CodeNotAuthorized):
		x.report.Result = ResultRefused
		return store.AccessDenied, store.Reason(icims.ReasonNotAuthorized)
	case refused(CodeAddressRefused, CodeAccountDenied):
		x.report.Result = ResultRefused
		return store.AccessDenied, store.Reason(icims.ReasonAccessDenied)
	case states[CheckSearch].State == Failed && states[CheckSearch].Code == CodeRightMissing:
		x.report.Result = ResultRefused // every export starts with such a search
		return store.AccessDenied, store.Reason(icims.ReasonSearchRefused)
	case states[CheckSearch].State == Failed:
		x.report.Result = ResultIncomplete
		return x.report.Before, ""
	case bad:
		x.report.Result = ResultDegraded
		return store.ConnectionDegraded, reasonOf(worst.Code)
	default:
		x.report.Result = ResultConnected
		return store.ConnectionConnected, ""
	}
}

// reasonOf returns the code as used in the connection's history.
func reasonOf(c Code) store.Reason { return store.VerifyReason(string(c)) }

// move changes the state of the task's connection. Workers may change it at the same time, by the
// responses to exports. Without a direct transition it goes through "verifying".
func move(ctx context.Context, r *control.Run, to store.ConnectionState, reason store.Reason) error {
	if to == "" {
		to = store.ConnectionNew
	}
	m := store.ConnectionMove{To: to, Reason: reason, Revision: r.ConnRevision, Who: r.By, Why: by + " " + r.ID}
	err := r.Ledger().Connections.Move(ctx, r.Customer, m)
	if _, illegal := errors.AsType[*store.ConnectionMoveError](err); illegal && to != store.ConnectionVerifying {
		via := m
		via.To, via.Reason = store.ConnectionVerifying, ""
		if err = r.Ledger().Connections.Move(ctx, r.Customer, via); err == nil {
			err = r.Ledger().Connections.Move(ctx, r.Customer, m)
		}
	}
	return err
}
