package icims

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// PortalJob is a job as a portal lists it (API sheet §8). The list has no
// titles.
type PortalJob struct {
	ID JobID
	// PortalURL is the public page of the job.
	PortalURL string
	Self      string
	// Updated is when the job last changed; zero where iCIMS did not say.
	Updated time.Time
}

// ProvisionalTitle guesses a title from the job's public page, for the time
// until the job has been read: "customer-service-representative" becomes
// "Customer service representative". It is empty where there is nothing to go
// by.
func (j PortalJob) ProvisionalTitle() string {
	u, err := url.Parse(j.PortalURL)
	if err != nil {
		return ""
	}
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	i := slices.Index(segments, j.ID.String())
	if i < 0 || i+1 >= len(segments) || segments[i+1] == "job" {
		return ""
	}
	words := strings.Join(strings.Fields(strings.ReplaceAll(segments[i+1], "-", " ")), " ")
	if words == "" {
		return ""
	}
	r := []rune(words)
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}

// SearchPortal returns at most MaxSearchResults jobs of a portal, named by id or
// name, with ids above after; 0 means from the start (API sheet §8).
func (c *Client) SearchPortal(ctx context.Context, portal string, after JobID) ([]PortalJob, *Response, error) {
	if after <= 0 {
		return c.searchPortal(ctx, portal, nil)
	}
	return c.searchPortal(ctx, portal, &Filter{Name: "job.id", Value: []string{after.String()}, Operator: OpGreater})
}

func (c *Client) searchPortal(ctx context.Context, portal string, filter *Filter) ([]PortalJob, *Response, error) {
	query := staleness(0)
	if filter != nil {
		data, err := json.Marshal(Query{Filters: []Filter{*filter}})
		if err != nil {
			return nil, nil, badRequest(opSearchPortal, detail("query cannot be written as JSON"))
		}
		query = "searchJson=" + url.QueryEscape(string(data)) + "&" + query
	}
	req, err := c.newRequest(ctx, opSearchPortal, params{"portal": portal}, query, nil)
	if err != nil {
		return nil, nil, err
	}
	ans, resp, err := c.bareDo(req)
	if err != nil {
		return nil, resp, err
	}
	rows, err := ans.rows()
	if err != nil {
		return nil, resp, err
	}
	jobs := make([]PortalJob, 0, len(rows))
	seen := make(map[int64]bool, len(rows))
	for _, r := range rows {
		if !seen[r.id] {
			seen[r.id] = true
			jobs = append(jobs, PortalJob{ID: JobID(r.id), PortalURL: r.portalURL, Self: r.self, Updated: parseTime(r.updated)})
		}
	}
	return jobs, resp, nil
}

// PortalJobs returns all jobs of a portal by ascending id, without doubles. It
// makes one call for every MaxSearchResults jobs begun. iCIMS promises ascending
// order and shows descending in its own sample, and does not say of which end that
// is; so a full page is continued upwards, and downwards where it does not ascend
// and nothing is above it.
func (c *Client) PortalJobs(ctx context.Context, portal string) ([]PortalJob, error) {
	first, _, err := c.searchPortal(ctx, portal, nil)
	if err != nil {
		return nil, err
	}
	jobs := map[JobID]PortalJob{}
	keep := func(page []PortalJob) (fresh int) {
		for _, j := range page {
			if _, ok := jobs[j.ID]; !ok {
				jobs[j.ID] = j
				fresh++
			}
		}
		return fresh
	}
	keep(first)
	if len(first) >= MaxSearchResults {
		if err := c.followPortal(ctx, portal, first, keep, OpGreater); err != nil {
			return nil, err
		}
		ascending := slices.IsSortedFunc(first, func(a, b PortalJob) int { return cmp.Compare(a.ID, b.ID) })
		if !ascending && len(jobs) == len(first) {
			if err := c.followPortal(ctx, portal, first, keep, OpLess); err != nil {
				return nil, err
			}
		}
	}
	all := make([]PortalJob, 0, len(jobs))
	for _, j := range jobs {
		all = append(all, j)
	}
	slices.SortFunc(all, func(a, b PortalJob) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// followPortal reads page after page beyond the largest id, or below the
// smallest, until one adds nothing.
func (c *Client) followPortal(ctx context.Context, portal string, page []PortalJob, keep func([]PortalJob) int, op string) error {
	byID := func(a, b PortalJob) int { return cmp.Compare(a.ID, b.ID) }
	for range maxPages {
		edge := slices.MaxFunc(page, byID)
		if op == OpLess {
			edge = slices.MinFunc(page, byID)
		}
		next, _, err := c.searchPortal(ctx, portal, &Filter{Name: "job.id", Value: []string{edge.ID.String()}, Operator: op})
		if err != nil {
			return err
		}
		if keep(next) == 0 || len(next) < MaxSearchResults {
			return nil
		}
		page = next
	}
	return &Error{Op: opSearchPortal.Name, Class: ClassPermanent, Reason: ReasonBadAnswer, Sent: SentYes, Err: detail("portal does not end")}
}

// parseTime reads iCIMS's dates, which are UTC (API sheet §6.1), and returns
// the zero time for anything else.
func parseTime(s string) time.Time {
	for _, layout := range []string{"2006-01-02 03:04 PM", time.DateOnly} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t
		}
	}
	return time.Time{}
}
