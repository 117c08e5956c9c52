package input

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Maximum sizes in characters; longer values are mistakes. Titles and employers are cut to shorter
// limits when sent, which does not refuse the candidate.
const (
	maxID    = 128
	maxName  = 128
	maxPhone = 128
	maxURL   = 2048
	maxText  = 1000

	maxPhones    = 10
	maxPositions = 100
	maxSchools   = 50
)

var (
	idShape    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$`)
	phoneGroup = regexp.MustCompile(`^\+?\(?[0-9]+\)?([ ./()-]+[0-9]+)+$`)
	localPhone = regexp.MustCompile(`^[0-9]{3}[-. ][0-9]{4}$`)
	rounded    = regexp.MustCompile(`^[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+$`)
)

// Validate returns the problems that refuse the candidate under the given options; it is accepted
// if there are none. Values are checked as they would be sent: trimmed and composed. No problem
// contains a value.
func (c Candidate) Validate(o Options) []Problem { return c.trimmed().problems(o) }

// problems is Validate for a trimmed candidate.
func (c Candidate) problems(o Options) []Problem {
	var v validation
	v.id(c.ID)
	v.name(field{name: "first_name"}, c.FirstName, codeFirstNameMissing)
	v.name(field{name: "last_name"}, c.LastName, codeLastNameMissing)
	v.email(c.Email, o)
	v.phones(c.Phones)
	v.linkedIn(c.LinkedInURL)
	v.positions(c.WorkExperience)
	v.schools(c.Education)
	return v.problems
}

// OpaqueID returns the ID if it is safe to show, else "".
func OpaqueID(id string) string {
	var v validation
	id = clean(id)
	v.id(id)
	if len(v.problems) > 0 {
		return ""
	}
	return id
}

type validation struct {
	problems []Problem
}

// field is the location of a value: a field of the candidate or of an entry. It is only formatted
// if there is a problem.
type field struct {
	name  string
	list  string // of the entry
	index int
}

func (f field) String() string {
	if f.list == "" {
		return f.name
	}
	return f.list + "[" + strconv.Itoa(f.index) + "]." + f.name
}

func (v *validation) add(f field, code, message, remedy string) {
	v.problems = addProblem(v.problems, Problem{Field: f.String(), Code: code, Message: message, Remedy: remedy})
}

// maxProblems limits the problems listed for one row.
const maxProblems = 20

func addProblem(list []Problem, p Problem) []Problem {
	if len(list) >= maxProblems {
		return list
	}
	for _, q := range list {
		if q.Field == p.Field && q.Code == p.Code {
			return list
		}
	}
	return append(list, p)
}

func (v *validation) id(id string) {
	at := field{name: "id"}
	const remedy = "use an opaque ID of your own: up to 128 letters, digits and . _ : ~ - starting with a letter or digit"
	switch {
	case id == "":
		v.add(at, codeIDMissing, "is missing", remedy)
	case strings.Contains(id, "@"):
		v.add(at, codeIDPersonal, "looks like an email address, and IDs appear in logs", remedy)
	case looksLikePhone(id):
		v.add(at, codeIDPersonal, "looks like a phone number, and IDs appear in logs", remedy)
	case id == TestCandidate:
		v.add(at, codeIDReserved, "is reserved for the test candidate", "use another ID")
	case len(id) > maxID:
		v.add(at, codeIDMalformed, "is longer than 128 bytes", remedy)
	case !idShape.MatchString(id):
		v.add(at, codeIDMalformed, "has a space or another invalid character", remedy)
	}
}

// looksLikePhone distinguishes a phone number from an ID. Only digits is an ID: numeric keys are
// the most common kind.
func looksLikePhone(s string) bool {
	digits := 0
	for _, c := range []byte(s) {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	if strings.HasPrefix(s, "+") && digits >= 7 && strings.Trim(s, "+0123456789 ./()-") == "" {
		return true
	}
	return localPhone.MatchString(s) || digits >= 9 && digits <= 15 && phoneGroup.MatchString(s)
}

func (v *validation) name(at field, value, missing string) {
	if value == "" {
		v.add(at, missing, "is missing", "add the candidate's "+strings.ReplaceAll(at.name, "_", " "))
		return
	}
	v.text(at, value, maxName)
}

// text checks the size and characters of a value, and reports whether they are valid.
func (v *validation) text(at field, value string, limit int) bool {
	if len(value) <= limit && isPlain(value) {
		return true
	}
	switch {
	case !utf8.ValidString(value):
		v.add(at, codeNotUTF8, "is not valid UTF-8", "encode the text as UTF-8")
		return false
	case utf8.RuneCountInString(value) > limit:
		v.add(at, codeValueTooLong, fmt.Sprintf("is longer than %d characters", limit), "shorten it, or check that values were not joined")
		return false
	case strings.IndexFunc(value, unicode.IsControl) >= 0:
		v.add(at, codeControlCharacters, "has control characters", "remove them")
		return false
	}
	return true
}

func (v *validation) email(addr string, o Options) {
	at := field{name: "email"}
	if addr == "" {
		if !o.GenerateDummyEmails {
			v.add(at, codeEmailMissing, "is missing; iCIMS requires it",
				"add an email, or generate dummy email addresses")
		}
		return
	}
	// An address with invalid characters would fail below too, but with a less helpful problem.
	if !v.text(at, addr, maxText) {
		return
	}
	if p, bad := emailProblem(addr); bad {
		v.problems = addProblem(v.problems, p)
	}
}

func (v *validation) phones(phones []Phone) {
	count := 0
	for i, p := range phones {
		if p.Number == "" {
			continue // a type without a number is ignored
		}
		if count++; count > maxPhones {
			v.tooMany(field{name: "phones"}, maxPhones)
			return
		}
		at := field{"number", "phones", i}
		if v.text(at, p.Number, maxPhone) {
			switch {
			case rounded.MatchString(p.Number):
				v.add(at, codePhoneRounded, "was rounded by a spreadsheet", "format the column as text and enter the number again")
			case strings.IndexFunc(p.Number, unicode.IsDigit) < 0:
				v.add(at, codePhoneNoDigits, "has no digit", "add a phone number, or omit it")
			}
		}
		v.text(field{"type", "phones", i}, p.Type, maxPhone)
	}
}

func (v *validation) tooMany(at field, limit int) {
	v.add(at, codeTooMany, fmt.Sprintf("has more than %d entries", limit), fmt.Sprintf("send the %d most important ones", limit))
}

func (v *validation) linkedIn(link string) {
	at := field{name: "linkedin_url"}
	if link == "" || !v.text(at, link, maxURL) {
		return
	}
	u, err := url.Parse(link)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", !strings.Contains(u.Hostname(), "."), u.User != nil, strings.ContainsAny(link, " <>\""):
		v.add(at, codeLinkedInMalformed, "is not a web address", "use the profile's full URL, starting with https://, or omit it")
	}
}

func (v *validation) positions(positions []WorkExperience) {
	count := 0
	for i, w := range positions {
		if w == (WorkExperience{}) {
			continue
		}
		if count++; count > maxPositions {
			v.tooMany(field{name: "work_experience"}, maxPositions)
			return
		}
		at := func(name string) field { return field{name, "work_experience", i} }
		v.text(at("employer"), w.Employer, maxText)
		v.text(at("title"), w.Title, maxText)
		start, startOK := v.date(at("start"), w.Start)
		end, endOK := v.date(at("end"), w.End)
		if startOK && endOK && end.before(start) {
			v.add(at("end"), codeDatesReversed, "is before the start", "swap or correct the dates; leave end empty for a current position")
		}
	}
}

func (v *validation) date(at field, value string) (partialDate, bool) {
	if value == "" {
		return partialDate{}, false
	}
	d, err := parsePartialDate(value)
	switch {
	case errors.Is(err, errDateMalformed):
		remedy := "write year, year-month or year-month-day with hyphens and leading zeros"
		if at.name == "end" {
			remedy += "; leave end empty for a current position"
		}
		v.add(at, codeDateMalformed, "is not a date of the form YYYY, YYYY-MM or YYYY-MM-DD", remedy)
	case err != nil:
		v.add(at, codeDateImpossible, fmt.Sprintf("is not a valid date between %d and %d", minYear, maxYear), "correct the date")
	}
	return d, err == nil
}

func (v *validation) schools(schools []Education) {
	count := 0
	for i, e := range schools {
		if e == (Education{}) {
			continue
		}
		if count++; count > maxSchools {
			v.tooMany(field{name: "education"}, maxSchools)
			return
		}
		v.text(field{"school", "education", i}, e.School, maxText)
		v.text(field{"degree", "education", i}, e.Degree, maxText)
	}
}
