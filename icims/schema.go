package icims

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// The record types that have a schema (API sheet §10). A recruiting workflow is called "submittal".
const (
	SchemaPerson   = "person"
	SchemaWorkflow = "submittal"
)

// Schema lists the fields of a record type that the account sees.
type Schema struct {
	Type string
	// Properties are the fields by API name.
	Properties map[string]*SchemaProperty
	// Raw is the JSON Schema as received.
	Raw json.RawMessage
}

// SchemaProperty is one field. A collection is an array whose Items have the integer property
// "entry".
type SchemaProperty struct {
	Type       string
	Format     string
	Title      string
	Properties map[string]*SchemaProperty
	Items      *SchemaProperty
}

// Schema reads the fields of a record type (API sheet §10).
func (c *Client) Schema(ctx context.Context, typ string) (*Schema, *Response, error) {
	if !readField.MatchString(typ) {
		return nil, nil, badRequest(opSchema, detail("record type must be lower case letters"))
	}
	req, err := c.newRequest(ctx, opSchema, params{"type": typ}, "", nil)
	if err != nil {
		return nil, nil, err
	}
	ans, resp, err := c.bareDo(req)
	if err != nil {
		return nil, resp, err
	}
	var root SchemaProperty
	if err := ans.decode(&root); err != nil {
		return nil, resp, err
	}
	if root.Properties == nil {
		return nil, resp, ans.bad(ReasonBadAnswer, detail("schema without properties"))
	}
	return &Schema{Type: typ, Properties: root.Properties, Raw: ans.body}, resp, nil
}

// Collections returns the names of the collections, sorted.
func (s *Schema) Collections() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if p := s.Properties[name]; p != nil && p.Items != nil {
			if _, ok := p.Items.Properties["entry"]; ok {
				names = append(names, name)
			}
		}
	}
	return names
}

// UnmarshalJSON reads a property; "type" may be one name or several.
func (p *SchemaProperty) UnmarshalJSON(b []byte) error {
	*p = SchemaProperty{}
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		return nil // true, false and null are schemas too
	}
	raw, err := object(b)
	if err != nil {
		return err
	}
	var types []string
	if t := raw["type"]; json.Unmarshal(t, &p.Type) != nil && json.Unmarshal(t, &types) == nil {
		for _, t := range types {
			if t != "null" {
				p.Type = t
				break
			}
		}
	}
	if items := bytes.TrimSpace(raw["items"]); len(items) > 0 && items[0] == '[' {
		var list []*SchemaProperty
		if json.Unmarshal(items, &list) == nil && len(list) > 0 {
			p.Items = list[0]
		}
		delete(raw, "items")
	}
	return errors.Join(
		textMember(raw, "format", &p.Format),
		textMember(raw, "title", &p.Title),
		member(raw, "properties", &p.Properties),
		member(raw, "items", &p.Items),
	)
}
