package jobs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/store"
)

// Client is the part of the iCIMS client that a refresh uses.
type Client interface {
	PortalJobs(ctx context.Context, portal string) ([]icims.PortalJob, error)
	Job(ctx context.Context, id icims.JobID, fields ...string) (*icims.Job, *icims.Response, error)
}

// Refresh reads a customer's list.
type Refresh struct {
	Ledger   *store.Ledger
	Customer string
	// Portals are the connection's portals, in its order.
	Portals []string
	// List makes the calls for the list, for which a user may be waiting. Titles makes the calls
	// for titles, which have lower priority than exports.
	List, Titles Client
	// Calls returns the number of calls made.
	Calls func() int
	// Budget is the daily number of calls for list and titles together. The list is read even
	// beyond it; titles wait for the next day.
	Budget int
	// Held returns why no calls may be made now, or "". It is called before the list is read, and
	// regularly while titles are read.
	Held func(ctx context.Context) (store.Reason, error)
	Now  func() time.Time
	// Sleep waits for d or until ctx ends.
	Sleep func(ctx context.Context, d time.Duration) error
}

// RefreshResult is the result of a refresh.
type RefreshResult struct {
	Jobs       int `json:"jobs"`
	ListCalls  int `json:"list_calls"`
	TitleCalls int `json:"title_calls"`
	// Pending is how many titles are still to be read.
	Pending int `json:"pending"`
	// Stopped is why titles are left; empty if none are, or if the daily budget is used up.
	Stopped store.Reason `json:"stopped,omitempty"`
}

// Run reads the list, which is visible from then on, and then the titles, with visible progress. An
// iCIMS error is not returned but stored with the list.
func (r *Refresh) Run(ctx context.Context) (RefreshResult, error) {
	list, err := r.Ledger.JobLists.Get(ctx, r.Customer, store.JobList{})
	if err != nil {
		return RefreshResult{}, err
	}
	if held, err := r.Held(ctx); err != nil || held != "" {
		return RefreshResult{Jobs: len(list.Jobs), Pending: list.Pending(), Stopped: held}, err
	}
	began := r.Now()
	counted := r.Calls()
	rows, unreadable, err := r.rows(ctx)
	calls := r.Calls() - counted
	if err != nil {
		return r.failed(ctx, list, err, calls)
	}
	jobs := merge(list.Jobs, rows, r.Now())
	changed := !slices.Equal(jobs, list.Jobs)
	list.Jobs, list.Unreadable, list.AsOf = jobs, unreadable, began
	list.Portals = PortalsHash(r.Ledger, r.Customer, r.Portals)
	list.ListCalls, list.TitleCalls, list.Failed, list.FailedAt = calls, 0, "", time.Time{}
	if changed {
		list, err = r.Ledger.JobLists.Save(ctx, r.Customer, list, calls, r.Now())
	} else {
		list, err = r.Ledger.JobLists.SaveAt(ctx, r.Customer, list, nil, calls, r.Now())
	}
	if err != nil {
		return RefreshResult{ListCalls: calls}, err
	}
	list, stopped, err := r.titles(ctx, list)
	return RefreshResult{Jobs: len(list.Jobs), ListCalls: list.ListCalls, TitleCalls: list.TitleCalls, Pending: list.Pending(), Stopped: stopped}, err
}

// failed records that the list could not be read.
func (r *Refresh) failed(ctx context.Context, list store.JobList, err error, calls int) (RefreshResult, error) {
	done := RefreshResult{Jobs: len(list.Jobs), ListCalls: calls, Pending: list.Pending(), Stopped: reasonOf(err)}
	interrupted := ctx.Err()
	if interrupted == nil { // otherwise another worker continues
		list.Failed, list.FailedAt = done.Stopped, r.Now()
	}
	_, noted := r.Ledger.JobLists.SaveAt(context.WithoutCancel(ctx), r.Customer, list, nil, calls, r.Now())
	return done, cmp.Or(interrupted, noted)
}

// PortalsHash returns a hash of a connection's portals.
func PortalsHash(ledger *store.Ledger, customer string, portals []string) string {
	return ledger.Keys().PortalsHash(customer, portals...)
}

// rows reads the lists of all portals. A portal that iCIMS does not return is skipped and noted if
// another one can be read.
func (r *Refresh) rows(ctx context.Context) ([]icims.PortalJob, map[int]store.Reason, error) {
	var rows []icims.PortalJob
	var unreadable map[int]store.Reason
	var refused error
	for i, portal := range r.Portals {
		var page []icims.PortalJob
		err := r.patiently(ctx, func() (err error) {
			page, err = r.List.PortalJobs(ctx, portal)
			return err
		})
		switch {
		case err == nil:
			rows = append(rows, page...)
		case !isOfRecord(err):
			return nil, nil, err
		default:
			if unreadable == nil {
				unreadable = map[int]store.Reason{}
			}
			unreadable[i+1], refused = reasonOf(err), err
		}
	}
	if len(unreadable) == len(r.Portals) && refused != nil {
		return nil, nil, refused
	}
	return rows, unreadable, nil
}

const (
	titlesAtOnce  = 2
	titlesPerSave = 20
	failuresTaken = 3 // failed titles in a row before the rest is postponed
)

// titles reads jobs until none is left or the daily budget is used up.
func (r *Refresh) titles(ctx context.Context, list store.JobList) (store.JobList, store.Reason, error) {
	places := pending(list.Jobs)
	for len(places) > 0 {
		n := min(len(places), titlesPerSave, r.Budget-list.SpentOn(r.Now()))
		if n <= 0 {
			return list, "", nil
		}
		if held, err := r.Held(ctx); err != nil || held != "" {
			return list, held, err
		}
		counted := r.Calls()
		// Other readers of the list must not see it change.
		list.Jobs = slices.Clone(list.Jobs)
		read, stopped := r.readJobs(ctx, list.Jobs, places[:n])
		calls := r.Calls() - counted
		list.TitleCalls += calls
		var err error
		if list, err = r.Ledger.JobLists.SaveAt(context.WithoutCancel(ctx), r.Customer, list, read, calls, r.Now()); err != nil {
			return list, stopped, err
		}
		if stopped != "" {
			return list, stopped, ctx.Err()
		}
		places = places[n:]
	}
	return list, "", nil
}

// readJobs reads jobs of a list by index. It returns the indexes it read, and why it stopped early.
func (r *Refresh) readJobs(ctx context.Context, jobs []store.ListedJob, places []int) (read []int, stopped store.Reason) {
	var mu sync.Mutex
	var readers sync.WaitGroup
	next, failures := 0, 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if stopped != "" || next == len(places) {
			return 0, false
		}
		next++
		return places[next-1], true
	}
	put := func(place int, j store.ListedJob, err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil, isOfRecord(err):
			failures = 0
			jobs[place] = j
			read = append(read, place)
		case icims.ClassOf(err) != icims.ClassRetry || ctx.Err() != nil:
			stopped = reasonOf(err)
		default:
			if failures++; failures == failuresTaken {
				stopped = reasonOf(err)
			}
		}
	}
	for range titlesAtOnce {
		readers.Go(func() {
			for place, more := take(); more; place, more = take() {
				j := jobs[place]
				err := panics.Contain(func() (err error) {
					j, err = r.readJob(ctx, jobs[place])
					return err
				})
				put(place, j, err)
			}
		})
	}
	readers.Wait()
	return read, stopped
}

// readJob returns a job with iCIMS's data. A job that cannot be read keeps what it has.
func (r *Refresh) readJob(ctx context.Context, j store.ListedJob) (store.ListedJob, error) {
	now := r.Now()
	var read *icims.Job
	err := r.patiently(ctx, func() (err error) {
		read, _, err = r.Titles.Job(ctx, icims.JobID(j.ID))
		return err
	})
	j.Read = now.UTC().Truncate(time.Minute)
	if err != nil {
		return j, err
	}
	j.Number, j.Location = line(read.Number), line(read.Location)
	if title := line(read.Title); title != "" {
		j.Title, j.Provisional = title, false
	}
	return j, nil
}

// line returns a text of iCIMS as one line of limited length.
func line(text string) string {
	const longest = 300
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "")
	}
	return text
}

const (
	tries      = 3
	firstPause = 2 * time.Second
	// longestWait is how long a refresh waits when iCIMS asks it to.
	longestWait = 30 * time.Second
)

// patiently repeats a call that may succeed on the next try.
func (r *Refresh) patiently(ctx context.Context, call func() error) error {
	pause := firstPause
	for try := 1; ; try++ {
		err := call()
		refusal, ok := errors.AsType[*icims.Error](err)
		if !ok || try == tries || ctx.Err() != nil {
			return err
		}
		wait := pause
		switch {
		case refusal.Class == icims.ClassRetry:
			pause *= 2
		case refusal.Class == icims.ClassDefer && refusal.Reason == icims.ReasonRateLimited && refusal.RetryAfter <= longestWait:
			wait = refusal.RetryAfter
		default:
			return err
		}
		if r.Sleep(ctx, wait) != nil {
			return err
		}
	}
}

// isOfRecord reports whether a refusal is about one record rather than about every call.
func isOfRecord(err error) bool {
	refusal, ok := errors.AsType[*icims.Error](err)
	if !ok {
		return false
	}
	return refusal.Class == icims.ClassPermanent && refusal.Reason != icims.ReasonRedirected && refusal.Reason != icims.ReasonNotSupported ||
		refusal.Class == icims.ClassAccess && refusal.Status == 404
}

func reasonOf(err error) store.Reason {
	if reason := icims.ReasonOf(err); reason != "" {
		return store.Reason(reason)
	}
	return store.ReasonInternal
}
