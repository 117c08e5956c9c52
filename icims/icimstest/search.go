package icimstest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// personHit is the version of a person that a search sees.
type personHit struct {
	t      *Tenant
	p      *person
	fields map[string]any
}

// workflowHit is a workflow with both its profiles.
type workflowHit struct {
	f      *workflow
	person personHit
	job    *job
}

// searchRow is one search result: an ID and its URL.
type searchRow struct {
	ID   any    `json:"id"`
	Self string `json:"self"`
}

// quoted decides whether this response sends its IDs as strings.
func (c *call) quoted() bool {
	q := c.sim.cfg.Quirks
	return q.StringIDs > 0 && c.rng.Float64() < q.StringIDs
}

func showID(id int64, quoted bool) any {
	if quoted {
		return itoa(id)
	}
	return id
}

var nothingFound = problem{code: codeNotFound, detail: "No results found."}

func (c *call) rows(ids []int64, resource string) answer {
	if len(ids) == 0 && resource != "jobs" {
		switch c.tenant.behaviour.EmptySearch {
		case ErrorsObject:
			return ok(map[string]any{"errors": problemsJSON([]problem{nothingFound})})
		case Errors404:
			return refuse(http.StatusNotFound, nothingFound)
		case Uncoded:
			return ok(map[string]any{"errors": []any{map[string]any{"errorMessage": "MESSAGE", "errorCode": "CODE"}}})
		}
	}
	quoted := c.quoted()
	prefix := c.base + "/customers/" + c.tenant.cfg.Customer + "/" + resource + "/"
	rows := make([]searchRow, len(ids))
	for i, id := range ids {
		rows[i] = searchRow{ID: showID(id, quoted), Self: prefix + itoa(id)}
	}
	return ok(map[string]any{"searchResults": rows})
}

func personText(name string) filterDef[personHit] {
	return filterDef[personHit]{text: func(h personHit) string { s, _ := h.fields[name].(string); return s }}
}

var personFilters = newPersonFilters()

func newPersonFilters() map[string]filterDef[personHit] {
	email := personText("email")
	email.foldExact = func(h personHit) bool { return h.t.behaviour.SearchEmailCase == Insensitive }
	id := filterDef[personHit]{num: func(h personHit) int64 { return h.p.id }}
	idCSV := id
	idCSV.csv = true
	updated := filterDef[personHit]{date: func(h personHit) time.Time { return h.p.updated }}
	return map[string]filterDef[personHit]{
		"person.id": id, "person.idCSV": idCSV,
		"person.firstname": personText("firstname"), "person.lastname": personText("lastname"),
		"person.email": email, "person.emailaddress": email,
		"person.externalid":       personText("externalid"),
		"person.folder":           {list: func(h personHit) []string { return []string{folderID(h.fields)} }},
		"person.createddate":      {date: func(h personHit) time.Time { return h.p.created }},
		"person.updateddate":      updated,
		"person.emaillastupdated": updated,
	}
}

// customFilters adds person.customfieldNNNN.text for the tenant's own fields.
func (t *Tenant) customFilters() map[string]filterDef[personHit] {
	out := personFilters
	for name := range t.fields {
		number, isCustom := strings.CutPrefix(name, "field")
		if !isCustom {
			continue
		}
		if len(out) == len(personFilters) {
			out = make(map[string]filterDef[personHit], len(personFilters)+4)
			maps.Copy(out, personFilters)
		}
		out["person.customfield"+number+".text"] = personText(name)
	}
	return out
}

var jobFilters = map[string]filterDef[*job]{
	"job.id":          {num: func(j *job) int64 { return j.ID }},
	"job.jobnumber":   {text: func(j *job) string { return j.Number }},
	"job.jobtitle":    {text: func(j *job) string { return j.Title }},
	"job.folder":      {list: func(j *job) []string { return []string{j.Folder} }},
	"job.postedto":    {list: func(j *job) []string { return j.postedTo() }},
	"job.updateddate": {date: func(j *job) time.Time { return j.Updated }},
}

func (j *job) postedTo() []string {
	out := make([]string, len(j.Portals))
	for i, id := range j.Portals {
		out[i] = itoa(int64(id))
	}
	return out
}

var workflowFilters = newWorkflowFilters()

func newWorkflowFilters() map[string]filterDef[workflowHit] {
	out := map[string]filterDef[workflowHit]{
		"applicantworkflow.id":          {num: func(h workflowHit) int64 { return h.f.id }},
		"applicantworkflow.status":      {list: workflowHit.statusNames},
		"applicantworkflow.bin":         {text: func(h workflowHit) string { return h.bin() }},
		"applicantworkflow.updateddate": {date: func(h workflowHit) time.Time { return h.f.updated }},
		"applicantworkflow.createddate": {date: func(h workflowHit) time.Time { return h.f.created }},
	}
	for name, def := range newPersonFilters() {
		out["applicantworkflow."+name] = through(def, func(h workflowHit) personHit { return h.person })
	}
	for name, def := range jobFilters {
		out["applicantworkflow."+name] = through(def, func(h workflowHit) *job { return h.job })
	}
	return out
}

// statusNames returns the names a search may use for the status: its ID, or its text with or
// without its bin.
func (h workflowHit) statusNames() []string {
	n, _ := h.f.fields["status"].(node)
	names := []string{n.ID, n.Value}
	if e := h.person.t.lists[listStatus].byID[n.ID]; e != nil {
		names = append(names, e.short)
	}
	return names
}

func (h workflowHit) bin() string {
	n, _ := h.f.fields["status"].(node)
	if e := h.person.t.lists[listStatus].byID[n.ID]; e != nil {
		return e.bin
	}
	return ""
}

// through adapts a filter of one record type to another that refers to it.
func through[A, B any](def filterDef[B], to func(A) B) filterDef[A] {
	out := filterDef[A]{csv: def.csv}
	if def.text != nil {
		out.text = func(a A) string { return def.text(to(a)) }
	}
	if def.num != nil {
		out.num = func(a A) int64 { return def.num(to(a)) }
	}
	if def.list != nil {
		out.list = func(a A) []string { return def.list(to(a)) }
	}
	if def.date != nil {
		out.date = func(a A) time.Time { return def.date(to(a)) }
	}
	if def.foldExact != nil {
		out.foldExact = func(a A) bool { return def.foldExact(to(a)) }
	}
	return out
}

func searchPeople(c *call) answer {
	q, bad := c.query(false)
	if bad != nil {
		return *bad
	}
	t := c.tenant
	t.mu.RLock()
	defer t.mu.RUnlock()
	match, p := compile(&q.group, t.customFilters(), t.behaviour)
	if p != nil {
		return refuse(searchErrorStatus, *p)
	}
	lag := c.sim.faults.Load().SearchLag
	ids := t.cache.through(c.now, q, "people", func() []int64 {
		return firstHits(t.candidatePeople(q.group), func(id int64) bool {
			hit, visible := t.personHit(id, c.now, lag)
			return visible && match(hit)
		})
	})
	return c.rows(ids, "people")
}

// personHit returns the person as a search sees it, or false.
func (t *Tenant) personHit(id int64, now time.Time, lag time.Duration) (personHit, bool) {
	p := t.people[id]
	if p == nil {
		return personHit{}, false
	}
	if t.behaviour.PeopleInSearch == Nobody {
		return personHit{}, false
	}
	fields := p.searchable(now, lag)
	return personHit{t, p, fields}, fields != nil
}

// candidatePeople returns the IDs to check, in ascending order: by index if the search restricts
// email addresses or IDs, else everyone after the last ID.
func (t *Tenant) candidatePeople(g group) []int64 {
	if ids, pinned := t.emails.candidates(g, "person.email", "person.emailaddress"); pinned {
		return ids
	}
	if values, pinned := g.pinned("=", "person.id"); pinned {
		return sorted(numbers(values))
	}
	i, _ := slices.BinarySearch(t.order, g.after("person.id")+1)
	return t.order[i:]
}

func numbers(values []string) []int64 {
	out := make([]int64, 0, len(values))
	for _, v := range values {
		out = append(out, atoi(strings.TrimSpace(v)))
	}
	return out
}

func sorted(ids []int64) []int64 {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// firstHits returns the first 1,000 matching IDs.
func firstHits(candidates []int64, match func(int64) bool) []int64 {
	out := []int64{}
	for _, id := range candidates {
		if match(id) {
			if out = append(out, id); len(out) == searchCap {
				break
			}
		}
	}
	return out
}

func searchJobs(c *call) answer {
	q, bad := c.query(false)
	if bad != nil {
		return *bad
	}
	t := c.tenant
	t.mu.RLock()
	defer t.mu.RUnlock()
	match, p := compile(&q.group, jobFilters, t.behaviour)
	if p != nil {
		return refuse(searchErrorStatus, *p)
	}
	ids := t.cache.through(c.now, q, "jobs", func() []int64 {
		return firstHits(t.jobOrder, func(id int64) bool { return !t.jobs[id].hidden && match(t.jobs[id]) })
	})
	return c.rows(ids, "jobs")
}

func searchWorkflows(c *call) answer {
	q, bad := c.query(false)
	if bad != nil {
		return *bad
	}
	t := c.tenant
	t.mu.RLock()
	defer t.mu.RUnlock()
	match, p := compile(&q.group, workflowFilters, t.behaviour)
	if p != nil {
		return refuse(searchErrorStatus, *p)
	}
	lag := c.sim.faults.Load().SearchLag
	_, byPerson := q.group.pinned("=", "applicantworkflow.person.id")
	_, byJob := q.group.pinned("=", "applicantworkflow.job.id")
	if byPerson && byJob {
		switch t.behaviour.PairSearch {
		case Misses:
			return c.rows(nil, "applicantworkflows")
		case Denied:
			return refuse(http.StatusForbidden, problem{code: codeAccessDenied, detail: "You do not have access to the requested resource."})
		case Refused:
			return refuse(searchErrorStatus, *searchProblem(msgBadFilter + "applicantworkflow.person.id]"))
		}
	}
	ids := t.cache.through(c.now, q, "applicantworkflows", func() []int64 {
		return firstHits(t.candidateWorkflows(q.group), func(id int64) bool {
			hit, visible := t.workflowHit(id, c.now, lag)
			return visible && match(hit)
		})
	})
	return c.rows(ids, "applicantworkflows")
}

// workflowHit returns the workflow as a search sees it, or false.
func (t *Tenant) workflowHit(id int64, now time.Time, lag time.Duration) (workflowHit, bool) {
	f := t.flows[id]
	if f == nil || lag > 0 && now.Sub(f.created) < lag {
		return workflowHit{}, false
	}
	p, j := t.people[f.person], t.jobs[f.job]
	if p == nil || j == nil || p.hidden || j.hidden {
		return workflowHit{}, false
	}
	return workflowHit{f, personHit{t, p, p.fields}, j}, true
}

// candidateWorkflows uses an index if the search restricts people, their addresses, jobs or IDs.
func (t *Tenant) candidateWorkflows(g group) []int64 {
	people, byPerson := g.pinned("=", "applicantworkflow.person.id")
	jobs, byJob := g.pinned("=", "applicantworkflow.job.id")
	switch {
	case byPerson && byJob:
		var ids []int64
		for _, p := range numbers(people) {
			for _, j := range numbers(jobs) {
				ids = append(ids, t.byPair[pair{p, j}]...)
			}
		}
		return sorted(ids)
	case byPerson:
		var ids []int64
		for _, p := range numbers(people) {
			ids = append(ids, t.byPerson[p]...)
		}
		return sorted(ids)
	}
	holders, byAddress := t.emails.candidates(g, "applicantworkflow.person.email", "applicantworkflow.person.emailaddress")
	if byAddress {
		var ids []int64
		for _, p := range holders {
			ids = append(ids, t.byPerson[p]...)
		}
		return sorted(ids)
	}
	if values, pinned := g.pinned("=", "applicantworkflow.id"); pinned {
		return sorted(numbers(values))
	}
	if byJob {
		var ids []int64
		for _, j := range numbers(jobs) {
			ids = append(ids, t.byJob[j]...)
		}
		return sorted(ids)
	}
	i, _ := slices.BinarySearch(t.flowOrder, g.after("applicantworkflow.id")+1)
	return t.flowOrder[i:]
}

func searchResultsSchema(c *call) answer {
	return ok(map[string]any{"type": "object", "properties": map[string]any{"searchResults": map[string]any{
		"type": "array", "items": map[string]any{"type": "object", "properties": map[string]any{
			"id": map[string]any{"type": "integer"}, "self": map[string]any{"type": "string"}}}}}})
}

func searchFiltersSchema(c *call) answer {
	str := map[string]any{"type": "string"}
	strs := map[string]any{"type": "array", "items": str}
	return ok(map[string]any{"type": "object", "properties": map[string]any{
		"operator": map[string]any{"type": "string", "enum": []string{"&", "|"}},
		"filters": map[string]any{"type": "array", "items": map[string]any{"type": "object", "properties": map[string]any{
			"name": str, "value": strs, "operator": str, "secondaryValue": strs}}},
		"children": map[string]any{"type": "array", "items": map[string]any{"$ref": "#"}},
	}})
}
