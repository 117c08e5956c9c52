package icims

import (
	"bytes"
	"encoding/json"
	"strings"
)

// ListNode is the value of a list field (API sheet §6.1). IDs that start with D mean the same in
// every tenant; IDs that start with C belong to one tenant. A tenant may rename the label of a D
// node, so compare IDs first.
type ListNode struct {
	ID             string
	Value          string
	FormattedValue string
	Abbrev         string
}

// errNode does not contain the text that could not be read.
var errNode error = detail("list value is neither object, text nor array")

// UnmarshalJSON reads a node, the plain text of an old drop-down, or the first of several nodes.
func (n *ListNode) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	*n = ListNode{}
	if len(b) == 0 || string(b) == "null" {
		return nil
	}
	switch b[0] {
	case '"':
		return json.Unmarshal(b, &n.Value)
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(b, &list); err != nil {
			return errNode
		}
		if len(list) == 0 || bytes.HasPrefix(bytes.TrimSpace(list[0]), []byte("[")) {
			return nil
		}
		return n.UnmarshalJSON(list[0])
	case '{':
		var doc struct{ ID, Value, FormattedValue, Abbrev text }
		if err := json.Unmarshal(b, &doc); err != nil {
			return errNode
		}
		*n = ListNode{string(doc.ID), string(doc.Value), string(doc.FormattedValue), string(doc.Abbrev)}
		return nil
	}
	return errNode
}

// IsZero reports whether the node is empty.
func (n *ListNode) IsZero() bool { return n == nil || *n == ListNode{} }

// Matches reports whether the node has the label, alone or prefixed with its bin: "Recruiter
// Submitted", "New Submissions - Recruiter Submitted" or "New Submissions: Recruiter Submitted"
// (API sheet §9.4).
func (n *ListNode) Matches(label string) bool {
	label = strings.ToLower(strings.TrimSpace(label))
	if n == nil || label == "" {
		return false
	}
	for _, v := range []string{n.Value, n.FormattedValue} {
		v = strings.ToLower(strings.TrimSpace(v))
		if v == label || strings.HasSuffix(v, " - "+label) || strings.HasSuffix(v, ": "+label) {
			return true
		}
	}
	return false
}

func (n *ListNode) hasPrefix(prefix string) bool {
	prefix = strings.ToLower(prefix)
	return strings.HasPrefix(strings.ToLower(n.Value), prefix) ||
		strings.HasPrefix(strings.ToLower(n.FormattedValue), prefix)
}

// text is a string that can also be decoded from a number, a boolean or a list node's label.
type text string

var errText error = detail("value is not a text")

func (t *text) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	*t = ""
	if len(b) == 0 || string(b) == "null" {
		return nil
	}
	switch b[0] {
	case '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return errText
		}
		*t = text(s)
	case '{':
		var doc struct{ Value json.RawMessage }
		if err := json.Unmarshal(b, &doc); err != nil {
			return errText
		}
		if v := bytes.TrimSpace(doc.Value); len(v) > 0 && v[0] == '"' {
			return t.UnmarshalJSON(v)
		}
	case '[':
		return errText
	default:
		*t = text(b)
	}
	return nil
}
