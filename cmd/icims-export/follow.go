package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// follower waits for a batch to end and shows its progress.
type follower struct {
	p        *process
	ledger   *store.Ledger
	batch    store.BatchID
	progress *progress
	name     string
	// idle is printed once if nothing has started for a while.
	idle string

	started time.Time
	cursor  int // all rows before it have ended
	told    string
	away    bool   // Redis cannot be read
	waiting string // for the progress line
	ahead   forecast.Forecast
}

const (
	followEvery = 200 * time.Millisecond
	// holdsEvery is how often waiting exports are read for their reasons.
	holdsEvery = 3 * time.Second
	// forecastEvery is how often the forecast is computed.
	forecastEvery = 10 * time.Second
	// idleAfter is how long nothing may start before the idle message.
	idleAfter = 10 * time.Second
	pageSize  = 500
)

// follow returns the batch once it has ended, or as it is when ctx ends.
func (f *follower) follow(ctx context.Context) (store.Batch, error) {
	f.started = time.Now()
	defer f.progress.end()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	var looked, foretold time.Time
	for {
		b, err := f.ledger.Batches.Get(ctx, f.batch)
		if ctx.Err() != nil {
			return b, context.Cause(ctx)
		}
		switch {
		case errors.Is(err, store.ErrNoBatch):
			return b, err
		case err != nil:
			f.lost(err)
			if !pause(ctx, tick) {
				return b, context.Cause(ctx)
			}
			continue
		}
		f.away = false
		if b.Moving() == 0 && !b.Closed.IsZero() {
			return b, nil
		}
		if time.Since(looked) >= holdsEvery {
			looked = time.Now()
			if err := f.explainWaits(ctx, b); err != nil && ctx.Err() == nil {
				f.lost(err)
			}
		}
		if time.Since(foretold) >= forecastEvery {
			foretold = time.Now()
			// Errors leave the forecast out.
			f.ahead, _ = f.p.service(nil, f.ledger, true).Forecasts.Forecast(ctx, b)
		}
		f.progress.show(f.line(b))
		if !pause(ctx, tick) {
			return b, context.Cause(ctx)
		}
	}
}

// pause waits for the next tick, or returns false when ctx ends.
func pause(ctx context.Context, tick *time.Ticker) bool {
	select {
	case <-ctx.Done():
		return false
	case <-tick.C:
		return true
	}
}

// lost explains once why Redis cannot be read. The export may continue.
func (f *follower) lost(err error) {
	if !f.away {
		f.away = true
		f.p.sayf("%s Still waiting.", causeOf(err))
	}
}

// line returns the progress line.
func (f *follower) line(b store.Batch) string {
	ended := b.Accepted - b.Moving()
	line := fmt.Sprintf("%s %s %d/%d  created %d  updated %d  skipped %d", f.name, bar(ended, b.Accepted, 16), ended, b.Accepted, b.Created, b.Updated, b.Skipped)
	if b.Dead > 0 {
		line += fmt.Sprintf("  dead %d", b.Dead)
	}
	if f.waiting == "" && f.ahead.Waits != "" {
		f.waiting = f.ahead.Waits.Info().Title
	}
	if f.waiting != "" {
		line += "  waiting: " + f.waiting
	}
	return line + f.end(ended, b.Accepted)
}

// farAhead is the remaining time from which the forecast, which includes the daily limit and other
// batches, is used instead of the pace so far.
const farAhead = time.Hour

// end returns the estimated end: by the pace so far, or by the forecast if the end is far ahead or
// the pace unknown.
func (f *follower) end(ended, all int) string {
	now := time.Now()
	left := f.ahead.Done.Sub(now)
	switch pace := remaining(ended, all, time.Since(f.started)); {
	case !f.ahead.Done.IsZero() && left >= farAhead:
		return "  done " + admin.About(f.ahead.Done, now)
	case f.waiting != "":
		return ""
	case pace == "" && left >= time.Minute:
		return " ~" + prose.Span(left) + " left"
	default:
		return pace
	}
}

// explainWaits explains why exports wait, whenever the reasons change.
func (f *follower) explainWaits(ctx context.Context, b store.Batch) error {
	page, err := f.ledger.Batches.Outcomes(ctx, f.batch, f.cursor, pageSize)
	if err != nil {
		return err
	}
	reasons := map[store.Reason]int{}
	queued, prefix := 0, true
	for _, o := range page {
		prefix = prefix && o.State.Ended()
		if prefix {
			f.cursor++
		}
		switch o.State {
		case store.Deferred, store.Retrying, store.Unknown:
			if o.Reason != "" {
				reasons[o.Reason]++
			}
		case store.Queued:
			queued++
		default:
		}
	}
	f.waiting = ""
	order := slices.SortedFunc(maps.Keys(reasons), func(x, y store.Reason) int { return reasons[y] - reasons[x] })
	switch {
	case len(order) > 0:
		f.waiting = order[0].Info().Title
		// Do not report reasons that pass by themselves: some export of this page is in progress.
		if told := fmt.Sprint(order); told != f.told && queued+total(reasons) >= len(page)-f.ended(page) {
			f.told = told
			for _, r := range order {
				f.p.sayf("%d waiting: %s. %s", reasons[r], r.Info().Title, r.Info().Hint)
			}
		}
	case f.idle != "" && b.Moving() == b.Accepted && time.Since(f.started) >= idleAfter:
		f.p.sayf("%s", f.idle)
		f.idle = ""
	}
	return nil
}

func (f *follower) ended(page []store.Outcome) int {
	n := 0
	for _, o := range page {
		if o.State.Ended() {
			n++
		}
	}
	return n
}

func total[K comparable](counts map[K]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
