package worker

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

const (
	// overdueBy is how late an export may be before it is checked. asynq delivers scheduled tasks
	// up to a few seconds late.
	overdueBy = 10 * time.Second
	// recheckAfter is the delay before an overdue export with a task is checked again.
	recheckAfter = 10 * time.Minute
	// stuckTask is how long a task may be active without a claim of its export. Then the export
	// gets a substitute task.
	stuckTask = 2 * time.Minute
	// trimFrom is the number of archived tasks from which a customer's archives are trimmed
	// early.
	trimFrom = 5_000
	// sweepPage bounds how many exports are read at once, sweepPages how many pages per visit.
	sweepPage  = 500
	sweepPages = 4
)

// visit checks the exports of one customer with work.
func (s *sweep) visit(ctx context.Context, customer string, now time.Time) error {
	before, err := s.ledger.Recovery.Live(ctx, customer)
	if err != nil {
		return err
	}
	states, err := tasks.ReadQueueStates(ctx, s.redis, customer)
	if err != nil {
		return err
	}
	after, err := s.ledger.Recovery.Live(ctx, customer)
	if err != nil {
		return err
	}
	fresh, err := s.ledger.Recovery.CountFresh(ctx, customer, now)
	if err != nil {
		return err
	}
	dead, err := s.ledger.DeadLetters.Count(ctx, customer)
	if err != nil {
		return err
	}
	s.watch(customer, dead > 0)
	total := states[0].Total()
	if total.Archived > trimFrom {
		if _, err := s.queues.TrimArchives(ctx, customer, now); err != nil {
			return err
		}
	}
	working := 0
	if total.Active > 0 {
		if working, err = s.interrupted(ctx, customer, now); err != nil {
			return err
		}
	}
	if err := s.moveBegun(ctx, customer, now); err != nil {
		return err
	}
	// Each waiting export has a waiting task. If tasks are missing twice in a row, check the
	// exports one by one.
	missing := min(before, after)-fresh-int64(working) > int64(total.Pending+total.Later())
	s.mu.Lock()
	again := missing && s.lacking[customer]
	if missing {
		s.lacking[customer] = true
	} else {
		delete(s.lacking, customer)
	}
	s.mu.Unlock()
	if !again {
		return nil
	}
	return s.overdue(ctx, customer, now)
}

// interrupted gives exports of dead workers a substitute task. asynq would redeliver theirs only
// after a minute or two, behind the whole queue. Scheduled exports already have a substitute. It
// returns the number of running exports.
func (s *sweep) interrupted(ctx context.Context, customer string, now time.Time) (working int, err error) {
	active, err := s.queues.Active(customer)
	if err != nil {
		return 0, err
	}
	ids := make([]string, 0, len(active))
	for ref := range active {
		if ref.Customer == customer {
			ids = append(ids, ref.Export)
		}
	}
	records, err := s.ledger.Recovery.States(ctx, customer, ids)
	if err != nil {
		return 0, err
	}
	var lost []tasks.Export
	for _, m := range records {
		switch {
		case m.State == "" || m.State.Ended():
		case m.Lease.After(now):
			working++
		case (m.State == store.Deferred || m.State == store.Retrying || m.State == store.Unknown) && m.Due.After(now):
		case active[m.Ref]:
			lost = append(lost, tasks.ExportOf(m))
		}
	}
	n, err := s.put(ctx, customer, s.queues.Substitute, lost)
	s.found(customer, FindingInterrupted, n)
	return working, err
}

// moveBegun moves late exports that have begun ahead of large batches: they may hold an email's
// lock, or lack their workflow. An export without a task gets one: a worker that lost its claim
// while it was frozen may have completed the task of the worker that took over, and which died.
func (s *sweep) moveBegun(ctx context.Context, customer string, now time.Time) error {
	begun, err := s.ledger.Recovery.Begun(ctx, customer, now.Add(-overdueBy), sweepPage)
	if err != nil || len(begun) == 0 {
		return err
	}
	late := make([]tasks.Export, 0, len(begun))
	for _, m := range begun {
		if m.State != "" && !m.State.Ended() {
			late = append(late, tasks.ExportOf(m))
		}
	}
	lives, err := s.queues.Alive(ctx, late...)
	if err != nil {
		return err
	}
	var lost, waiting []tasks.Export
	for i, e := range late {
		switch {
		case lives[i] == tasks.NoTask:
			lost = append(lost, e)
		case e.Queue != store.ExpressQueue:
			waiting = append(waiting, e)
		}
	}
	n, err := s.put(ctx, customer, s.queues.Substitute, lost)
	s.found(customer, FindingInterrupted, n)
	if err != nil {
		return err
	}
	_, err = s.put(ctx, customer, s.queues.MoveToExpress, waiting)
	return err
}

// put enqueues tasks of exports and returns how many. If it enqueued any, or failed, it announces
// the customer: the lane may have closed for lack of tasks.
func (s *sweep) put(ctx context.Context, customer string, put func(context.Context, ...tasks.Export) (int, error), exports []tasks.Export) (int, error) {
	if len(exports) == 0 {
		return 0, nil
	}
	n, err := put(ctx, exports...)
	if n > 0 || err != nil {
		err = errors.Join(err, s.ledger.Lanes.Announce(ctx, customer))
	}
	return n, err
}

// rerun adapts Queues.Run to put.
func (s *sweep) rerun(ctx context.Context, exports ...tasks.Export) (int, error) {
	return len(exports), s.queues.Run(ctx, exports...)
}

// overdue checks the tasks of late exports, and enqueues a new task for each export without a
// task that will run.
func (s *sweep) overdue(ctx context.Context, customer string, now time.Time) error {
	for range sweepPages {
		late, err := s.ledger.Recovery.Overdue(ctx, customer, now.Add(-overdueBy), sweepPage)
		if err != nil || len(late) == 0 {
			return err
		}
		exports, seen := make([]tasks.Export, len(late)), make([]string, 0, len(late))
		for i, m := range late {
			exports[i] = tasks.ExportOf(m)
		}
		lives, err := s.queues.Alive(ctx, exports...)
		if err != nil {
			return err
		}
		var run, stuck []tasks.Export
		for i, m := range late {
			unclaimed := lives[i] == tasks.Works && !m.Lease.After(now)
			if unclaimed && now.Sub(m.Due) <= stuckTask {
				continue // checked at each visit until it is claimed or stuck
			}
			seen = append(seen, m.Export)
			switch {
			case lives[i] == tasks.NoTask:
				run = append(run, exports[i])
			case unclaimed:
				stuck = append(stuck, exports[i])
			}
		}
		run, err = s.unchanged(ctx, customer, run)
		if err != nil {
			return err
		}
		s.found(customer, FindingNoTask, len(run))
		if _, err := s.put(ctx, customer, s.rerun, run); err != nil {
			return err
		}
		n, err := s.put(ctx, customer, s.queues.Substitute, stuck)
		s.found(customer, FindingOrphan, n)
		if err != nil {
			return err
		}
		if err := s.ledger.Recovery.Recheck(ctx, customer, seen, now.Add(recheckAfter)); err != nil || len(late) < sweepPage {
			return err
		}
	}
	return nil
}

// unchanged reads exports again and returns those that still wait: a missing task may have
// finished meanwhile.
func (s *sweep) unchanged(ctx context.Context, customer string, exports []tasks.Export) ([]tasks.Export, error) {
	ids := make([]string, len(exports))
	for i, e := range exports {
		ids[i] = e.Export
	}
	records, err := s.ledger.Recovery.States(ctx, customer, ids)
	if err != nil {
		return nil, err
	}
	same := exports[:0]
	for i, m := range records {
		if m.State != "" && !m.State.Ended() && m.Token == exports[i].Token {
			same = append(same, exports[i])
		}
	}
	return same, nil
}
