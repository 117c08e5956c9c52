package mapping

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// Limits of the platform's collection of positions (API sheet §6.5).
const (
	maxTitle    = 64
	maxEmployer = 128
)

// Names of standard fields (API sheet §6.2, §6.3, §9.1).
const (
	FieldFirstName   = "firstname"
	FieldLastName    = "lastname"
	FieldEmail       = "email"
	FieldFolder      = "folder"
	FieldSource      = "source"
	FieldPhones      = "phones"
	FieldPhoneNumber = "phonenumber"
	FieldPhoneType   = "phonetype"
	FieldStatus      = "status"

	fieldBase       = "baseprofile"
	fieldAssociated = "associatedprofile"
)

// Person returns the body that creates the candidate's profile (API sheet §6.7). Empty values are
// omitted, since an empty text would clear a field.
func Person(c input.Candidate, conn store.Connection) (icims.Fields, []Warning) {
	conn = conn.WithDefaults()
	var ws WarningSet
	f := icims.Fields{
		FieldFolder: Node(conn.Folder),
		FieldSource: conn.Source,
	}
	setText(f, FieldFirstName, c.FirstName)
	setText(f, FieldLastName, c.LastName)
	setText(f, FieldEmail, c.Email)
	setEntries(f, FieldPhones, phoneEntries(c.Phones, nil, &ws))
	setEntries(f, conn.Fields.WorkExperience.Collection, positionEntries(c.WorkExperience, conn.Fields.WorkExperience, &ws))
	setEntries(f, conn.Fields.Education.Collection, schoolEntries(c.Education, conn.Fields.Education))
	if c.LinkedInURL != "" {
		if conn.LinkedInField == "" {
			ws.Add(WarningLinkedInSkipped)
		} else {
			f[conn.LinkedInField] = c.LinkedInURL
		}
	}
	return f, ws
}

// Changes returns the differences between the candidate and the stored profile: the body of a
// PATCH, empty if there are none, and the missing phones, each to be added to the collection
// "phones". Folder, source, email, work experience and education of an existing person do not
// change, and no field is ever cleared.
func Changes(c input.Candidate, conn store.Connection, p icims.Person) (changes icims.Fields, newPhones []icims.Fields, _ []Warning) {
	var ws WarningSet
	changes = icims.Fields{}
	if differs(c.FirstName, p.FirstName) {
		changes[FieldFirstName] = c.FirstName
	}
	if differs(c.LastName, p.LastName) {
		changes[FieldLastName] = c.LastName
	}
	if c.LinkedInURL != "" {
		if conn.LinkedInField == "" {
			ws.Add(WarningLinkedInSkipped)
		} else if differs(c.LinkedInURL, storedText(p.Raw[conn.LinkedInField])) {
			changes[conn.LinkedInField] = c.LinkedInURL
		}
	}
	return changes, phoneEntries(c.Phones, p.Phones, &ws), ws
}

// ReadFields returns the fields that Changes compares, and those that identify a merged, purged or
// employed person (API sheet §5.4, §5.6).
func ReadFields(conn store.Connection) []string {
	names := []string{FieldFirstName, FieldLastName, FieldEmail, FieldFolder, FieldPhones}
	if conn.LinkedInField != "" {
		names = append(names, conn.LinkedInField)
	}
	return names
}

// Workflow returns the body that adds the person to the job (API sheet §9.1). Without a status
// iCIMS uses its first one.
func Workflow(person icims.PersonID, job icims.JobID, conn store.Connection, status store.NodeRef) icims.Fields {
	f := icims.Fields{
		fieldBase:       int64(job),
		fieldAssociated: int64(person),
		FieldSource:     conn.WithDefaults().Source,
	}
	if !status.IsZero() {
		f[FieldStatus] = Node(status)
	}
	return f
}

// Node refers to a list node, by ID if there is one, since labels may be renamed (API sheet §6.1).
func Node(n store.NodeRef) icims.Fields {
	if n.ID != "" {
		return icims.Fields{"id": n.ID}
	}
	return icims.Fields{"value": n.Value}
}

func setText(f icims.Fields, name, value string) {
	if value != "" {
		f[name] = value
	}
}

func setEntries(f icims.Fields, name string, entries []icims.Fields) {
	if len(entries) > 0 {
		f[name] = entries
	}
}

// phoneEntries maps the phones that are not stored yet. Numbers are compared by digits: "+1 (425)
// 555-0143" equals "1.425.555.0143", but not the number without the country code, since the country
// of a bare number is unknown.
func phoneEntries(phones []input.Phone, stored []icims.Phone, ws *WarningSet) []icims.Fields {
	known := make(map[string]bool, len(phones)+len(stored))
	for _, p := range stored {
		known[digits(p.Number)] = true
		known[digits(p.Number+p.Extension)] = true
	}
	var entries []icims.Fields
	for _, p := range phones {
		key := digits(p.Number)
		if key == "" || known[key] {
			continue
		}
		known[key] = true
		entry := icims.Fields{FieldPhoneNumber: p.Number}
		kind, understood := phoneType(p.Type)
		if kind != "" {
			entry[FieldPhoneType] = icims.Fields{"value": kind}
		}
		if !understood {
			ws.Add(WarningPhoneTypeDropped)
		}
		entries = append(entries, entry)
	}
	return entries
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// phoneType returns iCIMS's label for a type (API sheet §6.3), or "" for an unknown one. understood
// is false if information is lost.
func phoneType(label string) (kind string, understood bool) {
	letters := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, label)
	for _, suffix := range []string{"number", "phone", "telephone", "tele"} {
		letters = strings.TrimSuffix(letters, suffix)
	}
	switch letters {
	case "mobile", "cell", "cellular":
		return "Mobile", true
	case "home":
		return "Home", true
	case "work", "office", "business":
		return "Work", true
	case "", "other", "unknown":
		return "", true
	}
	return "", false
}

// positionEntries maps work experience. Other exporters require employer, title and start (API
// sheet §6.5). This one sends what is known, if it identifies the position.
func positionEntries(positions []input.WorkExperience, names store.WorkExperienceFields, ws *WarningSet) []icims.Fields {
	var entries []icims.Fields
	for _, w := range positions {
		if w.Employer == "" && w.Title == "" {
			ws.Add(WarningPositionSkipped)
			continue
		}
		entry := icims.Fields{}
		employer, cut := cutText(w.Employer, maxEmployer)
		if cut {
			ws.Add(WarningEmployerCut)
		}
		title, cut := cutText(w.Title, maxTitle)
		if cut {
			ws.Add(WarningTitleCut)
		}
		setText(entry, names.Employer, employer)
		setText(entry, names.Title, title)
		start, end := positionDates(w)
		setText(entry, names.Start, start)
		setText(entry, names.End, end)
		entries = append(entries, entry)
	}
	return entries
}

// positionDates completes partial dates to their first day (API sheet §6.6). Empty dates stay
// empty; an empty end means "current". If the end is before the start only because it is less
// precise, as in March 2021 to 2021, it becomes the start.
func positionDates(w input.WorkExperience) (start, end string) {
	start, _ = input.FullDate(w.Start)
	end, _ = input.FullDate(w.End)
	if end != "" {
		end = max(start, end)
	}
	return start, end
}

// schoolEntries maps education. School and degree are lists to which iCIMS adds new values (API
// sheet §5.5, §6.4).
func schoolEntries(schools []input.Education, names store.EducationFields) []icims.Fields {
	var entries []icims.Fields
	for _, e := range schools {
		entry := icims.Fields{}
		if e.School != "" {
			entry[names.School] = icims.Fields{"value": e.School}
		}
		if e.Degree != "" {
			entry[names.Degree] = icims.Fields{"value": e.Degree}
		}
		if len(entry) > 0 {
			entries = append(entries, entry)
		}
	}
	return entries
}

// cutText shortens s to limit characters without splitting a composed character: a letter keeps its
// accents and an emoji its modifiers, or both are cut.
func cutText(s string, limit int) (text string, cut bool) {
	runes := []rune(s)
	if len(runes) <= limit {
		return s, false
	}
	end := limit
	for end > 0 && (joinsLeft(runes[end]) || runes[end-1] == zeroWidthJoiner) {
		end--
	}
	if end == 0 {
		end = limit // one endless composed character: better half than none
	}
	return strings.TrimRightFunc(string(runes[:end]), unicode.IsSpace), true
}

const zeroWidthJoiner = '\u200d'

// joinsLeft reports whether r belongs to the character before it.
func joinsLeft(r rune) bool {
	return unicode.Is(unicode.M, r) || r == zeroWidthJoiner || r >= 0x1f3fb && r <= 0x1f3ff // skin tones
}

// differs reports whether ours must overwrite stored. An empty value never overwrites anything.
func differs(ours, stored string) bool {
	return ours != "" && norm.NFC.String(strings.TrimSpace(ours)) != norm.NFC.String(strings.TrimSpace(stored))
}

// Missing returns the entries of a collection that a profile lacks, and whether it has entries of
// somebody else. Entries are compared by their texts: iCIMS may have cut a text, may lack a value
// that it refused, and may format dates differently. Of several that fit, the closest counts.
func Missing(wanted []icims.Fields, stored []map[string]json.RawMessage) (missing []icims.Fields, foreign bool) {
	left := slices.Clone(stored)
	missing = slices.Clone(wanted)
	for _, least := range []likeness{identical, sameTexts, compatible} {
		missing = slices.DeleteFunc(missing, func(entry icims.Fields) bool {
			i := slices.IndexFunc(left, func(s map[string]json.RawMessage) bool { return likenessOf(entry, s) >= least })
			if i >= 0 {
				left = slices.Delete(left, i, i+1)
			}
			return i >= 0
		})
	}
	return missing, len(left) > 0
}

// likeness is how well a stored entry fits one of ours.
type likeness int

const (
	different  likeness = iota
	compatible          // texts are cut or lacking
	sameTexts
	identical // dates too
)

func likenessOf(entry icims.Fields, stored map[string]json.RawMessage) likeness {
	found, like := false, identical
	for name, value := range entry {
		text, _ := value.(string)
		if node, ok := value.(icims.Fields); ok {
			text, _ = node["value"].(string)
		}
		has := strings.TrimSpace(storedText(stored[name]))
		if name == FieldPhoneNumber {
			has, text = digits(has), digits(text)
		}
		_, notDate := time.Parse(time.DateOnly, text)
		switch {
		case text == "" || name == FieldPhoneType:
		case notDate == nil:
			if has != text {
				like = min(like, sameTexts)
			}
		case strings.EqualFold(has, text):
			found = true
		case has == "":
			like = min(like, compatible)
		case strings.HasPrefix(strings.ToLower(text), strings.ToLower(has)):
			found, like = true, min(like, compatible)
		default:
			return different
		}
	}
	if !found {
		return different
	}
	return like
}

// storedText reads a field that iCIMS returns as text or as a list node.
func storedText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var node struct{ Value string }
	if json.Unmarshal(raw, &node) == nil {
		return node.Value
	}
	return ""
}
