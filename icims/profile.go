package icims

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// ProfileLink is the value of a field that references another record (API sheet §6.1).
type ProfileLink struct {
	ID int64
	// Value is the other record's label: a person's name or a job's title.
	Value   string
	Profile string
}

// UnmarshalJSON reads a link or a plain ID.
func (l *ProfileLink) UnmarshalJSON(b []byte) error {
	*l = ProfileLink{}
	if string(b) == "null" {
		return nil
	}
	if len(b) > 0 && b[0] != '{' {
		return unmarshalID(&l.ID, b)
	}
	raw, err := object(b)
	if err != nil {
		return err
	}
	if id, ok := raw["id"]; ok {
		err = unmarshalID(&l.ID, id)
	}
	return errors.Join(err, textMember(raw, "value", &l.Value), textMember(raw, "profile", &l.Profile))
}

func (c *Client) readRequest(ctx context.Context, op Op, name string, id int64, fields []string) (*http.Request, error) {
	if id <= 0 {
		return nil, badRequest(op, detail(name+" id must be above zero"))
	}
	query, err := fieldsQuery(op, fields)
	if err != nil {
		return nil, err
	}
	return c.newRequest(ctx, op, params{name: strconv.FormatInt(id, 10)}, query, nil)
}

func (c *Client) patch(ctx context.Context, op Op, name string, id int64, f Fields) (*Response, error) {
	if id <= 0 {
		return nil, badRequest(op, detail(name+" id must be above zero"))
	}
	if err := fieldsBody(op, f); err != nil {
		return nil, err
	}
	req, err := c.newRequest(ctx, op, params{name: strconv.FormatInt(id, 10)}, "", f)
	if err != nil {
		return nil, err
	}
	return c.doPatch(req)
}

var errObject error = detail("response is not a JSON object")

func object(b []byte) (map[string]json.RawMessage, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil || raw == nil {
		return nil, errObject
	}
	return raw, nil
}

func member[T any](raw map[string]json.RawMessage, name string, dst *T) error {
	v, ok := raw[name]
	if !ok {
		return nil
	}
	if json.Unmarshal(v, dst) != nil {
		return detail("field " + name + " is of an unknown shape")
	}
	return nil
}

func textMember(raw map[string]json.RawMessage, name string, dst *string) error {
	var t text
	if err := member(raw, name, &t); err != nil {
		return err
	}
	*dst = string(t)
	return nil
}
