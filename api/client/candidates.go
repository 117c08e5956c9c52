package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Exported is an earlier export of a candidate.
type Exported struct {
	Candidate  string     `json:"candidate"`
	ExportedAt time.Time  `json:"exported_at"` // last export, to the second
	Person     int64      `json:"person"`      // iCIMS's ID of the person
	Link       string     `json:"link"`        // of the profile
	Workflows  []Workflow `json:"workflows"`
}

// Workflow is a candidate's workflow on a job.
type Workflow struct {
	Job      int64 `json:"job"`
	Workflow int64 `json:"workflow"`
}

// Exported returns which of the candidates were exported to the customer's iCIMS, by ID. It makes
// one call per thousand candidates. The result leaves out candidates that were not exported.
func (c *Client) Exported(ctx context.Context, customer string, candidates []string) (map[string]Exported, error) {
	found := map[string]Exported{}
	const atOnce = 1000
	for chunk := range slices.Chunk(candidates, atOnce) {
		var page struct {
			Exported []Exported `json:"exported"`
		}
		if err := c.call(ctx, http.MethodPost, customerPath(customer)+"/exported", nil, map[string][]string{"candidates": chunk}, &page); err != nil {
			return found, err
		}
		for _, e := range page.Exported {
			found[e.Candidate] = e
		}
	}
	return found, nil
}

// Erase erases all stored data of a candidate. If an export is in progress, the error is a *Problem
// with the code "in_work": everything else is erased; call Erase again after RetryAfter. The reason
// must not identify the candidate.
func (c *Client) Erase(ctx context.Context, customer, candidate, why string) (ErasureReceipt, error) {
	var receipt ErasureReceipt
	path := customerPath(customer) + "/candidates/" + url.PathEscape(candidate)
	err := c.call(ctx, http.MethodDelete, path, url.Values{"why": {why}}, nil, &receipt)
	return receipt, err
}
