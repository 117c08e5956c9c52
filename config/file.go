package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/seekout/icims-export/internal/prose"
)

// FileError is one error in a YAML file. It never contains a value: the file may hold a secret in
// the wrong place.
type FileError struct {
	File    string
	Line    int // counted from 1; 0 means the whole file
	Message string
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// File is the flag that names the YAML settings file.
type File string

// BeforeResolve reads the file and provides its values for settings without a flag or environment
// variable. Kong calls it.
func (File) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	path, ok := ctx.FlagValue(trace.Flag).(File)
	if !ok || path == "" {
		return nil
	}
	values, err := readSettingsFile(string(path))
	if err != nil {
		return err
	}
	ctx.AddResolver(values)
	return nil
}

// fileKey returns a flag's key in the file.
func fileKey(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

type fileValue struct {
	line int
	text string
}

// fileValues resolves flags from a file.
type fileValues struct {
	file   string
	values map[string]fileValue
}

// Validate does nothing: unknown keys are refused when the file is read.
func (fileValues) Validate(*kong.Application) error { return nil }

// Resolve returns the file's value. Kong lets a resolver override the environment, so Resolve
// checks the environment itself.
func (v fileValues) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := v.values[fileKey(flag.Name)]
	if !ok {
		return nil, nil //nolint:nilnil // kong's way to say "not set here"
	}
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil //nolint:nilnil // see above
		}
	}
	// Parse once and discard the result, so that the error can name the line.
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: value.text})
	scratch := reflect.New(flag.Target.Type()).Elem()
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, scratch); err != nil {
		return nil, &FileError{v.file, value.line, err.Error()}
	}
	return value.text, nil
}

func readSettingsFile(path string) (fileValues, error) {
	values := fileValues{file: path, values: map[string]fileValue{}}
	root, err := parseMapping(path)
	if err != nil {
		return values, err
	}
	var known []string
	for _, s := range settings() {
		if s.field != "Config" {
			known = append(known, s.key)
		}
	}
	entries, problems := checkKeys(path, root, known)
	for _, e := range entries {
		text, err := flat(e.node)
		if err != nil {
			problems = append(problems, &FileError{path, e.line, e.key + " " + err.Error()})
			continue
		}
		values.values[e.key] = fileValue{e.line, text}
	}
	return values, errors.Join(problems...)
}

// flat returns a scalar or a list of scalars as a flag's value.
func flat(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.NullNode:
		return "", errors.New("has no value: give one or remove the line")
	case *ast.SequenceNode:
		items := make([]string, len(n.Values))
		for i, item := range n.Values {
			text, ok := scalarText(item)
			if !ok {
				return "", errors.New("must be a list of plain values")
			}
			items[i] = text
		}
		return kong.JoinEscaped(items, ','), nil
	default:
		text, ok := scalarText(n)
		if !ok {
			return "", errors.New("must be a plain value or a list of them")
		}
		return text, nil
	}
}

// scalarText returns a plain value as written in the file, so that 0123 keeps its zero.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	default:
		return "", false
	}
}

// parseMapping reads a YAML file whose top level is a mapping. An empty file is an empty mapping.
func parseMapping(path string) (*ast.MappingNode, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &FileError{File: path, Message: "cannot be read: " + plainCause(err)}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, yamlError(path, err)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return &ast.MappingNode{}, nil
	}
	if len(file.Docs) > 1 {
		return nil, &FileError{File: path, Message: "holds several YAML documents: keep one"}
	}
	switch body := file.Docs[0].Body.(type) {
	case *ast.MappingNode:
		return body, nil
	case *ast.MappingValueNode:
		return &ast.MappingNode{Values: []*ast.MappingValueNode{body}}, nil
	case *ast.CommentGroupNode, *ast.NullNode:
		return &ast.MappingNode{}, nil
	default:
		return nil, &FileError{path, 1, "must be a mapping (name: value)"}
	}
}

// plainCause returns a file system error without the path, which the surrounding sentence names.
func plainCause(err error) string {
	if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// yamlError keeps the line of a YAML error and drops the library's message, which may contain an
// excerpt of the file.
func yamlError(path string, err error) error {
	out := &FileError{File: path, Message: "is not valid YAML: check the indentation and the quotes near this line"}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		out.Line = at.GetToken().Position.Line
	}
	return out
}

// entry is one key of a mapping with its value.
type entry struct {
	key  string
	line int
	node ast.Node
}

// checkKeys returns the entries with a known key, and an error for each of the others.
func checkKeys(path string, mapping *ast.MappingNode, known []string) ([]entry, []error) {
	var (
		entries  []entry
		problems []error
		seen     = map[string]bool{}
	)
	for _, v := range mapping.Values {
		token := v.Key.GetToken()
		key, line := token.Value, token.Position.Line
		switch {
		case seen[key]:
			problems = append(problems, &FileError{path, line, fmt.Sprintf("%q is duplicated: keep one", key)})
		case !slices.Contains(known, key):
			problems = append(problems, &FileError{path, line, fmt.Sprintf("unknown setting %q%s", key, prose.DidYouMean(key, known))})
		default:
			entries = append(entries, entry{key, line, v.Value})
		}
		seen[key] = true
	}
	return entries, problems
}
