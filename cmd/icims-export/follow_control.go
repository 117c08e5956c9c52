package main

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/store"
)

// controlFollower follows a control task until it has ended.
type controlFollower struct {
	*operator

	what            string // "verification"
	progress        *progress
	refreshPatience bool
}

var errWaited = errors.New("waiting timed out")

// follow shows the task whenever it changes, and returns once it has ended.
func (f *controlFollower) follow(ctx context.Context, t store.ControlTask, wait time.Duration, show func(store.ControlTask) error) error {
	defer f.progress.end()
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errWaited)
	defer cancel()
	start := time.Now()
	for {
		if err := show(t); err != nil || t.State.Ended() {
			return err
		}
		if t.State == store.ControlWaiting && time.Since(start) >= refreshPatience {
			f.explain(ctx)
		}
		next, stop := context.WithTimeout(ctx, refreshPatience)
		var err error
		t, err = f.Ledger.Control.Await(next, t)
		stop()
		switch {
		case ctx.Err() != nil:
			f.progress.end()
			return failed("the %s has not ended and continues in the background; run the command again to follow it", f.what)
		case err != nil:
			return f.lost(err)
		}
	}
}

// explain explains once why no worker runs the task.
func (f *controlFollower) explain(ctx context.Context) {
	outage, err := f.Lanes.Outage(ctx)
	if err != nil || outage == nil || f.refreshPatience {
		return
	}
	f.refreshPatience = true
	f.progress.end()
	f.p.sayf("%s Waiting.", outage)
}
