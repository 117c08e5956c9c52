package icims

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Workflow is a recruiting workflow: one person's application to one job (API sheet §9).
type Workflow struct {
	ID WorkflowID
	// Job and Person are 0 if the account may not see them.
	Job    JobID
	Person PersonID
	// Status is nil if it is empty or hidden.
	Status     *ListNode
	Source     string
	SourceName string
	// Raw holds every field as received, by API name.
	Raw map[string]json.RawMessage
}

// CreateWorkflow links a person ("associatedprofile") to a job ("baseprofile") and returns the ID
// of the link (API sheet §9.1). How iCIMS treats a second link of the same pair is not known:
// search first with [PersonJobQuery]. A lost response is ClassUnknown.
func (c *Client) CreateWorkflow(ctx context.Context, f Fields) (WorkflowID, *Response, error) {
	if err := fieldsBody(opCreateWorkflow, f); err != nil {
		return 0, nil, err
	}
	req, err := c.newRequest(ctx, opCreateWorkflow, nil, "", f)
	if err != nil {
		return 0, nil, err
	}
	id, resp, err := c.doCreate(req, "applicantworkflows")
	return WorkflowID(id), resp, err
}

// Workflow reads a workflow (API sheet §9.3).
func (c *Client) Workflow(ctx context.Context, id WorkflowID, fields ...string) (*Workflow, *Response, error) {
	req, err := c.readRequest(ctx, opWorkflow, "workflow", int64(id), fields)
	if err != nil {
		return nil, nil, err
	}
	ans, resp, err := c.bareDo(req)
	if err != nil {
		return nil, resp, err
	}
	w := new(Workflow)
	if err := ans.decode(w); err != nil {
		return nil, resp, err
	}
	if len(w.Raw) == 0 && ans.Transaction == "" {
		return nil, resp, ans.bad(ReasonBadAnswer, errEmptyObject)
	}
	w.ID = id
	return w, resp, nil
}

// PairWorkflow reads the workflow that links a person to a job (API sheet §9.3). Without one, the
// error is [Error.Missing], also if iCIMS returns a success without content. An empty object without
// iCIMS's transaction header may come from a gateway and is ReasonBadAnswer.
func (c *Client) PairWorkflow(ctx context.Context, person PersonID, job JobID) (*Workflow, *Response, error) {
	if person <= 0 || job <= 0 {
		return nil, nil, badRequest(opPairWorkflow, detail("person id and job id must be above zero"))
	}
	req, err := c.newRequest(ctx, opPairWorkflow, params{"person": person.String(), "job": job.String()}, "", nil)
	if err != nil {
		return nil, nil, err
	}
	ans, resp, err := c.bareDo(req)
	if err != nil {
		return nil, resp, err
	}
	if ans.holdsNothing() {
		return nil, resp, &Error{
			Op: opPairWorkflow.Name, Class: ClassPermanent, Reason: ReasonNotFound, Status: ans.Status,
			Problems: []Problem{{Code: codeNotFound}}, Transaction: ans.Transaction, Rate: ans.Rate, Sent: SentYes,
		}
	}
	w := new(Workflow)
	if err := ans.decode(w); err != nil {
		return nil, resp, err
	}
	if w.ID == 0 {
		w.ID = linkedWorkflow(w.Raw)
	}
	if w.ID == 0 || w.Person != 0 && w.Person != person || w.Job != 0 && w.Job != job {
		return nil, resp, ans.bad(ReasonBadAnswer, detail("no workflow of this person and job"))
	}
	return w, resp, nil
}

// holdsNothing reports whether a success says that the record does not exist: by an empty object or
// list, or an object "errors" with code 2.
func (a *answer) holdsNothing() bool {
	if a.bodyErr != nil {
		return false
	}
	body := strings.Join(strings.Fields(string(a.body)), "")
	return a.Transaction != "" && (body == "{}" || body == "[]") || body == `{"searchResults":[]}` ||
		strings.Contains(body, `"errors":`) && onlyCode(a.Warnings, codeNotFound)
}

// linkedWorkflow returns the ID of the workflow in an object's links, or 0: the object itself does
// not contain it (API sheet §5.1).
func linkedWorkflow(raw map[string]json.RawMessage) WorkflowID {
	var links []struct {
		URL text `json:"url"`
	}
	if member(raw, "links", &links) != nil {
		return 0
	}
	for _, l := range links {
		if id, ok := locationID(string(l.URL), "applicantworkflows"); ok {
			return WorkflowID(id)
		}
	}
	return 0
}

// StatusQuery finds the workflows with a status, by label or node ID (API sheet §0.3).
func StatusQuery(status string) Query {
	return Query{Filters: []Filter{{Name: "applicantworkflow.status", Value: []string{status}}}}
}

// learnFrom is how many workflows are read to find the ID of a status.
const learnFrom = 3

// FindStatus returns the status with a label, as a workflow of the tenant shows it, or nil if no
// workflow has it. It takes one search and at most three reads.
func (c *Client) FindStatus(ctx context.Context, label string) (*ListNode, error) {
	ids, _, err := c.SearchWorkflows(ctx, StatusQuery(label))
	if err != nil {
		return nil, err
	}
	slices.Reverse(ids) // newest first
	for _, id := range ids[:min(len(ids), learnFrom)] {
		w, _, err := c.Workflow(ctx, id, "status")
		switch ClassOf(err) {
		case ClassPermanent, ClassAccess:
			continue // deleted or hidden: try the next
		default:
		}
		if err != nil {
			return nil, err
		}
		if w.Status.Matches(label) && w.Status.ID != "" {
			return w.Status, nil
		}
	}
	return nil, nil
}

// PatchWorkflow changes only the given fields (API sheet §9.3).
func (c *Client) PatchWorkflow(ctx context.Context, id WorkflowID, f Fields) (*Response, error) {
	return c.patch(ctx, opPatchWorkflow, "workflow", int64(id), f)
}

// UnmarshalJSON reads the known fields and keeps all fields in Raw.
func (w *Workflow) UnmarshalJSON(b []byte) error {
	raw, err := object(b)
	if err != nil {
		return err
	}
	q := Workflow{Raw: raw}
	var base, associated ProfileLink
	err = errors.Join(
		member(raw, "id", &q.ID),
		member(raw, "baseprofile", &base),
		member(raw, "associatedprofile", &associated),
		member(raw, "status", &q.Status),
		textMember(raw, "source", &q.Source),
		textMember(raw, "sourcename", &q.SourceName),
	)
	q.Job, q.Person = JobID(base.ID), PersonID(associated.ID)
	*w = q
	return err
}
