package readback

import (
	"encoding/json"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// maxEntries is the maximum number of entries per collection with stored digests.
const maxEntries = 10

// Digest returns the digests of fields that iCIMS accepted from an export. sent are the bodies of
// the requests for a person (create, update, or one phone) or, with ofWorkflow, for a workflow.
func Digest(conn store.Connection, hash func(f Field, value string) string, ofWorkflow bool, sent ...icims.Fields) Digests {
	conn = conn.WithDefaults()
	d := Digests{}
	for _, body := range sent {
		if _, phone := body["phonenumber"]; phone && !ofWorkflow {
			body = icims.Fields{"phones": []icims.Fields{body}}
		}
		for _, f := range Fields() {
			value, there := body[f.name(conn)]
			if !there || f.ofWorkflow() != ofWorkflow {
				continue
			}
			for _, v := range valuesOf(f, conn, plain(value)) {
				if len(v.forms) > 0 && len(d[f]) < maxEntries {
					d[f] = append(d[f], hash(f, v.forms[0]))
				}
			}
		}
	}
	return d
}

// plain converts the fields of a request to decoded JSON, so that sent and read values have the
// same types.
func plain(value any) any {
	data, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return decoded(data)
}

func decoded(data json.RawMessage) any {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return nil
	}
	return v
}

// value is one value of a field, in all forms that count as equal. It is never shown.
type value struct{ forms []string }

// valuesOf returns the values of a field, one per entry of a collection.
func valuesOf(f Field, conn store.Connection, v any) []value {
	switch f {
	case Phones:
		return entries(v, func(e map[string]any) []string {
			number, extension := digits(text(e["phonenumber"])), digits(text(e["phoneextension"]))
			return forms(number, number+extension)
		})
	case WorkExperience:
		names := conn.Fields.WorkExperience
		return entries(v, func(e map[string]any) []string {
			return forms(together(text(e[names.Employer]), text(e[names.Title]), date(text(e[names.Start])), date(text(e[names.End]))))
		})
	case Education:
		names := conn.Fields.Education
		return entries(v, func(e map[string]any) []string {
			return forms(together(text(e[names.School]), text(e[names.Degree])))
		})
	case LinkedIn:
		return one(forms(address(text(v))))
	case Folder, Status:
		return one(nodeForms(v))
	default:
		return one(forms(fold(text(v))))
	}
}

func one(forms []string) []value {
	if len(forms) == 0 {
		return nil
	}
	return []value{{forms}}
}

func entries(v any, of func(map[string]any) []string) []value {
	list, _ := v.([]any)
	var all []value
	for _, e := range list {
		if fields, ok := e.(map[string]any); ok {
			if forms := of(fields); len(forms) > 0 {
				all = append(all, value{forms})
			}
		}
	}
	return all
}

// forms returns the non-empty forms.
func forms(all ...string) []string {
	var kept []string
	for _, form := range all {
		if form != "" {
			kept = append(kept, form)
		}
	}
	return kept
}

// text returns a text, or the label of a list node.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		label, _ := v["value"].(string)
		return label
	default:
		return ""
	}
}

// nodeForms returns the forms of a list node: its ID, its label, and the label without its bin. A
// node that is sent has an ID or a label.
func nodeForms(v any) []string {
	node, ok := v.(map[string]any)
	if !ok {
		return forms(fold(text(v)))
	}
	id, _ := node["id"].(string)
	label := fold(text(v))
	all := forms(id, label)
	for _, separator := range []string{" - ", ": "} {
		if _, short, ok := strings.Cut(label, separator); ok {
			all = append(all, short)
		}
	}
	return all
}

// fold normalizes what iCIMS may change in a text without loss: case, white space and Unicode
// composition.
func fold(s string) string {
	return cases.Fold().String(norm.NFC.String(strings.Join(strings.Fields(s), " ")))
}

func together(parts ...string) string {
	for i, p := range parts {
		parts[i] = fold(p)
	}
	if strings.Join(parts, "") == "" {
		return ""
	}
	return strings.Join(parts, "\x00")
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// address normalizes a URL: scheme, case and a trailing slash do not matter.
func address(s string) string {
	s = fold(s)
	for _, scheme := range []string{"https://", "http://"} {
		s = strings.TrimPrefix(s, scheme)
	}
	return strings.TrimRight(s, "/")
}

// date returns the day of a date or time.
func date(s string) string {
	const day = len("2021-03-15")
	if s = strings.TrimSpace(s); len(s) > day && s[4] == '-' && s[7] == '-' {
		return s[:day]
	}
	return s
}
