package admin

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// Paused is the result of a pause or resume.
type Paused struct {
	Customer string       `json:"customer" doc:"iCIMS's customer id."`
	Pause    *store.Pause `json:"pause,omitempty" doc:"The current pause."`
	Before   *store.Pause `json:"before,omitempty" doc:"The pause that was replaced or ended."`
	WebUI    []string     `json:"resumed_in_web_ui,omitempty" doc:"Queues that were paused in asynq's web UI."`
	Waiting  int          `json:"waiting" doc:"Waiting exports."`
	Hold     Hold         `json:"now" doc:"The lane's state now."`
	Warning  string       `json:"warning,omitempty" doc:"Set if the customer is unknown: check the ID."`
}

// PauseUnknownError means that it is unknown whether the change took effect.
type PauseUnknownError struct{ Err error }

func (e *PauseUnknownError) Error() string {
	return "it is unknown whether the change took effect: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *PauseUnknownError) Unwrap() error { return e.Err }

// Pause pauses a customer's exports until a time by Redis's clock, or until resumed if the time is
// zero.
func (d *Lanes) Pause(ctx context.Context, customer string, pause store.Pause) (Paused, error) {
	r := Paused{Customer: customer, Pause: &pause}
	var err error
	if r.Before, err = d.Ledger.Lanes.PauseOf(ctx, customer); err != nil {
		return r, err
	}
	known, err := d.known(ctx, customer)
	if err != nil {
		return r, err
	}
	if !known {
		r.Warning = unknownPaused
	}
	if err := d.Ledger.Lanes.Pause(ctx, customer, pause); err != nil {
		return r, &PauseUnknownError{err}
	}
	// If this fails, the workers pause the queues.
	if d.queues().Pause(ctx, customer) == nil {
		_ = d.Ledger.Lanes.RecordQueuesPaused(ctx, customer)
	}
	return r, d.readState(ctx, &r)
}

// An unknown customer can be paused: its connection may be added later, or may be in a file that
// only the workers have. An urgent pause must not fail for that.
const unknownPaused = "This customer has no connection and no batches: check the ID. The pause is in effect."

// known reports whether a customer has a connection, even a removed one, or a batch.
func (d *base) known(ctx context.Context, customer string) (bool, error) {
	if _, ok := d.Connections.Get(ctx, customer); ok {
		return true, nil
	}
	if _, err := d.Ledger.Connections.Get(ctx, customer); !errors.Is(err, store.ErrNoConnection) {
		if errors.Is(err, store.ErrSealed) {
			err = nil
		}
		return true, err
	}
	batches, _, err := d.Ledger.Batches.Page(ctx, customer, "", 1)
	return len(batches) > 0, err
}

// Resume resumes a customer's exports, whether paused by an operator or
// in asynq's web UI.
func (d *Lanes) Resume(ctx context.Context, customer, who, why string) (Paused, error) {
	r := Paused{Customer: customer}
	var err error
	if r.Before, err = d.Ledger.Lanes.PauseOf(ctx, customer); err != nil {
		return r, err
	}
	if r.Before == nil {
		r.WebUI, err = d.resumeWebUI(ctx, customer, who, why)
	} else if err = d.queues().Resume(ctx, customer); err == nil {
		_, err = d.Ledger.Lanes.Resume(ctx, customer, who, why)
	}
	if err != nil {
		return r, &PauseUnknownError{err}
	}
	return r, d.readState(ctx, &r)
}

// readState reads the number of waiting exports and the lane's state.
func (d *base) readState(ctx context.Context, r *Paused) error {
	places, err := d.Lanes.CustomerStatuses(ctx, r.Customer)
	if err != nil {
		return err
	}
	r.Waiting, r.Hold = places[0].Waiting(), places[0].Hold
	return nil
}

// resumeWebUI ends a pause that was set in asynq's web UI.
func (d *base) resumeWebUI(ctx context.Context, customer, who, why string) ([]string, error) {
	states, err := tasks.ReadQueueStates(ctx, d.Redis, customer)
	if err != nil {
		return nil, err
	}
	paused := pausedQueues(states[0])
	if len(paused) == 0 {
		return nil, nil
	}
	if err := d.queues().Resume(ctx, customer); err != nil {
		return nil, err
	}
	action := store.Action{At: time.Now(), Who: who, What: "resumed queues paused in " + WebUI, Why: why}
	return paused, errors.Join(d.Ledger.AuditLog.Act(ctx, customer, action), d.Ledger.Lanes.Wake(ctx, customer))
}

// pausedQueues names the paused queues as the API does; bulk stands for all queues but express.
func pausedQueues(q tasks.QueueStates) (paused []string) {
	if q.Express.Paused {
		paused = append(paused, "express")
	}
	if q.Bulk().Paused {
		paused = append(paused, "bulk")
	}
	return paused
}
