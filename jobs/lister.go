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

// Lister answers from the stored lists. It is safe for concurrent use; create one per process.
type Lister struct {
	Ledger   *store.Ledger
	Hosts    icims.HostPolicy
	Settings Settings
	// Filed returns a customer's connection in the connections file, if any; nil without a file.
	Filed func(customer string) (store.Connection, bool)
	Now   func() time.Time
	// Request requests a control task: tasks.RequestControl.
	Request func(ctx context.Context, customer string, kind store.ControlKind, args any, by string) (t store.ControlTask, joined bool, err error)

	cache cache
}

// Query selects jobs of a list.
type Query struct {
	// Text is the search text; empty means all jobs.
	Text string
	// Limit is the page size; 0 means no limit. Cursor is ListPage.Next of the previous page.
	Limit  int
	Cursor string
	// Wait is how long to wait if there is no list yet, or if a refresh was requested.
	Wait time.Duration
	// Refresh requests a refresh, whatever the age of the list.
	Refresh bool
	// Hurry ends the wait when it is closed; may be nil.
	Hurry <-chan struct{}
	// By is the requester.
	By string
}

// ErrCursor: the cursor is not from a previous page.
var ErrCursor = errors.New("not a cursor of this list")

// List answers a query. If the list is stale it requests a refresh, at most one per customer at a
// time, and returns what is stored. Errors: store.ErrNoConnection if the customer has neither
// connection nor list, ErrCursor.
func (l *Lister) List(ctx context.Context, customer string, q Query) (ListPage, error) {
	below, err := parseCursor(q.Cursor)
	if err != nil {
		return ListPage{}, err
	}
	s, err := l.load(ctx, customer)
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

// Titles returns the titles of jobs in the stored list, whatever its age, including provisional
// ones. It requests no refresh.
func (l *Lister) Titles(ctx context.Context, customer string, ids ...int64) (map[int64]string, error) {
	list, _, err := l.cache.read(ctx, l.Ledger, customer)
	if err != nil {
		return nil, err
	}
	titles := make(map[int64]string, len(ids))
	for _, id := range ids {
		// Jobs are in descending order.
		at, found := slices.BinarySearchFunc(list.Jobs, id, func(j store.ListedJob, id int64) int { return cmp.Compare(id, j.ID) })
		if found && list.Jobs[at].Title != "" {
			titles[id] = list.Jobs[at].Title
		}
	}
	return titles, nil
}

// state is the state of a customer's list.
type state struct {
	settings Settings
	customer string
	portals  []string // of the connection; nil if unknown
	hash     string
	list     store.JobList
	index    index
	budget   int
	held     store.Reason      // why no refresh may run
	task     store.ControlTask // the latest refresh; its ID is empty if there was none
	resolved time.Time         // failures before it are obsolete
	now      time.Time
}

func (l *Lister) load(ctx context.Context, customer string) (state, error) {
	s := state{settings: l.Settings, customer: customer, now: l.Now()}
	conn, known, err := l.connection(ctx, customer, &s)
	if err != nil {
		return s, err
	}
	// Load the task before the list: when a task has ended, its result is in the list.
	s.task, err = l.Ledger.Control.Last(ctx, customer, store.ControlJobs)
	if err != nil && !errors.Is(err, store.ErrNoControlTask) {
		return s, err
	}
	if err := l.read(ctx, &s); err != nil {
		return s, err
	}
	if !known && s.list.Version == 0 {
		return s, store.ErrNoConnection
	}
	return s, l.limits(ctx, conn, known, &s)
}

// connection loads the connection, its portals, and the reason why its state forbids calls.
func (l *Lister) connection(ctx context.Context, customer string, s *state) (store.Connection, bool, error) {
	stored, err := l.Ledger.Connections.Get(ctx, customer)
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
	s.held, s.resolved = heldIn[stored.State], stored.Edited
	if stored.State == store.ConnectionConnected && stored.Since.After(s.resolved) {
		s.resolved = stored.Since
	}
	if portals, err := icims.ParsePortalURLsOf(customer, conn.PortalURLs, l.Hosts); err == nil {
		s.portals = PortalNames(portals)
		s.hash = PortalsHash(l.Ledger, customer, s.portals)
	}
	return conn, true, nil
}

// heldIn maps the connection states that forbid a refresh to the reason.
var heldIn = map[store.ConnectionState]store.Reason{
	store.ConnectionPaused: store.ReasonPaused, store.CredentialsRejected: "icims_credentials", store.AccessDenied: "icims_access_denied",
}

// PortalNames returns the portals' IDs or names.
func PortalNames(portals []icims.PortalURL) []string {
	names := make([]string, len(portals))
	for i, p := range portals {
		names[i] = p.Portal
	}
	return names
}

// read loads the list. A list of other portals than the connection's is ignored.
func (l *Lister) read(ctx context.Context, s *state) error {
	var err error
	s.list, s.index, err = l.cache.read(ctx, l.Ledger, s.customer)
	if err == nil && s.hash != "" && s.list.Portals != s.hash {
		s.list.Jobs, s.list.AsOf, s.list.Unreadable, s.index = nil, time.Time{}, nil, nil
	}
	return err
}

// limits loads the daily budget and the reason why the lane forbids calls.
func (l *Lister) limits(ctx context.Context, conn store.Connection, known bool, s *state) error {
	caller := store.Caller{Limits: conn.Limits}
	if known {
		caller = store.Caller{Credentials: l.Ledger.Keys().CredentialsHash(conn), Limits: conn.Limits.Or(store.DefaultLimits())}
	}
	standings, err := l.Ledger.QuotaStatusesFor(ctx, []string{s.customer}, []store.Caller{caller})
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

// Held returns why a refresh must not run now, or "". Verdicts and pauses do not stop the calls of
// a control task, but a list is not worth the calls.
func Held(s store.QuotaStatus) store.Reason {
	if s.Pause != nil {
		return store.ReasonPaused
	}
	return s.ClosedExpress.Reason
}

// stale reports whether the list is too old.
func (s *state) stale() bool {
	return s.list.AsOf.IsZero() || s.now.Sub(s.list.AsOf) >= s.settings.maxAge(s.list, s.budget, s.now)
}

// underway reports whether a refresh is waiting or running.
func (s *state) underway() bool { return s.task.ID != "" && !s.task.State.Ended() }

// failed reports whether the last refresh failed and the connection has neither been changed nor
// found working since.
func (s *state) failed() bool { return s.list.Failed != "" && s.list.FailedAt.After(s.resolved) }

// titlesAlone reports whether the running refresh has already read the list.
func (s *state) titlesAlone() bool {
	return s.task.State == store.ControlRunning && s.list.AsOf.After(s.task.Began)
}

// askAgain is when to repeat a request that no worker has started: the requester may have crashed
// before it notified the workers.
const askAgain = 2 * time.Second

// due reports whether to request a refresh.
func (s *state) due(wanted bool) bool {
	if s.underway() {
		return s.task.State == store.ControlWaiting && s.now.Sub(s.task.Asked) >= askAgain
	}
	// Explicit requests are limited by the share, and beyond it by the age.
	if wanted && (s.list.SpentOn(s.now) < s.budget || s.now.Sub(s.list.AsOf) >= s.settings.MaxAge) {
		return true
	}
	failed := s.failed() && s.now.Sub(s.list.FailedAt) < afterFailure
	return s.stale() && (!failed || wanted)
}

// waitEvery is the poll interval while waiting for a list.
const waitEvery = 100 * time.Millisecond

// await waits until a refresh has read the list or has ended.
func (l *Lister) await(ctx context.Context, s *state, q Query) error {
	before := s.list.AsOf
	waiting, cancel := context.WithTimeout(ctx, q.Wait)
	defer cancel()
	tick := time.NewTicker(waitEvery)
	defer tick.Stop()
	for {
		// The task may already have ended.
		task, err := l.Ledger.Control.Get(ctx, s.customer, store.ControlJobs, s.task.ID)
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

// answer returns a page of the list.
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
	s.addRefresh(&a)
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

// addRefresh adds the progress of a refresh, or why there is none.
func (s *state) addRefresh(a *ListPage) {
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

// failure returns why a refresh failed without a note in the list.
func (s *state) failure() *ListProblem {
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

// JobInfo is the stored information about one job.
type JobInfo struct {
	// Missing: the list does not contain the job, so its ID may be wrong. Always false without a
	// list, or if the list lacks a portal.
	Missing bool
	// Age is the age of the list; Stale means that it is too old.
	Age   time.Duration
	Stale bool
}

// Sight looks for a job in the list. It makes no call and requests no refresh.
func (l *Lister) Sight(ctx context.Context, customer string, job int64) (JobInfo, error) {
	s, err := l.load(ctx, customer)
	if errors.Is(err, store.ErrNoConnection) || err == nil && s.list.AsOf.IsZero() {
		return JobInfo{}, nil
	}
	if err != nil {
		return JobInfo{}, err
	}
	seen := JobInfo{Age: s.now.Sub(s.list.AsOf), Stale: s.stale()}
	for _, j := range s.list.Jobs {
		if j.ID == job {
			return seen, nil
		}
	}
	seen.Missing = len(s.list.Unreadable) == 0
	return seen, nil
}
