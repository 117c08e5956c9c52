package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/seekout/icims-export/internal/prose"
)

// ownErrors replaces huma's error functions, which are package variables. Nothing else in the
// process uses huma.
var ownErrors = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError { return humaProblem(nil, status, errs) }
	huma.NewErrorWithContext = func(ctx huma.Context, status int, _ string, errs ...error) huma.StatusError {
		p := humaProblem(ctx.Operation(), status, errs)
		req := requestOf(ctx.Context())
		req.code, p.RequestID = p.Code, req.id
		return p
	}
})

// humaProblem returns the problem for errors found by huma.
func humaProblem(doc *huma.Operation, status int, errs []error) *Problem {
	for _, err := range errs {
		if p := bodyProblem(err); p != nil {
			return p
		}
	}
	switch status {
	case http.StatusBadRequest:
		return newProblem(CodeMalformed, "The body is missing or not valid JSON.")
	case http.StatusRequestTimeout:
		return newProblem(CodeTimeout, "")
	case http.StatusRequestEntityTooLarge:
		return newProblem(CodeTooLarge, "")
	case http.StatusUnsupportedMediaType:
		return newProblem(CodeMediaType, "")
	case http.StatusUnprocessableEntity:
		return newProblem(CodeInvalid, "", fieldsOf(doc, errs)...)
	default:
		return newProblem(CodeInternal, "")
	}
}

// shownFields limits the invalid fields in a response.
const shownFields = 100

func fieldsOf(doc *huma.Operation, errs []error) []FieldProblem {
	var fields []FieldProblem
	for _, err := range errs[:min(len(errs), shownFields)] {
		var f FieldProblem
		var wrongType *json.UnmarshalTypeError
		switch detail := (*huma.ErrorDetail)(nil); {
		case errors.As(err, &detail):
			f = fieldOf(doc, detail)
		case errors.As(err, &wrongType):
			f = FieldProblem{Field: wrongType.Field, Problem: "has a value of the wrong type", Remedy: "use the type in the OpenAPI document"}
		default:
			f = FieldProblem{Field: "body", Problem: "has an invalid value", Remedy: "check the OpenAPI document"}
		}
		if !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	return fields
}

// fieldOf rewrites one of huma's errors. It repeats neither values nor names that the schema does
// not have.
func fieldOf(doc *huma.Operation, detail *huma.ErrorDetail) FieldProblem {
	place := placeOf(doc, detail.Location)
	if name, ok := cutBetween(detail.Message, "expected required property ", " to be present"); ok {
		return missing(joinField(place.field, name))
	}
	if place.known && detail.Message == validation.MsgUnexpectedProperty {
		place.field, place.known = "body", false // a name with dots in it looks like a path
	}
	if !place.known {
		return place.unknown()
	}
	found, remedy := findingOf(detail.Message)
	if found == isMissing {
		return missing(place.field)
	}
	return FieldProblem{Field: place.field, Problem: found, Remedy: remedy}
}

const isMissing = "is missing"

// missing returns the problem of a missing or empty field.
func missing(field string) FieldProblem {
	if strings.HasSuffix("."+field, ".why") {
		return FieldProblem{Field: field, Problem: isMissing, Remedy: "give a reason"}
	}
	return FieldProblem{Field: field, Problem: isMissing, Remedy: "add it"}
}

func joinField(parent, name string) string {
	if parent == "" || parent == "body" {
		return name
	}
	return parent + "." + name
}

func cutBetween(text, before, after string) (string, bool) {
	rest, ok := strings.CutPrefix(text, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, after)
}

// findings rewrites the prefixes of huma's messages. The rest of a message comes from the schema.
var findings = []struct{ message, problem, remedy string }{
	{"required ", isMissing, "add it"},
	{"invalid integer", "must be an integer", "use an integer"},
	{"invalid float", "must be a number", "use a number"},
	{"invalid boolean", "must be true or false", "use true or false"},
	{"invalid date/time", "is not a valid time", "use a time such as 2026-11-22T15:04:05Z"},
	{"expected value to be one of ", "is not an allowed value", "use one of "},
	{"expected number >= ", "is too small", "use at least "},
	{"expected number > ", "is too small", "use more than "},
	{"expected number <= ", "is too large", "use at most "},
	{"expected number < ", "is too large", "use less than "},
	{"expected length >= ", "is too short", "use at least "},
	{"expected length <= ", "is too long", "use at most "},
	{"expected array length >= ", "has too few items", "use at least "},
	{"expected array length <= ", "has too many items", "use at most "},
	{"expected array items to be unique", "has duplicate items", "remove duplicates"},
	{"expected string to match pattern ", "has an invalid format", "it must match "},
	{"expected string to be RFC 3339 date-time", "is not a valid time", "use a time such as 2026-11-22T15:04:05Z"},
	{"expected string to be RFC 5322 email", "is not an email address", "use an address such as name@example.com"},
	{"expected string to be RFC 3986 uri", "is not a URL", "use a full URL with https://"},
	{"expected string to be RFC 4122 uuid", "is not a UUID", "use a UUID"},
	{"expected string to be regex", "is not a regular expression", "correct it"},
	{"expected string to be ", "has an invalid format", "it must be "},
	{"expected duration", "is not a duration", "use a number with a unit, such as 30s"},
	{"expected string", "must be a string", "use a string"},
	{"expected integer", "must be an integer", "use an integer"},
	{"expected number", "must be a number", "use a number"},
	{"expected boolean", "must be true or false", "use true or false"},
	{"expected array", "must be a list", "use a list"},
	{"expected object", "must be an object", "use an object"},
}

func findingOf(message string) (found, remedy string) {
	for _, f := range findings {
		rest, ok := strings.CutPrefix(message, f.message)
		if !ok {
			continue
		}
		if length, err := strconv.Atoi(rest); err == nil && strings.HasPrefix(f.message, "expected length ") {
			if f.message == "expected length >= " && length == 1 {
				return isMissing, ""
			}
			return f.problem, f.remedy + prose.Plural(length, "character")
		}
		// The rest is from the schema only for these; for others it may be the value.
		if strings.HasSuffix(f.message, " ") && strings.HasSuffix(f.remedy, " ") {
			return f.problem, f.remedy + strings.Trim(rest, `"`)
		}
		return f.problem, f.remedy
	}
	return "is invalid", "check the OpenAPI document"
}

// place is a field that huma names.
type place struct {
	field    string
	known    bool
	siblings []string // known names, if the field is unknown
}

// unknown returns the problem of an unknown name.
func (p place) unknown() FieldProblem {
	remedy := "remove it; see the OpenAPI document for known fields"
	if len(p.siblings) > 0 {
		remedy = "remove it; known fields are " + strings.Join(p.siblings, ", ")
	}
	return FieldProblem{Field: p.field, Problem: "has an unknown field", Remedy: remedy}
}

// placeOf finds a field in the operation's document. Unknown names come from the caller and are not
// repeated.
func placeOf(doc *huma.Operation, location string) place {
	kind, rest, _ := strings.Cut(location, ".")
	if kind != "body" && !strings.HasPrefix(kind, "body[") {
		var names []string
		if doc != nil {
			for _, p := range doc.Parameters {
				if p.In != kind {
					continue
				}
				if p.Name == rest {
					return place{field: location, known: true}
				}
				names = append(names, p.Name)
			}
		}
		if !slices.Contains([]string{"query", "header", "path", "cookie"}, kind) {
			kind = "request"
		}
		slices.Sort(names)
		return place{field: kind, siblings: names}
	}
	schema, registry := bodySchema(doc)
	at := place{field: "body", known: true}
	for i, token := range strings.Split(location, ".") {
		name, index, indexed := strings.Cut(token, "[")
		if i > 0 {
			schema = resolved(schema, registry)
			next := property(schema, name)
			switch {
			case next != nil:
				at.field, schema = joinField(at.field, name), next
			case mapValues(schema) != nil:
				at.field, schema = joinField(at.field, "*"), mapValues(schema)
			default:
				return place{field: at.field, siblings: propertyNames(schema)}
			}
		}
		if indexed {
			number := strings.TrimSuffix(index, "]")
			schema = resolved(schema, registry)
			if schema == nil || schema.Items == nil || number == "" || strings.Trim(number, "0123456789") != "" {
				return place{field: at.field, siblings: nil}
			}
			at.field, schema = at.field+"["+number+"]", schema.Items
		}
	}
	return at
}

func bodySchema(doc *huma.Operation) (*huma.Schema, huma.Registry) {
	if doc == nil || doc.RequestBody == nil {
		return nil, nil
	}
	s, ok := doc.Metadata[metadataServer].(*Server)
	media := doc.RequestBody.Content["application/json"]
	if !ok || media == nil {
		return nil, nil
	}
	return media.Schema, s.huma.OpenAPI().Components.Schemas
}

func resolved(schema *huma.Schema, registry huma.Registry) *huma.Schema {
	for schema != nil && schema.Ref != "" && registry != nil {
		schema = registry.SchemaFromRef(schema.Ref)
	}
	return schema
}

func property(schema *huma.Schema, name string) *huma.Schema {
	if schema == nil {
		return nil
	}
	return schema.Properties[name]
}

func propertyNames(schema *huma.Schema) []string {
	if schema == nil {
		return nil
	}
	names := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func mapValues(schema *huma.Schema) *huma.Schema {
	if schema == nil {
		return nil
	}
	values, _ := schema.AdditionalProperties.(*huma.Schema)
	return values
}
