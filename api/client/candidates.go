package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// Exported is an earlier export of a candidate.
type Exported struct {
	Candidate  string     `json:"candidate"`
	ExportedAt time.Time  `json:"exported_at"` // the last time, to the second
	Person     int64      `json:"person"`      // iCIMS's id of the profile
	Link       string     `json:"link"`        // of the profile
	Workflows  []Workflow `json:"workflows"`
}

// Workflow links a candidate with a job.
type Workflow struct {
	Job      int64 `json:"job"`
	Workflow int64 `json:"workflow"`
}

// Exported tells which of the candidates were exported to the customer's iCIMS, by their
// ids: any number of them, a thousand a call. Those who were not are missing from the
// result.
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

// Erase erases all that is kept of a candidate. Where an export is in work the error is
// a *Problem with the code "in_work": all else is erased, and Erase is to be called again
// after its RetryAfter. The reason must not name the candidate.
func (c *Client) Erase(ctx context.Context, customer, candidate, why string) (store.ErasureReceipt, error) {
	var receipt store.ErasureReceipt
	path := customerPath(customer) + "/candidates/" + url.PathEscape(candidate)
	err := c.call(ctx, http.MethodDelete, path, url.Values{"why": {why}}, nil, &receipt)
	return receipt, err
}
