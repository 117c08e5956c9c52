package icimstest

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

type kind int

const (
	kindText kind = iota
	kindEmail
	kindNumber
	kindDate     // yyyy-MM-dd
	kindDateTime // yyyy-MM-dd hh:mm a
	kindNode
	kindNodes
	kindFile
	kindCollection
)

// field is one field of a profile, or one child of a collection.
type field struct {
	name     string
	title    string
	kind     kind
	list     string
	growing  bool
	max      int // in characters; 0 is unlimited
	readOnly bool
	primary  bool // a collection with a primary entry
	children map[string]*field
	order    []string
}

func collection(name, title string, children ...*field) *field {
	f := &field{name: name, title: title, kind: kindCollection, children: map[string]*field{}}
	for _, c := range children {
		f.children[c.name] = c
		f.order = append(f.order, c.name)
	}
	return f
}

func text(name, title string, limit int) *field { return &field{name: name, title: title, max: limit} }
func date(name, title string) *field            { return &field{name: name, title: title, kind: kindDate} }
func nodeOf(name, title, list string) *field {
	return &field{name: name, title: title, kind: kindNode, list: list}
}

func growing(name, title, list string) *field {
	return &field{name: name, title: title, kind: kindNode, list: list, growing: true}
}

// personFields returns the fields that a tenant's account may see and set.
func (t *Tenant) personFields() map[string]*field {
	w, e := t.cfg.WorkExperience, t.cfg.Education
	phones := collection("phones", "Phones",
		text("phonenumber", "Number", 128), nodeOf("phonetype", "Type", listPhoneType), text("phoneextension", "Extension", 0))
	phones.primary = true
	addresses := collection("addresses", "Addresses",
		text("addressstreet1", "Street", 0), text("addressstreet2", "Street 2", 0), text("addresscity", "City", 64),
		nodeOf("addressstate", "State", listState), nodeOf("addresscountry", "Country", listCountry),
		text("addresszip", "Zip", 16), text("addresscounty", "County", 0), nodeOf("addresstype", "Type", listAddressType))
	addresses.primary = true
	fields := []*field{
		text("firstname", "First Name", 0), text("middlename", "Middle Name", 0), text("lastname", "Last Name", 0),
		{name: "email", title: "Email", kind: kindEmail},
		nodeOf("folder", "Person Folder", listFolders),
		text("source", "Source", 0), text("sourcename", "Source Specifics", 0), text("externalid", "External ID", 0),
		date("startdate", "Start Date"), date("hiredate", "Hire Date"),
		{name: "createddate", title: "Created Date", kind: kindDateTime, readOnly: true},
		{name: "updateddate", title: "Updated Date", kind: kindDateTime, readOnly: true},
		{name: "resume", title: "Resume", kind: kindFile, readOnly: true},
		phones, addresses,
		collection(w.Collection, "Work Experience",
			text(w.Employer, "Employer", 128), text(w.Title, "Title", 64), date(w.Start, "Start Date"), date(w.End, "End Date")),
		collection(e.Collection, "Education",
			growing(e.School, "School", listSchool), growing(e.Degree, "Degree", listDegree), growing(e.Major, "Major", listMajor),
			nodeOf("isgraduated", "Is Graduated", "lists.isgraduated"), date("graduationdate", "Graduation Date"), date("educationstartdate", "Start Date"), text("otherschool", "Other School", 0)),
	}
	if t.cfg.LinkedInField != "" {
		fields = append(fields, text(t.cfg.LinkedInField, "LinkedIn", 0))
	}
	for name, typ := range t.cfg.CustomFields {
		f := text(name, name, 0)
		switch typ {
		case "number":
			f.kind = kindNumber
		case "date":
			f.kind = kindDate
		case "list":
			f.kind, f.list, f.growing = kindNode, "lists."+name, true
		case "multilist":
			f.kind, f.list, f.growing = kindNodes, "lists."+name, true
		}
		fields = append(fields, f)
	}
	out := make(map[string]*field, len(fields))
	for _, f := range fields {
		out[f.name] = f
	}
	for _, name := range t.cfg.HiddenFields {
		delete(out, name)
	}
	return out
}

// workflowFields returns the optional fields of a recruiting workflow.
func workflowFields() map[string]*field {
	return map[string]*field{
		"status":     nodeOf("status", "Status", listStatus),
		"source":     text("source", "Source", 0),
		"sourcename": text("sourcename", "Source Name", 0),
	}
}

// scan collects the problems of a body in the order of its field names, so that responses are
// deterministic.
type scan struct {
	t        *Tenant
	errors   []problem
	warnings []problem
}

func (s *scan) refuse(field, detail string) { s.errors = append(s.errors, invalid(field, detail)) }

// unknown reports a field name that the tenant or the account does not have.
func (s *scan) unknown(name string) {
	p := invalid(name, "The field is not valid or not accessible.")
	if name != strings.ToLower(name) {
		p.detail = "Field name must be all lowercase" // as documented
	}
	if s.t.behaviour.UnknownField == Warn {
		s.warnings = append(s.warnings, p)
		return
	}
	s.errors = append(s.errors, p)
}

// pathOf returns the field name used in problems with a child of a collection.
func (s *scan) pathOf(f *field, child string) string {
	switch s.t.behaviour.EntryProblemNames {
	case Child:
		return child
	case Collection:
		return f.name
	case None:
		return ""
	}
	return f.name + "." + child
}

func cleared(raw any) bool { return raw == nil || raw == "" }

// value checks a scalar or list value and returns the value to store. The second result is false if
// nothing is stored.
func (s *scan) value(f *field, path string, raw any) (any, bool) {
	switch f.kind {
	case kindText, kindEmail:
		return s.text(f, path, raw)
	case kindNumber:
		if n, isNumber := raw.(json.Number); isNumber {
			return n, true
		}
		s.refuse(path, "The value must be a number.")
	case kindDate:
		if v, isText := raw.(string); isText {
			if _, err := time.Parse(time.DateOnly, v); err == nil {
				return v, true
			}
		}
		s.refuse(path, "The date must have the form yyyy-MM-dd.")
	case kindNode:
		return s.nodeValue(f, path, raw)
	case kindNodes:
		items, isArray := raw.([]any)
		if !isArray {
			s.refuse(path, "The value must be an array of list values.")
			return nil, false
		}
		nodes := []node{}
		for _, item := range items {
			if value, stored := s.nodeValue(f, path, item); stored {
				if n, isNode := value.(node); isNode {
					nodes = append(nodes, n)
				}
			}
		}
		return nodes, true
	default:
		s.refuse(path, "The field cannot be set.")
	}
	return nil, false
}

func (s *scan) text(f *field, path string, raw any) (any, bool) {
	v, isText := raw.(string)
	if !isText {
		s.refuse(path, "The value must be text.")
		return nil, false
	}
	if f.kind == kindEmail && strings.ContainsFunc(v, func(r rune) bool { return r > 127 }) {
		s.refuse(path, "The email address contains characters that are not allowed.")
		return nil, false
	}
	if n := utf8.RuneCountInString(v); f.max > 0 && n > f.max {
		if s.t.behaviour.OverlongText == Truncate {
			return string([]rune(v)[:f.max]), true
		}
		s.refuse(path, fmt.Sprintf("The value exceeds the maximum length of %d characters.", f.max))
		return nil, false
	}
	return v, true
}

func (s *scan) nodeValue(f *field, path string, raw any) (any, bool) {
	e, detail := s.t.node(f, raw)
	switch {
	case e != nil && e.guarded:
		s.refuse(path, "The entrance criteria of "+e.Value+" are not met.")
		return nil, false
	case e != nil:
		return e.node, true
	case s.t.behaviour.UnknownListValue != Refuse:
		s.warnings = append(s.warnings, invalid(path, detail))
	default:
		s.refuse(path, detail)
	}
	return nil, false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
