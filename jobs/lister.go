package jobs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// Lister answers from the lists that are kept. It is safe for concurrent use; make
// one for a process.
type Lister struct {
	Ledger   *store.Ledger
	Hosts    icims.HostPolicy
	Settings Settings
	// Filed is the connection that a customer has in the file of connections, if any;
	// nil where there is no file.
	Filed func(customer string) (store.Connection, bool)
	Now   func() time.Time
	// Request requests a control task: tasks.RequestControl.
	Request func(ctx context.Context, customer string, kind store.ControlKind, args any, by string) (t store.ControlTask, joined bool, err error)

	cache cache
}

// Query is what somebody wants to see of a list.
type Query struct {
	// Text is searched for; empty: all jobs.
	Text string
	// Limit bounds the page; 0: no limit. Cursor is ListPage.Next of the page before.
	Limit  int
	Cursor string
	// Wait is for how long to wait where there is no list yet, or a refresh was asked
	// for.
	Wait time.Duration
	// Refresh asks for a refresh, whatever the age of the list.
	Refresh bool
	// Hurry ends the waiting when it is closed; nil: never.
	Hurry <-chan struct{}
	// By says who asks.
	By string
}

// ErrCursor: not a cursor of this list.
var ErrCursor = errors.New("not a cursor of this list")

// List answers a query. Where the list has become old it asks for a refresh, of
// which a customer has one at a time, and answers with what there is. Errors:
// store.ErrNoConnection where the customer has neither connection nor list,
// ErrCursor.
func (l *Lister) List(ctx context.Context, customer string, q Query) (ListPage, error) {
	below, err := parseCursor(q.Cursor)
	if err != nil {
		return ListPage{}, err
	}
	s, err := l.look(ctx, customer)
	if err != nil {
		return ListPage{}, err
	}
	asked := s.held == "" && s.due(q.Refresh)
	if asked {
		if s.task, _, err = l.Request(ctx, customer, store.ControlJobs, nil, q.By); err != nil {
			return ListPage{}, err
		}
	}
	if (asked || s.underway() && s.held == "") && (s.list.AsOf.IsZero() || q.Refresh) {
		if err := l.await(ctx, &s, q); err != nil {
			return ListPage{}, err
		}
	}
	return s.answer(q, below), nil
}

// Titles are those of jobs, as far as the list that is kept has them, however old it is:
// no refresh is asked for. Provisional ones are among them.
func (l *Lister) Titles(ctx context.Context, customer string, ids ...int64) (map[int64]string, error) {
	list, _, err := l.cache.read(ctx, l.Ledger, customer)
	if err != nil {
		return nil, err
	}
	titles := make(map[int64]string, len(ids))
	for _, id := range ids {
		// The newest come first.
		at, found := slices.BinarySearchFunc(list.Jobs, id, func(j store.ListedJob, id int64) int { return cmp.Compare(id, j.ID) })
		if found && list.Jobs[at].Title != "" {
			titles[id] = list.Jobs[at].Title
		}
	}
	return titles, nil
}

// state is how a customer's list stands.
type state struct {
	settings Settings
	customer string
	portals  []string // of the connection; nil where it is not known here
	hash     string
	list     store.JobList
	index    index
	budget   int
	held     store.Reason      // why no refresh may be made
	task     store.ControlTask // the latest refresh; its ID is empty where there was none
	mended   time.Time         // failures before it say nothing any more
	now      time.Time
}

func (l *Lister) look(ctx context.Context, customer string) (state, error) {
	s := state{settings: l.Settings, customer: customer, now: l.Now()}
	conn, known, err := l.connection(ctx, customer, &s)
	if err != nil {
		return s, err
	}
	// First the task: what it has read is there when it is over.
	s.task, err = l.Ledger.LastControlTask(ctx, customer, store.ControlJobs)
	if err != nil && !errors.Is(err, store.ErrNoControlTask) {
		return s, err
	}
	if err := l.read(ctx, &s); err != nil {
		return s, err
	}
	if !known && s.list.Version == 0 {
		return s, store.ErrNoConnection
	}
	return s, l.stand(ctx, conn, known, &s)
}

// connection finds the portals and what the connection's state says against calls.
func (l *Lister) connection(ctx context.Context, customer string, s *state) (store.Connection, bool, error) {
	stored, err := l.Ledger.Connection(ctx, customer)
	conn, known := stored.Connection, err == nil && stored.Below().Kept()
	switch {
	case errors.Is(err, store.ErrNoConnection) && l.Filed != nil:
		conn, known = l.Filed(customer)
	case errors.Is(err, store.ErrNoConnection), errors.Is(err, store.ErrSealed):
	case err != nil:
		return conn, false, err
	case !known:
		return conn, false, store.ErrNoConnection // it was removed
	}
	if !known {
		return conn, false, nil
	}
	s.held, s.mended = heldIn[stored.State], stored.Edited
	if stored.State == store.ConnectionConnected && stored.Since.After(s.mended) {
		s.mended = stored.Since
	}
	if portals, err := icims.ParsePortalURLsOf(customer, conn.PortalURLs, l.Hosts); err == nil {
		s.portals = PortalNames(portals)
		s.hash = PortalsHash(l.Ledger, customer, s.portals)
	}
	return conn, true, nil
}

// heldIn are the states of a connection in which no refresh may be made, and why.
var heldIn = map[store.ConnectionState]store.Reason{
	store.ConnectionPaused: store.ReasonPaused, store.CredentialsRejected: "icims_credentials", store.AccessDenied: "icims_access_denied",
}

// PortalNames are the portals' ids or names.
func PortalNames(portals []icims.PortalURL) []string {
	names := make([]string, len(portals))
	for i, p := range portals {
		names[i] = p.Portal
	}
	return names
}

// read reads the list. One of other portals than the connection has now is as none.
func (l *Lister) read(ctx context.Context, s *state) error {
	var err error
	s.list, s.index, err = l.cache.read(ctx, l.Ledger, s.customer)
	if err == nil && s.hash != "" && s.list.Portals != s.hash {
		s.list.Jobs, s.list.AsOf, s.list.Unreadable, s.index = nil, time.Time{}, nil, nil
	}
	return err
}

// stand finds the day's share, and what the lane says against calls.
func (l *Lister) stand(ctx context.Context, conn store.Connection, known bool, s *state) error {
	caller := store.Caller{Limits: conn.Limits}
	if known {
		caller = store.Caller{Credentials: l.Ledger.Keys().CredentialsHash(conn), Limits: conn.Limits.Or(store.DefaultLimits())}
	}
	standings, err := l.Ledger.StandingsFor(ctx, []string{s.customer}, []store.Caller{caller})
	if err != nil {
		return err
	}
	calls := standings[0].Budget
	if calls == 0 {
		calls = caller.Limits.Or(store.DefaultLimits()).CallsPerDay
	}
	s.budget = l.Settings.Budget(calls)
	if s.held == "" {
		s.held = Held(standings[0])
	}
	return nil
}

// Held is why a refresh must not be made now; empty where it may. A control task's calls
// are not held back by verdicts and pauses, and a list is not worth that.
func Held(s store.Standing) store.Reason {
	if s.Pause != nil {
		return store.ReasonPaused
	}
	return s.ClosedExpress.Reason
}

// stale reports whether the list is older than it should be.
func (s *state) stale() bool {
	return s.list.AsOf.IsZero() || s.now.Sub(s.list.AsOf) >= s.settings.maxAge(s.list, s.budget, s.now)
}

// underway reports whether a refresh waits or runs.
func (s *state) underway() bool { return s.task.ID != "" && !s.task.State.Ended() }

// failed reports whether the last refresh failed, and would today: the connection was
// neither changed nor found working since.
func (s *state) failed() bool { return s.list.Failed != "" && s.list.FailedAt.After(s.mended) }

// titlesAlone reports whether the refresh that is under way has read the list already.
func (s *state) titlesAlone() bool {
	return s.task.State == store.ControlRunning && s.list.AsOf.After(s.task.Began)
}

// askAgain is when one asks once more for a refresh that no worker has begun: whoever
// asked for it may have died before he could tell the workers.
const askAgain = 2 * time.Second

// due reports whether to ask for a refresh.
func (s *state) due(wanted bool) bool {
	if s.underway() {
		return s.task.State == store.ControlWaiting && s.now.Sub(s.task.Asked) >= askAgain
	}
	// Whoever insists is bounded by the share, and after it by the age.
	if wanted && (s.list.SpentOn(s.now) < s.budget || s.now.Sub(s.list.AsOf) >= s.settings.MaxAge) {
		return true
	}
	failed := s.failed() && s.now.Sub(s.list.FailedAt) < afterFailure
	return s.stale() && (!failed || wanted)
}

// waitEvery is how often a list is looked at that somebody waits for.
const waitEvery = 100 * time.Millisecond

// await waits until a refresh has read the list, or has ended without.
func (l *Lister) await(ctx context.Context, s *state, q Query) error {
	before := s.list.AsOf
	waiting, cancel := context.WithTimeout(ctx, q.Wait)
	defer cancel()
	tick := time.NewTicker(waitEvery)
	defer tick.Stop()
	for {
		// It may have ended before it was joined.
		task, err := l.Ledger.ControlTask(ctx, s.customer, store.ControlJobs, s.task.ID)
		if err == nil {
			s.task = task
			err = l.read(ctx, s)
		}
		switch {
		case err != nil:
			return err
		case s.list.AsOf.After(before), s.task.State.Ended(), s.titlesAlone():
			s.now = l.Now()
			return nil
		}
		select {
		case <-waiting.Done():
			return nil
		case <-q.Hurry:
			return nil
		case <-tick.C:
		}
	}
}

// answer is a page of the list.
func (s *state) answer(q Query, below int64) ListPage {
	a := ListPage{ListState: ListState{Customer: s.customer, Total: len(s.list.Jobs), Stale: s.stale()}, Jobs: []Job{}}
	fits := s.index.search(s.list.Jobs, q.Text)
	for i, j := range s.list.Jobs {
		if j.Provisional {
			a.Titles.Provisional++
		}
		if !fits(i) {
			continue
		}
		a.Found++
		switch {
		case below != 0 && j.ID >= below:
		case q.Limit == 0 || len(a.Jobs) < q.Limit:
			a.Jobs = append(a.Jobs, shown(j))
		case a.Next == "":
			a.Next = strconv.FormatInt(a.Jobs[len(a.Jobs)-1].ID, 10)
		}
	}
	a.Titles.Pending = s.list.Pending()
	if !s.list.AsOf.IsZero() {
		a.AsOf = &s.list.AsOf
	}
	s.tellRefresh(&a)
	left := max(s.budget-s.list.SpentOn(s.now), 0)
	a.Calls = ListCalls{
		Last: ListCost{s.list.ListCalls, s.list.TitleCalls}, Next: ListCost{max(s.list.ListCalls, len(s.portals)), min(a.Titles.Pending, left)},
		Today: s.list.SpentOn(s.now), Share: s.budget,
	}
	for i, portal := range s.portals {
		if reason := s.list.Unreadable[i+1]; reason != "" {
			t := trouble(reason)
			t.Portal = portal
			a.Unreadable = append(a.Unreadable, *t)
		}
	}
	return a
}

// tellRefresh says how a refresh goes, or why there is none.
func (s *state) tellRefresh(a *ListPage) {
	if s.underway() {
		a.Refreshing = true
		a.Refresh = &ListRefresh{Asked: s.task.Asked, Calls: s.task.Calls}
		if s.task.State == store.ControlRunning {
			a.Refresh.Began = &s.task.Began
		}
	}
	switch {
	case s.held != "":
		a.Problem = trouble(s.held)
	case s.failed():
		a.Problem = trouble(s.list.Failed)
		a.Problem.At = &s.list.FailedAt
	case a.AsOf == nil && s.task.State == store.ControlFailed:
		a.Problem = s.failure()
	}
}

// failure is why a refresh failed that left nothing in the list.
func (s *state) failure() *ListTrouble {
	switch s.task.Failure {
	case store.ControlNoConnection, store.ControlUnusable, store.ControlSealed:
		return trouble(store.ReasonNoConnection)
	default:
		return trouble(store.ReasonInternal)
	}
}

func parseCursor(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	below, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || below <= 0 {
		return 0, ErrCursor
	}
	return below, nil
}

// Sighting is what the list that is kept tells of one job.
type Sighting struct {
	// Missing: the list has no such job, so that it may be the wrong one. Where there is
	// no list, or it lacks a portal, nothing is missing.
	Missing bool
	// Age is how old the list is; Stale that it is older than it should be.
	Age   time.Duration
	Stale bool
}

// Sight looks for a job in the list. It makes no call and asks for nothing.
func (l *Lister) Sight(ctx context.Context, customer string, job int64) (Sighting, error) {
	s, err := l.look(ctx, customer)
	if errors.Is(err, store.ErrNoConnection) || err == nil && s.list.AsOf.IsZero() {
		return Sighting{}, nil
	}
	if err != nil {
		return Sighting{}, err
	}
	seen := Sighting{Age: s.now.Sub(s.list.AsOf), Stale: s.stale()}
	for _, j := range s.list.Jobs {
		if j.ID == job {
			return seen, nil
		}
	}
	seen.Missing = len(s.list.Unreadable) == 0
	return seen, nil
}
