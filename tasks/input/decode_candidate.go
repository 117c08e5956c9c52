package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxNesting is far more than a candidate needs.
const maxNesting = 32

// decodeCandidate decodes one JSON object, token by token. encoding/json would accept "EMAIL" for
// "email" and the last of two equal keys, and silently replace invalid UTF-8. On problems, the
// candidate contains as much as could be read.
func decodeCandidate(row []byte) (Candidate, []Problem) {
	if p, bad := jsonProblem(row); bad {
		return Candidate{}, []Problem{p}
	}
	dec := json.NewDecoder(bytes.NewReader(row))
	dec.UseNumber()
	d := &candidateDecoder{dec: dec}
	var c Candidate
	d.object("", map[string]func(string){
		"id":           d.text(&c.ID),
		"first_name":   d.text(&c.FirstName),
		"last_name":    d.text(&c.LastName),
		"email":        d.text(&c.Email),
		"linkedin_url": d.text(&c.LinkedInURL),
		"phones": func(path string) {
			c.Phones = list(d, path, func(path string, p *Phone) {
				d.object(path, map[string]func(string){"number": d.text(&p.Number), "type": d.text(&p.Type)})
			})
		},
		"work_experience": func(path string) {
			c.WorkExperience = list(d, path, func(path string, w *WorkExperience) {
				d.object(path, map[string]func(string){
					"employer": d.text(&w.Employer), "title": d.text(&w.Title),
					"start": d.text(&w.Start), "end": d.text(&w.End),
				})
			})
		},
		"education": func(path string) {
			c.Education = list(d, path, func(path string, e *Education) {
				d.object(path, map[string]func(string){"school": d.text(&e.School), "degree": d.text(&e.Degree)})
			})
		},
	})
	c.origin.warnings = d.warnings
	return c, d.problems
}

// jsonProblem checks a row before its fields are read.
func jsonProblem(row []byte) (Problem, bool) {
	if !utf8.Valid(row) {
		return Problem{Code: codeNotUTF8, Message: "the row is not valid UTF-8", Remedy: "write the file as UTF-8"}, true
	}
	if nesting(row) > maxNesting {
		return Problem{Code: codeNestedTooDeep, Message: fmt.Sprintf("the row is nested more than %d levels deep", maxNesting),
			Remedy: "send only the fields of a candidate"}, true
	}
	var whole json.RawMessage
	if err := json.Unmarshal(row, &whole); err != nil {
		// The error's own text quotes the input.
		if json.NewDecoder(bytes.NewReader(row)).Decode(&whole) == nil {
			return Problem{Code: codeTrailingData, Message: "extra content after the candidate on the same line", Remedy: "put each candidate on its own line"}, true
		}
		p := Problem{Code: codeNotJSON, Message: "the row is not valid JSON", Remedy: "write each candidate as one JSON object on one line"}
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			p.Message += fmt.Sprintf(" (at byte %d of the row)", syntax.Offset)
		}
		return p, true
	}
	if row[0] != '{' {
		return Problem{Code: codeNotObject, Message: "the row is not a JSON object", Remedy: `write each candidate as {"id": ..., "first_name": ..., ...}`}, true
	}
	return Problem{}, false
}

// nesting returns the maximum depth of brackets outside strings.
func nesting(row []byte) int {
	depth, deepest := 0, 0
	inString, escaped := false, false
	for _, b := range row {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = b == '\\'
			inString = b != '"'
		case b == '"':
			inString = true
		case b == '{' || b == '[':
			depth++
			deepest = max(deepest, depth)
		case b == '}' || b == ']':
			depth--
		}
	}
	return deepest
}

// candidateDecoder walks over valid JSON and collects problems.
type candidateDecoder struct {
	dec      *json.Decoder
	problems []Problem
	warnings []Problem
	failed   bool
}

// token returns the next token. The row is valid JSON, so there always is one.
func (d *candidateDecoder) token() json.Token {
	t, err := d.dec.Token()
	if err != nil {
		d.failed = true
		d.problem("", codeNotJSON, "the row is not valid JSON", "write each candidate as one JSON object on one line")
	}
	return t
}

func (d *candidateDecoder) problem(field, code, message, remedy string) {
	d.problems = addProblem(d.problems, Problem{Field: field, Code: code, Message: message, Remedy: remedy})
}

func (d *candidateDecoder) warn(field, code, message, remedy string) {
	d.warnings = addProblem(d.warnings, Problem{Field: field, Code: code, Message: message, Remedy: remedy})
}

// skip skips the value that begins with t.
func (d *candidateDecoder) skip(t json.Token) {
	for depth := 0; ; t = d.token() {
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 || d.failed {
			return
		}
	}
}

func (d *candidateDecoder) wrongType(t json.Token, path, want, remedy string) {
	d.skip(t)
	d.problem(path, codeWrongType, "is not "+want, remedy)
}

func (d *candidateDecoder) text(target *string) func(string) {
	return func(path string) {
		switch t := d.token().(type) {
		case nil: // null means empty
		case string:
			*target = t
			if strings.ContainsRune(t, utf8.RuneError) {
				d.warn(path, codeCharactersLost, charactersLost, charactersLostRemedy)
			}
		case json.Number:
			d.wrongType(t, path, "text", "write the number in double quotes")
		default:
			d.wrongType(t, path, "text", "write one value in double quotes")
		}
	}
}

const (
	charactersLost       = "has replacement characters, so part of the text was lost"
	charactersLostRemedy = "check the encoding of the data's source"
)

func (d *candidateDecoder) object(path string, fields map[string]func(string)) {
	switch t := d.token(); t {
	case nil:
		return
	case json.Delim('{'):
	default:
		d.wrongType(t, path, "a JSON object", "write it as { ... }")
		return
	}
	seen := make(map[string]bool, len(fields))
	for d.dec.More() {
		key, _ := d.token().(string)
		read, known := fields[key]
		switch {
		case !known:
			d.unknown(path, key, fields)
			d.skip(d.token())
		case seen[key]:
			d.problem(join(path, key), codeFieldRepeated, "is duplicated", "send it once")
			d.skip(d.token())
		default:
			seen[key] = true
			read(join(path, key))
		}
	}
	d.token() // the closing brace
}

func list[T any](d *candidateDecoder, path string, read func(string, *T)) []T {
	switch t := d.token(); t {
	case nil:
		return nil
	case json.Delim('['):
	default:
		d.wrongType(t, path, "a list", "write it as [{ ... }, { ... }]")
		return nil
	}
	var all []T
	for d.dec.More() {
		var one T
		read(fmt.Sprintf("%s[%d]", path, len(all)), &one)
		all = append(all, one)
	}
	d.token() // the closing bracket
	return all
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *candidateDecoder) unknown(path, key string, fields map[string]func(string)) {
	field, message := path, "has an unknown field, which was ignored; its name is hidden, since it may be a value"
	if path == "" {
		message = "the row " + message
	}
	if showable(key) {
		field, message = join(path, key), "is an unknown field and was ignored"
	}
	remedy := "remove it"
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	if name := intended(key, names); name != "" {
		remedy = fmt.Sprintf("write the name as %q", name)
	}
	d.warn(field, codeFieldUnknown, message, remedy)
}
