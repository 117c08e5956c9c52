package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/seekout/icims-export/store"
)

// fileConnection is a connection in the file's format.
type fileConnection struct {
	store.Connection `yaml:",inline"`
	PasswordFile     string `yaml:"password_file"`
	PasswordEnv      string `yaml:"password_env"`
}

// ReadConnections reads the connections file, including passwords from files (relative to the
// folder of path) and from lookupEnv. A bad connection does not affect the others: the good ones
// are returned with defaults filled in (limits apply to connections without any), together with the
// joined *FileError of the bad ones. Warnings are sentences about settings that work but should be
// changed. Portal URLs are not checked.
func ReadConnections(path string, lookupEnv func(string) (string, bool), limits store.Limits) (good []store.Connection, warnings []string, err error) {
	root, err := parseMapping(path)
	if err != nil {
		return nil, nil, err
	}
	entries, problems := checkKeys(path, root, []string{"connections"})
	if len(entries) == 0 {
		problems = append(problems, &FileError{File: path, Message: `has no list of connections: begin it with "connections:" and give each one as an item ("- customer: ...")`})
		return nil, nil, errors.Join(problems...)
	}
	list, ok := entries[0].node.(*ast.SequenceNode)
	if !ok {
		problems = append(problems, &FileError{path, entries[0].line, `"connections" must be a list: begin each connection with "- customer: ..."`})
		return nil, nil, errors.Join(problems...)
	}
	lines := map[string]int{}
	for _, item := range list.Values {
		r := connectionReader{path: path, lookupEnv: lookupEnv, line: item.GetToken().Position.Line}
		c := r.read(item)
		if first, taken := lines[c.Customer]; taken {
			r.problem(r.line, fmt.Sprintf("customer %s is duplicated, first in line %d: keep one", c.Customer, first))
		} else if isCustomer(c.Customer) {
			lines[c.Customer] = r.line
		}
		warnings = append(warnings, r.warnings...)
		if len(r.problems) > 0 {
			problems = append(problems, r.problems...)
			continue
		}
		good = append(good, c.WithLimits(c.Limits.Or(limits)).WithDefaults())
	}
	return good, warnings, errors.Join(problems...)
}

// connectionReader reads one item of the list.
type connectionReader struct {
	path      string
	lookupEnv func(string) (string, bool)
	line      int
	problems  []error
	warnings  []string
}

func (r *connectionReader) problem(line int, message string) {
	r.problems = append(r.problems, &FileError{r.path, line, message})
}

func (r *connectionReader) read(item ast.Node) store.Connection {
	mapping := asMapping(item)
	if mapping == nil {
		r.problem(r.line, `a connection must be a mapping that starts with "- customer: ..."`)
		return store.Connection{}
	}
	r.line = mapping.Values[0].Key.GetToken().Position.Line
	r.check(mapping, reflect.TypeFor[fileConnection](), "")
	var c fileConnection
	if len(r.problems) > 0 {
		// The customer is still needed to detect duplicates.
		c.Customer = scalarOf(mapping, "customer")
		return c.Connection
	}
	if err := yaml.NodeToValue(mapping, &c); err != nil {
		r.decodeProblem(err)
		return c.Connection
	}
	// A number would lose its leading zeros.
	c.Customer = scalarOf(mapping, "customer")
	r.checkValues(c)
	c.Password = r.password(c)
	return c.Connection
}

// check refuses keys that t does not have, at any depth, and limits that limit nothing.
func (r *connectionReader) check(mapping *ast.MappingNode, t reflect.Type, parent string) {
	fields := yamlFields(t)
	known := slices.Sorted(maps.Keys(fields))
	if parent == "" {
		known = append(known, "password") // refused below, with a better message
	}
	entries, problems := checkKeys(r.path, mapping, known)
	r.problems = append(r.problems, problems...)
	for _, e := range entries {
		field := fields[e.key]
		switch {
		case field == nil:
			r.problem(e.line, "a password must not be in this file: put it in a separate file named by password_file, or in an environment variable named by password_env")
		case field.Kind() == reflect.Struct:
			if _, null := e.node.(*ast.NullNode); null {
				continue
			}
			nested := asMapping(e.node)
			if nested == nil {
				r.problem(e.line, fmt.Sprintf("%q must be a mapping", e.key))
				continue
			}
			r.check(nested, field, e.key)
		case parent == "limits":
			r.checkLimit(e, field)
		default:
			if _, scalar := scalarText(e.node); !scalar {
				r.problem(e.line, fmt.Sprintf("%q must have a plain value", e.key))
			}
		}
	}
}

func (r *connectionReader) checkLimit(e entry, field reflect.Type) {
	value := reflect.New(field)
	err := yaml.NodeToValue(e.node, value.Interface())
	ok := err == nil
	if ok && value.Elem().CanInt() {
		ok = value.Elem().Int() > 0
	} else if ok {
		n := value.Elem().Float()
		ok = n > 0 && !math.IsInf(n, 0)
	}
	if ok && e.key == "express_reserve" && value.Elem().Int() > maxExpressReserve {
		r.problem(e.line, fmt.Sprintf("%q must be a percentage from 1 to %d", e.key, maxExpressReserve))
		return
	}
	if !ok {
		r.problem(e.line, fmt.Sprintf("%q must be a number above zero; to stop the calls of a customer, remove its connection", e.key))
	}
}

// decodeProblem keeps the line of an error and drops the library's excerpt of the file.
func (r *connectionReader) decodeProblem(err error) {
	line := r.line
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		line = at.GetToken().Position.Line
	}
	r.problem(line, "a value has the wrong type: quote strings, but not numbers")
}

func (r *connectionReader) checkValues(c fileConnection) {
	if !isCustomer(c.Customer) {
		r.problem(r.line, `"customer" must be the iCIMS customer ID, digits only, such as "1234"`)
	}
	if strings.TrimSpace(c.Username) == "" {
		r.problem(r.line, `"username" is missing: add the name of the iCIMS API user`)
	}
	if strings.TrimSpace(c.PortalURLs) == "" {
		r.problem(r.line, `"portal_urls" is missing: add one or more job portal URLs, comma separated`)
	}
}

func (r *connectionReader) password(c fileConnection) store.Secret {
	const oneOf = "give password_file (a file that holds only the password) or password_env (the name of an environment variable)"
	switch {
	case c.PasswordFile != "" && c.PasswordEnv != "":
		r.problem(r.line, "the password has two sources: keep either password_file or password_env")
	case c.PasswordEnv != "":
		value, ok := r.lookupEnv(c.PasswordEnv)
		if !ok || value == "" {
			r.problem(r.line, fmt.Sprintf("the environment variable %s, named by password_env, is not set: set it to the password", c.PasswordEnv))
		}
		return store.Secret(value)
	case c.PasswordFile != "":
		return r.passwordFile(c.PasswordFile)
	default:
		r.problem(r.line, "the password is missing: "+oneOf)
	}
	return ""
}

func (r *connectionReader) passwordFile(name string) store.Secret {
	file := name
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(r.path), file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		r.problem(r.line, fmt.Sprintf("the password file %s cannot be read (%s): create it or correct password_file", file, plainCause(err)))
		return ""
	}
	if warning := ExposedFile("the password file", file); warning != "" {
		r.warnings = append(r.warnings, warning)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case password == "":
		r.problem(r.line, fmt.Sprintf("the password file %s is empty: write the password to it", file))
	case strings.ContainsAny(password, "\r\n"):
		r.problem(r.line, fmt.Sprintf("the password file %s has several lines: keep only the password", file))
	}
	return store.Secret(password)
}

// asMapping returns the node as a mapping with at least one key, or nil.
func asMapping(node ast.Node) *ast.MappingNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 {
			return n
		}
	case *ast.MappingValueNode:
		return &ast.MappingNode{BaseNode: &ast.BaseNode{}, Start: n.Start, Values: []*ast.MappingValueNode{n}}
	}
	return nil
}

// scalarOf returns a key's plain value as written in the file.
func scalarOf(mapping *ast.MappingNode, key string) string {
	for _, v := range mapping.Values {
		if v.Key.GetToken().Value == key {
			text, _ := scalarText(v.Value)
			return text
		}
	}
	return ""
}

// yamlFields returns the YAML names and types of a struct's fields.
func yamlFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, inline := strings.CutSuffix(f.Tag.Get("yaml"), ",inline")
		switch {
		case inline:
			maps.Copy(fields, yamlFields(f.Type))
		case name != "-":
			fields[name] = f.Type
		}
	}
	return fields
}

// isCustomer reports whether the text is a valid iCIMS customer ID.
func isCustomer(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}
