package icims

import (
	"context"
	"encoding/json"
	"errors"
)

// Job is a job's profile (API sheet §8).
type Job struct {
	ID    JobID
	Title string
	// Number is the requisition number shown to users ("2025-1709"). It is not the ID.
	Number string
	Folder *ListNode
	// Location is the label of the job's address.
	Location string
	// Updated is iCIMS's text for the last change, in UTC.
	Updated string
	// Raw holds every field as received, by API name.
	Raw map[string]json.RawMessage
}

// jobFields are the fields of a Job.
var jobFields = []string{"jobtitle", "jobid", "joblocation", "folder", "updateddate"}

// Job reads a job. Without field names it requests the fields of a Job.
func (c *Client) Job(ctx context.Context, id JobID, fields ...string) (*Job, *Response, error) {
	if len(fields) == 0 {
		fields = jobFields
	}
	req, err := c.readRequest(ctx, opJob, "job", int64(id), fields)
	if err != nil {
		return nil, nil, err
	}
	j := new(Job)
	resp, err := c.do(req, j)
	if err != nil {
		return nil, resp, err
	}
	j.ID = id
	return j, resp, nil
}

// UnmarshalJSON reads the known fields and keeps all fields in Raw.
func (j *Job) UnmarshalJSON(b []byte) error {
	raw, err := object(b)
	if err != nil {
		return err
	}
	q := Job{Raw: raw}
	err = errors.Join(
		member(raw, "id", &q.ID),
		textMember(raw, "jobtitle", &q.Title),
		textMember(raw, "jobid", &q.Number),
		member(raw, "folder", &q.Folder),
		textMember(raw, "joblocation", &q.Location),
		textMember(raw, "updateddate", &q.Updated),
	)
	*j = q
	return err
}
