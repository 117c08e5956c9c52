package console

import (
	"net/url"
	"strconv"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

// deadResult is the result of an action on dead letters, and its progress since. URLs contain its
// numbers, but no text.
type deadResult struct {
	Act          string
	Done, Passed int
	More         bool
	At           time.Time
	// Batches are the new batches of transferred candidates.
	Batches []store.BatchID
	// Unlisted is the target job if it is not on the portals; 0 otherwise.
	Unlisted int64
	// Self is the URL that shows the progress.
	Self string
	// Moving is the number of the customer's open exports, and Again is how many have failed since.
	Moving, Again int
	Hold          string
}

// Over reports whether no export is in progress.
func (r deadResult) Over() bool { return r.Moving == 0 }

func (r deadResult) query() url.Values {
	q := url.Values{"act": {r.Act}, "n": {strconv.Itoa(r.Done)}, "at": {strconv.FormatInt(r.At.UnixMilli(), 10)}}
	if r.Passed > 0 {
		q.Set("passed", strconv.Itoa(r.Passed))
	}
	if r.More {
		q.Set("more", "1")
	}
	for _, b := range r.Batches[:min(len(r.Batches), mostInto)] {
		q.Add("into", string(b))
	}
	if r.Unlisted != 0 {
		q.Set("unlisted", strconv.FormatInt(r.Unlisted, 10))
	}
	return q
}

// mostInto limits the batches in a URL; there are fewer sets of options.
const mostInto = 8

// deadResultOf parses the result in a URL; nil for none.
func deadResultOf(q url.Values, customer string) *deadResult {
	number := func(name string) int {
		n, err := strconv.Atoi(q.Get(name))
		if err != nil {
			return 0
		}
		return max(0, n)
	}
	act := q.Get("act")
	if !isDeadAct(act) {
		return nil
	}
	r := deadResult{Act: act, Done: number("n"), Passed: number("passed"), More: q.Get("more") == "1", At: time.UnixMilli(int64(number("at")))}
	if act != actTransfer {
		return &r
	}
	r.Unlisted = jobID(q.Get("unlisted"))
	for _, text := range q["into"] {
		if b, err := store.ParseBatchID(text); err == nil && b.Customer() == customer && len(r.Batches) < mostInto {
			r.Batches = append(r.Batches, b)
		}
	}
	return &r
}

// Into links to the new batches.
func (r deadResult) Into() []link {
	links := make([]link, len(r.Batches))
	for i, b := range r.Batches {
		links[i] = link{Name: string(b), Path: batchPage(b.Customer(), string(b))}
	}
	return links
}

// follows adds the progress of retried letters; self is the URL that shows it again.
func (v *visit) follows(r *deadResult, self string) error {
	if r.Act != actRetry {
		return nil
	}
	r.Self = self
	lane, err := v.lane(holdForm{})
	if err != nil {
		return err
	}
	r.Moving, r.Hold = lane.Express+lane.Bulk+lane.Active+lane.Later, lane.holds()
	var since api.DeadLetters
	q := url.Values{"since": {r.At.UTC().Format(time.RFC3339Nano)}, "count": {"true"}, "limit": {"1"}}
	if err := v.get(v.customerPath("dead-letters"), q, &since); err != nil {
		return err
	}
	for _, t := range since.ByReason {
		r.Again += t.Count
	}
	return nil
}
