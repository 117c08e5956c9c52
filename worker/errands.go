package worker

import (
	"context"
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
)

// ErrandWork is how errands of a kind are done.
type ErrandWork struct {
	// Do does one. What it returns is recorded as JSON, beside an error too. An errand
	// whose worker stops, or dies, is begun again by another one.
	Do func(ctx context.Context, r *ErrandRun) (result any, err error)
	// Abandon is called, where it is set, when an errand has failed or is given up:
	// r.Failure says why, r.Result what was reported last.
	Abandon func(ctx context.Context, r *ErrandRun)
	// AtOnce is how many this process does at the same time; 0 means 4.
	AtOnce int
}

// ServeErrands makes the worker do errands of a kind. It is for the time before
// Start.
func (w *Worker) ServeErrands(kind store.ErrandKind, work ErrandWork) {
	if work.AtOnce == 0 {
		work.AtOnce = errandsAtOnce
	}
	w.errands.kinds[kind] = work
}

const (
	errandsAtOnce = 4
	// errandLease is for how long an errand is a worker's that falls silent.
	errandLease = 12 * time.Second
	renewErrand = errandLease / 4
	// errandLook is how often the list of errands is read: announcements wake the
	// worker at once, this is for those it missed, and for those whose worker died.
	errandLook = 5 * time.Second
	// errandTries is how often an errand is begun whose workers die.
	errandTries = 3
	// errandAge is how long an errand may have waited: whoever asked has gone.
	errandAge = time.Hour
	// strangersAfter is for how long an errand is left to the workers that are to
	// serve its customer, and orphansAfter to those that have a connection of it.
	strangersAfter = 2 * time.Second
	orphansAfter   = 10 * time.Second
)

// errands are what this process knows of the customers' errands.
type errands struct {
	*Worker

	kinds map[store.ErrandKind]ErrandWork
	heard chan store.DueErrand
	again chan struct{}

	running sync.WaitGroup

	mu    sync.Mutex
	mine  map[errandPlace]bool // looked at or run by this process
	doing map[store.ErrandKind]int
}

type errandPlace struct {
	customer string
	kind     store.ErrandKind
}

func newErrands(w *Worker) *errands {
	return &errands{
		Worker: w, kinds: map[store.ErrandKind]ErrandWork{}, heard: make(chan store.DueErrand, 256), again: make(chan struct{}, 1),
		mine: map[errandPlace]bool{}, doing: map[store.ErrandKind]int{},
	}
}

// hear notes an announced errand. What is too much is found in the list.
func (e *errands) hear(d store.DueErrand) {
	select {
	case e.heard <- d:
	default:
		e.lookAgain()
	}
}

func (e *errands) lookAgain() {
	select {
	case e.again <- struct{}{}:
	default:
	}
}

// run begins errands until ctx ends. Those that run then hand themselves back.
func (e *errands) run(ctx context.Context) {
	begin := func(d store.DueErrand) {
		if e.reserve(d) {
			spawn(&e.running, e.log, "errand", func() {
				defer e.release(d)
				e.attempt(ctx, d)
			})
		}
	}
	tick := time.NewTicker(errandLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-e.heard:
			begin(d)
			continue
		case <-e.again:
		case <-tick.C:
		}
		due, err := e.ledger.DueErrands(ctx, e.registry.shared(time.Now()))
		if err != nil {
			if ctx.Err() == nil {
				e.log.Error().Err(err).Fields(store.LogFields(err)).Msg("cannot see which errands there are")
			}
			continue
		}
		for _, d := range due {
			begin(d)
		}
	}
}

// reserve reports whether this process is to look at an errand, and has a place for
// it.
func (e *errands) reserve(d store.DueErrand) bool {
	work, known := e.kinds[d.Kind]
	place := errandPlace{d.Customer, d.Kind}
	if !known || !e.suits(d) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mine[place] || e.doing[d.Kind] >= work.AtOnce {
		return false
	}
	e.mine[place] = true
	e.doing[d.Kind]++
	return true
}

func (e *errands) release(d store.DueErrand) {
	e.mu.Lock()
	delete(e.mine, errandPlace{d.Customer, d.Kind})
	e.mu.Unlock()
	e.place(d.Kind, -1)
}

// place takes a place among the errands of a kind, or gives one back. One that has rested takes its
// place again even if there is none.
func (e *errands) place(kind store.ErrandKind, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.doing[kind] += n
	if n < 0 && e.doing[kind] == e.kinds[kind].AtOnce-1 {
		e.lookAgain() // others may wait for the place
	}
}

// suits reports whether an errand is this process's to do. An errand needs no lane,
// so that it does not matter whether there is room for one.
func (e *errands) suits(d store.DueErrand) bool {
	waited := time.Duration(0)
	if !d.Since.IsZero() {
		waited = e.registry.shared(time.Now()).Sub(d.Since)
	}
	return waited >= strangersAfter || ranked(e.registry.known(), e.id, d.Customer)
}

// ranked reports whether a worker is among those that are to do a customer's
// errands.
func ranked(fleet store.Fleet, worker, customer string) bool {
	if me, known := fleet.Workers[worker]; !known || me.Free < 0 {
		return false
	}
	mine, before := weight(worker, customer), 0
	for _, p := range fleet.Workers {
		if p.Worker != worker && p.Free >= 0 && fleet.Lives(p.Worker) && weight(p.Worker, customer) > mine {
			before++
		}
	}
	return before < servedBy
}
