package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/tasks/input"
)

// Batch reads a batch. For an unknown one, the error matches ErrNoBatch.
func (c *Client) Batch(ctx context.Context, id string) (Batch, error) {
	var b Batch
	err := c.call(ctx, http.MethodGet, batchPath(id), nil, nil, &b)
	return b, err
}

// Batches iterates over a customer's batches, latest first. It ends after an error.
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

// Result is the result of one candidate.
type Result struct {
	Row       int       `json:"row"`       // among the accepted rows, from 1
	InputRow  int       `json:"input_row"` // in the input, from 1; 0 if unknown
	Export    string    `json:"export"`
	Candidate string    `json:"candidate"` // empty once erased
	State     string    `json:"state"`
	Outcome   string    `json:"outcome"` // of ended exports
	Reason    string    `json:"reason"`
	Title     string    `json:"title"` // of the reason
	Hint      string    `json:"hint"`  // the remedy
	Person    int64     `json:"person"`
	Link      string    `json:"link"` // of the profile
	Workflow  int64     `json:"workflow"`
	At        time.Time `json:"at"`  // when the export ended
	Due       time.Time `json:"due"` // when the next attempt is due
	Attempts  int       `json:"attempts"`
	Warnings  []string  `json:"warnings"` // in sentences
}

type resultPage struct {
	Results  []Result   `json:"results"`
	Next     string     `json:"next"`
	ByReason []EndTally `json:"by_reason"`
}

// ResultFilter selects results; empty fields match all.
type ResultFilter struct {
	// Outcome is created, updated, skipped, dead, cancelled or moving.
	Outcome string
	Reason  string
}

// Results iterates over the results of a batch, in the order of acceptance. It ends after an error.
func (c *Client) Results(ctx context.Context, id string, f ResultFilter) iter.Seq2[Result, error] {
	const page = 1000
	query := url.Values{"limit": {strconv.Itoa(page)}}
	if f.Outcome != "" {
		query.Set("outcome", f.Outcome)
	}
	if f.Reason != "" {
		query.Set("reason", f.Reason)
	}
	return pages(func(query url.Values) ([]Result, string, error) {
		var page resultPage
		err := c.call(ctx, http.MethodGet, batchPath(id)+"/results", query, nil, &page)
		return page.Results, page.Next, err
	}, query)
}

// RefusedRows iterates over the first 10,000 refused rows of a batch, in input order (Batch.Refused
// counts all). Rows that the iterator of Enqueue refused were never sent, so they are only in its
// receipt, and rows are numbered without them. It ends after an error.
func (c *Client) RefusedRows(ctx context.Context, id string) iter.Seq2[input.Refusal, error] {
	const page = 1000
	return pages(func(query url.Values) ([]input.Refusal, string, error) {
		var page struct {
			Refused []input.Refusal `json:"refused"`
			All     int             `json:"refused_rows"`
			Next    string          `json:"next"`
		}
		err := c.call(ctx, http.MethodGet, batchPath(id)+"/refused", query, nil, &page)
		return page.Refused, page.Next, err
	}, url.Values{"limit": {strconv.Itoa(page)}})
}

// EndTally counts the exports of a batch with the same outcome and reason.
type EndTally struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Title   string `json:"title"` // of the reason
	Count   int    `json:"count"`
}

// EndReasons counts the ended exports of a batch by reason, most frequent first. It returns nil if
// some ended before batches counted reasons, and an empty slice if none has a reason. Its cost does
// not depend on the batch's size.
func (c *Client) EndReasons(ctx context.Context, id string) ([]EndTally, error) {
	var page resultPage
	err := c.call(ctx, http.MethodGet, batchPath(id)+"/results", url.Values{"count": {"true"}, "limit": {"1"}}, nil, &page)
	return page.ByReason, err
}

// pages iterates over a list page by page.
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

// Cancel cancels the waiting exports of a batch. Exports in the middle of a call are counted as
// busy: they finish, or wait again and can be canceled later.
func (c *Client) Cancel(ctx context.Context, id string, why string) (Cancellation, error) {
	var done Cancellation
	err := c.call(ctx, http.MethodPost, batchPath(id)+"/cancel", nil, map[string]string{"why": why}, &done)
	return done, err
}

func batchPath(id string) string {
	customer, _, _ := strings.Cut(id, "-")
	return customerPath(customer) + "/batches/" + url.PathEscape(id)
}
