package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// Batch is how a batch stands.
type Batch struct {
	store.Batch

	JobTitle string `json:"job_title"` // where the kept list of jobs has it

	InWork int `json:"moving"` // exports that have not ended
	// Forecast is when the batch will be done; nil where nothing of it moves, and in
	// lists.
	Forecast *forecast.Forecast `json:"forecast"`
	// Waits are sentences about what keeps the customer's exports, while any moves.
	Waits []string `json:"waits"`
}

// Over reports whether nothing of the batch will change any more by itself.
func (b Batch) Over() bool { return !b.Closed.IsZero() && b.InWork == 0 }

// Batch reads how a batch stands. An unknown one is store.ErrNoBatch, by errors.Is.
func (c *Client) Batch(ctx context.Context, id store.BatchID) (Batch, error) {
	var b Batch
	err := c.call(ctx, http.MethodGet, batchPath(id), nil, nil, &b)
	return b, err
}

// Batches lists a customer's batches, the latest first. An error is the last thing
// yielded.
func (c *Client) Batches(ctx context.Context, customer string) iter.Seq2[Batch, error] {
	return pages(func(cursor url.Values) ([]Batch, string, error) {
		var page struct {
			Batches []Batch `json:"batches"`
			Next    string  `json:"next"`
		}
		err := c.call(ctx, http.MethodGet, customerPath(customer)+"/batches", cursor, nil, &page)
		return page.Batches, page.Next, err
	}, url.Values{})
}

// Result is what became of one candidate.
type Result struct {
	Row       int           `json:"row"`       // among the accepted ones, from 1
	InputRow  int           `json:"input_row"` // among those that were sent, from 1; 0: not known
	Export    string        `json:"export"`
	Candidate string        `json:"candidate"` // empty once erased
	State     store.State   `json:"state"`
	Outcome   store.Counter `json:"outcome"` // of ended exports
	Reason    store.Reason  `json:"reason"`
	Title     string        `json:"title"` // of the reason
	Hint      string        `json:"hint"`  // what to do about it
	Person    int64         `json:"person"`
	Link      string        `json:"link"` // of the profile
	Workflow  int64         `json:"workflow"`
	At        time.Time     `json:"at"`  // of the end
	Due       time.Time     `json:"due"` // of the next try
	Attempts  int           `json:"attempts"`
	Warnings  []string      `json:"warnings"` // as sentences
}

type resultPage struct {
	Results  []Result   `json:"results"`
	Next     string     `json:"next"`
	ByReason []EndTally `json:"by_reason"`
}

// ResultFilter chooses results; empty fields choose all.
type ResultFilter struct {
	// Outcome is created, updated, skipped, dead, cancelled or moving.
	Outcome string
	Reason  store.Reason
}

// Results lists what became of a batch's candidates, in the order in which they were
// accepted. An error is the last thing yielded.
func (c *Client) Results(ctx context.Context, id store.BatchID, f ResultFilter) iter.Seq2[Result, error] {
	const page = 1000
	query := url.Values{"limit": {strconv.Itoa(page)}}
	if f.Outcome != "" {
		query.Set("outcome", f.Outcome)
	}
	if f.Reason != "" {
		query.Set("reason", string(f.Reason))
	}
	return pages(func(query url.Values) ([]Result, string, error) {
		var page resultPage
		err := c.call(ctx, http.MethodGet, batchPath(id)+"/results", query, nil, &page)
		return page.Results, page.Next, err
	}, query)
}

// RefusedRows lists the rows of a batch that were refused, in the order of the input: the first
// 10,000 (Batch.Refused counts all). Rows that the iterator of Enqueue refused were never sent, so
// they are in its receipt only, and rows are numbered without them. An error is the last thing
// yielded.
func (c *Client) RefusedRows(ctx context.Context, id store.BatchID) iter.Seq2[tasks.Refusal, error] {
	const page = 1000
	return pages(func(query url.Values) ([]tasks.Refusal, string, error) {
		var page struct {
			Refused []tasks.Refusal `json:"refused"`
			All     int             `json:"refused_rows"`
			Next    string          `json:"next"`
		}
		err := c.call(ctx, http.MethodGet, batchPath(id)+"/refused", query, nil, &page)
		return page.Refused, page.Next, err
	}, url.Values{"limit": {strconv.Itoa(page)}})
}

// EndTally is how many exports of a batch ended in a way for a reason.
type EndTally struct {
	Outcome store.Counter `json:"outcome"`
	Reason  store.Reason  `json:"reason"`
	Title   string        `json:"title"` // of the reason
	Count   int           `json:"count"`
}

// EndReasons tells for which reasons exports of a batch ended, the most frequent first:
// nil where some ended before batches began to count them, and empty where none has one.
// It costs as little for a large batch as for a small one.
func (c *Client) EndReasons(ctx context.Context, id store.BatchID) ([]EndTally, error) {
	var page resultPage
	err := c.call(ctx, http.MethodGet, batchPath(id)+"/results", url.Values{"count": {"true"}, "limit": {"1"}}, nil, &page)
	return page.ByReason, err
}

// pages goes through a list page by page.
func pages[T any](read func(url.Values) ([]T, string, error), query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		at := url.Values{}
		for name, values := range query {
			at[name] = slices.Clone(values)
		}
		for {
			items, next, err := read(at)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			at.Set("cursor", next)
		}
	}
}

// Cancel ends all exports of a batch that wait. Exports in the middle of a call are
// busy: they end by themselves, or wait again and can be cancelled.
func (c *Client) Cancel(ctx context.Context, id store.BatchID, why string) (store.Cancellation, error) {
	var done store.Cancellation
	err := c.call(ctx, http.MethodPost, batchPath(id)+"/cancel", nil, map[string]string{"why": why}, &done)
	return done, err
}

func batchPath(id store.BatchID) string {
	return fmt.Sprintf("%s/batches/%s", customerPath(id.Customer()), url.PathEscape(string(id)))
}
