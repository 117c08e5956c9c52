package icimstest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// pair is a person and a job.
type pair struct{ person, job int64 }

// workflow links a person (associated profile) to a job (base profile).
type workflow struct {
	id          int64
	person, job int64
	fields      map[string]any
	created     time.Time
	updated     time.Time
	log         []statusChange
}

type statusChange struct {
	status node
	at     time.Time
	by     string
}

// WorkflowView is a recruiting workflow as the API returns it.
type WorkflowView struct {
	ID         int64     `json:"id"`
	Person     int64     `json:"person"`
	Job        int64     `json:"job"`
	StatusID   string    `json:"status_id"`
	Status     string    `json:"status"`
	Source     string    `json:"source"`
	SourceName string    `json:"source_name,omitempty"`
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
}

func (t *Tenant) link(f *workflow) {
	key := pair{f.person, f.job}
	t.byPair[key] = append(t.byPair[key], f.id)
	t.byPerson[f.person] = append(t.byPerson[f.person], f.id)
	t.byJob[f.job] = append(t.byJob[f.job], f.id)
}

func (t *Tenant) unlink(f *workflow) {
	without := func(ids []int64) []int64 {
		return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return id == f.id })
	}
	key := pair{f.person, f.job}
	t.byPair[key] = without(t.byPair[key])
	t.byPerson[f.person] = without(t.byPerson[f.person])
	t.byJob[f.job] = without(t.byJob[f.job])
}

func (t *Tenant) dropWorkflow(f *workflow) {
	t.unlink(f)
	delete(t.flows, f.id)
	if i, found := slices.BinarySearch(t.flowOrder, f.id); found {
		t.flowOrder = slices.Delete(t.flowOrder, i, i+1)
	}
}

// AddWorkflow seeds a workflow and returns its ID. status is a node ID; an unknown one leaves the
// workflow without a status.
func (t *Tenant) AddWorkflow(person, job int64, status string) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	fields := map[string]any{}
	if e := t.lists[listStatus].byID[status]; e != nil {
		fields["status"] = e.node
	}
	return t.insertWorkflow(person, job, fields, t.sim.cfg.Now().Add(-time.Hour)).id
}

// MoveWorkflow changes the status of a workflow, as a recruiter does.
func (t *Tenant) MoveWorkflow(id int64, status string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, e := t.flows[id], t.lists[listStatus].byID[status]
	if f == nil || e == nil {
		panic(fmt.Sprintf("no workflow %d or no status %s", id, status))
	}
	fields := maps.Clone(f.fields)
	fields["status"] = e.node
	f.fields, f.updated = fields, t.sim.cfg.Now()
	f.log = append(f.log, statusChange{e.node, f.updated, "a recruiter"})
}

func (t *Tenant) insertWorkflow(person, job int64, fields map[string]any, now time.Time) *workflow {
	t.flowSeq++
	f := &workflow{id: t.flowSeq, person: person, job: job, fields: fields, created: now, updated: now}
	if status, set := fields["status"].(node); set {
		f.log = []statusChange{{status, now, t.cfg.Username}}
	}
	t.flows[f.id] = f
	t.flowOrder = append(t.flowOrder, f.id)
	t.link(f)
	return f
}

// draftWorkflow checks the optional fields of a workflow body.
func (t *Tenant) draftWorkflow(s *scan, old, body map[string]any) map[string]any {
	defs := workflowFields()
	fields := make(map[string]any, len(old)+3)
	maps.Copy(fields, old)
	for _, name := range sortedKeys(body) {
		raw, f := body[name], defs[name]
		switch {
		case name == "baseprofile" || name == "associatedprofile":
			if old != nil {
				s.refuse(name, "The field cannot be changed.")
			}
		case f == nil:
			s.unknown(name)
		case cleared(raw):
			delete(fields, name)
		case name == "status" && old == nil && t.behaviour.StatusOnCreate == Ignored:
		case name == "status" && t.ignoresStatus(raw):
			if t.behaviour.StatusByValue == IgnoredWarn {
				s.warnings = append(s.warnings, invalid(name, "The list value is not valid."))
			}
		default:
			if v, stored := s.value(f, name, raw); stored {
				fields[name] = v
			}
		}
	}
	s.sourcename(fields, body)
	t.unstore(fields, old, "applicantworkflow.")
	return fields
}

// ignoresStatus reports whether a status is given only by its label and ignored.
func (t *Tenant) ignoresStatus(raw any) bool {
	obj, _ := raw.(map[string]any)
	_, byID := obj["id"]
	return !byID && (t.behaviour.StatusByValue == Ignored || t.behaviour.StatusByValue == IgnoredWarn)
}

// profileID reads a mandatory profile link, which must be an unquoted integer.
func (s *scan) profileID(body map[string]any, name string) int64 {
	raw, sent := body[name]
	if !sent || cleared(raw) {
		s.errors = append(s.errors, problem{code: codeRequired, field: name, detail: "This field is required."})
		return 0
	}
	id, isInt := asInt(raw)
	if !isInt {
		s.refuse(name, "The value must be the integer id of a profile.")
	}
	return id
}

func workflowsCreate(c *call) answer {
	body, bad := c.object()
	if bad != nil {
		return *bad
	}
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &scan{t: t}
	jobID, personID := s.profileID(body, "baseprofile"), s.profileID(body, "associatedprofile")
	fields := t.draftWorkflow(s, nil, body)
	if len(s.errors) > 0 {
		return badRequest(s.errors...)
	}
	j, p := t.jobs[jobID], t.people[personID]
	switch {
	case j == nil:
		return notFound("Job")
	case p == nil:
		return notFound("Person")
	case j.hidden || p.hidden:
		return accessDenied()
	}
	if old := t.byPair[pair{personID, jobID}]; len(old) > 0 {
		switch t.behaviour.DuplicateWorkflow {
		case Reject400:
			return badRequest(invalid("associatedprofile", "The person is already associated with this job."))
		case ReturnExisting:
			return created(t.workflowPath(old[0]), old[0])
		}
	}
	if fields["status"] == nil && t.behaviour.MissingStatus == First && len(t.lists[listStatus].entries) > 0 {
		fields["status"] = t.lists[listStatus].entries[0].node
	}
	if p.purged() {
		t.writes.purged++
	}
	f := t.insertWorkflow(personID, jobID, fields, c.now)
	c.effect = true
	a := created(t.workflowPath(f.id), f.id)
	a.warnings = slices.Concat(s.warnings, c.remark(fields))
	return a
}

func (t *Tenant) workflowPath(id int64) string {
	return "/customers/" + t.cfg.Customer + "/applicantworkflows/" + itoa(id)
}

func (c *call) workflow() (*workflow, *answer) {
	f := c.tenant.flows[atoi(c.arg("workflow"))]
	if f == nil {
		a := notFound("Workflow")
		return nil, &a
	}
	if p := c.tenant.people[f.person]; p != nil && p.hidden {
		a := accessDenied()
		return nil, &a
	}
	return f, nil
}

var defaultWorkflowFields = []string{"baseprofile", "associatedprofile", "status", "source", "sourcename"}

// showWorkflow renders a workflow with its three links, all of rel self.
func (t *Tenant) showWorkflow(f *workflow, names []string, base string) map[string]any {
	if names == nil {
		names = defaultWorkflowFields
	}
	jobURL := base + "/customers/" + t.cfg.Customer + "/jobs/" + itoa(f.job)
	personURL := base + t.personPath(f.person)
	out := map[string]any{"links": []any{
		link(selfTitle, base+t.workflowPath(f.id)),
		link("The base profile of this workflow.", jobURL),
		link("The associated profile of this workflow.", personURL),
	}}
	for _, name := range names {
		switch name {
		case "id":
			out["id"] = f.id
		case "baseprofile":
			title := ""
			if j := t.jobs[f.job]; j != nil {
				title = j.Title
			}
			out[name] = map[string]any{"id": f.job, "value": title, "profile": jobURL}
		case "associatedprofile":
			value := ""
			if p := t.people[f.person]; p != nil {
				value = p.text("firstname") + " " + p.text("lastname")
			}
			out[name] = map[string]any{"id": f.person, "value": value, "profile": personURL}
		default:
			if v := f.fields[name]; v != nil {
				out[name] = v
			}
		}
	}
	for _, name := range t.cfg.HiddenFields {
		delete(out, name)
	}
	return out
}

func workflowsGet(c *call) answer {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	f, missing := c.workflow()
	if missing != nil {
		return *missing
	}
	return ok(c.tenant.showWorkflow(f, c.wanted(), c.base))
}

func workflowsPair(c *call) answer {
	t := c.tenant
	switch t.behaviour.PairRoute {
	case Absent:
		return answer{status: http.StatusNotFound, raw: []byte(notFoundPage), rawType: "text/html; charset=utf-8"}
	case Denied:
		return refuse(http.StatusForbidden, problem{code: codeAccessDenied, detail: "You do not have access to the requested resource."})
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if _, missing := c.person(); missing != nil {
		return *missing
	}
	ids := t.byPair[pair{atoi(c.arg("person")), atoi(c.arg("job"))}]
	if len(ids) == 0 && t.behaviour.PairRoute == EmptyObject {
		return ok(map[string]any{})
	}
	if len(ids) == 0 {
		return notFound("Workflow")
	}
	return ok(t.showWorkflow(t.flows[ids[0]], c.wanted(), c.base))
}

func workflowsPatch(c *call) answer {
	body, bad := c.object()
	if bad != nil {
		return *bad
	}
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	f, missing := c.workflow()
	if missing != nil {
		return *missing
	}
	s := &scan{t: t}
	fields := t.draftWorkflow(s, f.fields, body)
	if len(s.errors) > 0 {
		return badRequest(s.errors...)
	}
	if status, set := fields["status"].(node); set && f.fields["status"] != status {
		f.log = append(f.log, statusChange{status, c.now, t.cfg.Username})
		f.log = f.log[max(0, len(f.log)-100):]
	}
	f.fields, f.updated = fields, c.now
	c.effect = true
	a := t.patched(t.workflowPath(f.id))
	a.warnings = s.warnings
	return a
}

// workflowsLog returns the newest 100 status changes, newest first.
func workflowsLog(c *call) answer {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	f, missing := c.workflow()
	if missing != nil {
		return *missing
	}
	rows := []any{}
	for _, change := range slices.Backward(f.log) {
		rows = append(rows, map[string]any{"status": change.status, "updatedDate": dateTime(change.at), "updatedBy": change.by})
	}
	return answer{status: http.StatusOK, body: map[string]any{"submittalstatuslog": rows}}
}

// Workflows returns all workflows by ascending ID.
func (t *Tenant) Workflows() []WorkflowView {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]WorkflowView, 0, len(t.flowOrder))
	for _, id := range t.flowOrder {
		f := t.flows[id]
		status, _ := f.fields["status"].(node)
		source, _ := f.fields["source"].(string)
		name, _ := f.fields["sourcename"].(string)
		out = append(out, WorkflowView{ID: id, Person: f.person, Job: f.job, StatusID: status.ID, Status: status.Value, Source: source, SourceName: name, Created: f.created, Updated: f.updated})
	}
	return out
}
