package api

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// rawQuery parses the query of an operation that huma does not parse. It is as strict, and repeats
// no values.
type rawQuery struct {
	values   map[string][]string
	known    []string
	problems []FieldProblem
}

func readQuery(r *http.Request) *rawQuery { return &rawQuery{values: r.URL.Query()} }

func (q *rawQuery) text(name string) (string, bool) {
	q.known = append(q.known, name)
	values, given := q.values[name]
	if len(values) > 1 {
		q.wrong(name, "is duplicated", "send it once")
		return "", false
	}
	if !given {
		return "", false
	}
	return values[0], true
}

func (q *rawQuery) wrong(name, found, remedy string) {
	q.problems = append(q.problems, FieldProblem{"query." + name, found, remedy})
}

// flag returns a boolean parameter, or nil if it is missing.
func (q *rawQuery) flag(name string) *bool {
	text, given := q.text(name)
	switch {
	case !given:
		return nil
	case text != "true" && text != "false":
		q.wrong(name, "must be true or false", "pass true or false")
		return nil
	}
	return new(text == "true")
}

// number returns a number of at least 1, or 0 if it is missing.
func (q *rawQuery) number(name string) int64 {
	text, given := q.text(name)
	if !given {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		q.wrong(name, "must be a positive integer", "pass an integer from 1")
		return 0
	}
	return n
}

// err returns the problem with all invalid and unknown parameters.
func (q *rawQuery) err() error {
	slices.Sort(q.known)
	for name := range q.values {
		if !slices.Contains(q.known, name) {
			remedy := "remove it"
			if len(q.known) > 0 {
				remedy += "; known parameters are " + strings.Join(q.known, ", ")
			}
			q.problems = append(q.problems, FieldProblem{"query", "has an unknown parameter", remedy})
			break
		}
	}
	if len(q.problems) > 0 {
		return problem(CodeInvalid, "", q.problems...)
	}
	return nil
}

func readExportQuery(r *http.Request) (exportQuery, error) {
	q := readQuery(r)
	asked := exportQuery{
		job: q.number("job"), prospects: q.flag("prospects"), dummies: q.flag("generate_dummy_emails"),
		again: q.flag("include_previously_exported"), dryRun: is(q.flag("dry_run")),
	}
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) > 1 || len(keys) == 1 && (keys[0] == "" || len(keys[0]) > 256) {
		q.problems = append(q.problems, FieldProblem{"header.Idempotency-Key", "is repeated, empty or longer than 256 bytes", "send one value, such as a UUID"})
	} else if len(keys) == 1 {
		asked.key = keys[0]
	}
	if err := q.err(); err != nil {
		return asked, err
	}
	var err error
	asked.mediaType, err = mediaTypeOf(r)
	return asked, err
}

func boolParam(name, description string) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: description, Schema: &huma.Schema{Type: huma.TypeBoolean, Default: false}}
}

func schemaOf(schemas huma.Registry, example any) *huma.Schema {
	return schemas.Schema(reflect.TypeOf(example), true, "")
}
