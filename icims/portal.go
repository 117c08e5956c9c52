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

// PortalJob is a job in a portal's list (API sheet §8). The list contains no titles.
type PortalJob struct {
	ID JobID
	// PortalURL is the job's public page.
	PortalURL string
	Self      string
	// Updated is when the job last changed; zero if iCIMS did not say.
	Updated time.Time
}

// ProvisionalTitle derives a title from the job's public page, for use until the job is read:
// "customer-service-representative" becomes "Customer service representative". It is empty if the
// URL contains no title.
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

// SearchPortal returns at most MaxSearchResults jobs of a portal, given by ID or name, with IDs
// above after; 0 starts at the beginning (API sheet §8).
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

// PortalJobs returns all jobs of a portal by ascending ID, without duplicates. It makes one call
// per page of MaxSearchResults jobs. iCIMS documents ascending order, but its own sample is
// descending. So paging continues above a full page, and below it if the page does not ascend and
// nothing is above.
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

// followPortal reads page after page above the largest ID, or below the smallest, until a page adds
// nothing.
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

// parseTime parses iCIMS's dates, which are UTC (API sheet §6.1). It returns the zero time for
// anything else.
func parseTime(s string) time.Time {
	for _, layout := range []string{"2006-01-02 03:04 PM", time.DateOnly} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t
		}
	}
	return time.Time{}
}
