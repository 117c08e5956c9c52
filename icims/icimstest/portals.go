package icimstest

import (
	"slices"
	"strconv"
	"strings"
)

type portal struct {
	Portal
	hidden bool
}

// AddPortal adds a job portal.
func (t *Tenant) AddPortal(id int, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.portals = append(t.portals, &portal{Portal: Portal{ID: id, Name: name}})
}

// portal returns the portal of a path, by ID or by name.
func (c *call) portal() (*portal, *answer) {
	key := c.arg("portal")
	for _, p := range c.tenant.portals {
		if strconv.Itoa(p.ID) == key || p.Name == key {
			if p.hidden {
				a := accessDenied()
				return nil, &a
			}
			return p, nil
		}
	}
	a := notFound("Portal")
	return nil, &a
}

// portalRow is one job of a portal, without a title.
type portalRow struct {
	PortalURL   string `json:"portalUrl"`
	Self        string `json:"self"`
	ID          any    `json:"id"`
	UpdatedDate string `json:"updatedDate"`
}

// portalsSearch lists a portal's jobs: the 1,000 lowest matching IDs, in descending order. No
// filter is needed.
func portalsSearch(c *call) answer {
	q, bad := c.query(true)
	if bad != nil {
		return *bad
	}
	t := c.tenant
	t.mu.RLock()
	defer t.mu.RUnlock()
	p, missing := c.portal()
	if missing != nil {
		return *missing
	}
	match, problems := compile(&q.group, jobFilters, t.behaviour)
	if problems != nil {
		return badRequest(*problems)
	}
	ids := t.cache.through(c.now, q, "portal "+strconv.Itoa(p.ID), func() []int64 {
		var ids []int64
		for _, id := range t.jobOrder {
			j := t.jobs[id]
			if len(ids) < searchCap && !j.hidden && slices.Contains(j.Portals, p.ID) && match(j) {
				ids = append(ids, id)
			}
		}
		return ids
	})
	if !c.sim.cfg.Quirks.AscendingPortals {
		ids = slices.Clone(ids)
		slices.Reverse(ids)
	}
	quoted := c.quoted()
	rows := make([]portalRow, 0, len(ids))
	for _, id := range ids {
		j := t.jobs[id]
		rows = append(rows, portalRow{
			PortalURL: "https://jobs-" + t.cfg.Customer + ".icims.com/jobs/" + itoa(id) + "/" + slug(j.Title) + "/job",
			Self:      c.base + "/customers/" + t.cfg.Customer + "/portals/" + p.Name + "/" + itoa(id),
			ID:        showID(id, quoted), UpdatedDate: dateTime(j.Updated),
		})
	}
	return ok(map[string]any{"searchResults": rows})
}

// slug returns a title in the form used by portal URLs.
func slug(title string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(title), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}

func portalsFilters(c *call) answer {
	t := c.tenant
	t.mu.RLock()
	defer t.mu.RUnlock()
	if _, missing := c.portal(); missing != nil {
		return *missing
	}
	var rows []any
	for _, name := range sortedKeys(jobFilters) {
		row := map[string]any{"name": name}
		if name == "job.folder" {
			var options []any
			for _, id := range sortedKeys(jobFolders) {
				options = append(options, map[string]any{"id": id, "value": jobFolders[id]})
			}
			row["options"] = options
		}
		rows = append(rows, row)
	}
	return ok(map[string]any{"filters": rows})
}

// portalsJob returns the portal's view of a job.
func portalsJob(c *call) answer {
	t := c.tenant
	t.mu.RLock()
	defer t.mu.RUnlock()
	p, missing := c.portal()
	if missing != nil {
		return *missing
	}
	j := t.jobs[atoi(c.arg("job"))]
	if j == nil || j.hidden || !slices.Contains(j.Portals, p.ID) {
		return notFound("Job")
	}
	out := map[string]any{"links": []any{link(selfTitle, c.base+c.r.URL.EscapedPath())}}
	for _, name := range []string{"id", "jobtitle", "jobid", "joblocation", "updateddate"} {
		if v := j.field(t, name, c.base); v != nil {
			out[name] = v
		}
	}
	return ok(out)
}
