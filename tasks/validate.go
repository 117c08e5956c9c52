package tasks

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sizes in characters beyond which a value is a mistake of the producer.
// Titles and employers are cut much earlier when they are sent, which is no
// reason to refuse the candidate.
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

// Validate returns what refuses the candidate under the given options; none
// means that the candidate is accepted. Values are judged as they would be
// sent, that is trimmed and composed. No problem repeats a value.
func (c Candidate) Validate(o Options) []Problem { return c.cleaned().problems(o) }

// problems is Validate of a cleaned candidate.
func (c Candidate) problems(o Options) []Problem {
	var v validation
	v.id(c.ID)
	v.name("first_name", c.FirstName, codeFirstNameMissing)
	v.name("last_name", c.LastName, codeLastNameMissing)
	v.email(c.Email, o)
	v.phones(c.Phones)
	v.linkedIn(c.LinkedInURL)
	v.positions(c.WorkExperience)
	v.schools(c.Education)
	return v.problems
}

// usableID returns the id if it may be shown, else "".
func usableID(id string) string {
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

func (v *validation) add(field, code, message, remedy string) {
	v.problems = addProblem(v.problems, Problem{Field: field, Code: code, Message: message, Remedy: remedy})
}

// maxProblems bounds what is said about one row.
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
	const remedy = "use an opaque id of your own: up to 128 letters, digits and . _ : ~ - starting with a letter or digit"
	switch {
	case id == "":
		v.add("id", codeIDMissing, "is missing", remedy)
	case strings.Contains(id, "@"):
		v.add("id", codeIDPersonal, "looks like an e-mail address, and ids are shown in logs", remedy)
	case looksLikePhone(id):
		v.add("id", codeIDPersonal, "looks like a phone number, and ids are shown in logs", remedy)
	case len(id) > maxID:
		v.add("id", codeIDMalformed, "is longer than 128 bytes", remedy)
	case !idShape.MatchString(id):
		v.add("id", codeIDMalformed, "has a space or a character that ids may not have", remedy)
	}
}

// looksLikePhone tells a written phone number from an id. Digits alone are an
// id: numeric keys are the commonest kind.
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

func (v *validation) name(field, value, missing string) {
	if value == "" {
		v.add(field, missing, "is missing", "give the candidate's "+strings.ReplaceAll(field, "_", " "))
		return
	}
	v.text(field, value, maxName)
}

// text judges a value's size and characters, and reports whether it is sound.
func (v *validation) text(field, value string, limit int) bool {
	switch {
	case !utf8.ValidString(value):
		v.add(field, codeNotUTF8, "is not valid UTF-8", "encode the text as UTF-8")
		return false
	case utf8.RuneCountInString(value) > limit:
		v.add(field, codeValueTooLong, fmt.Sprintf("is longer than %d characters", limit), "shorten it, or check that values have not been run together")
		return false
	case strings.IndexFunc(value, unicode.IsControl) >= 0:
		v.add(field, codeControlCharacters, "has control characters", "remove them")
		return false
	}
	return true
}

func (v *validation) email(addr string, o Options) {
	if addr == "" {
		if !o.GenerateDummyEmails {
			v.add("email", codeEmailMissing, "is missing, and iCIMS takes no candidate without",
				"add the address, or turn on generate dummy e-mail addresses")
		}
		return
	}
	// An address that is no sound text would fail below as well, but for a
	// reason that helps less.
	if !v.text("email", addr, maxText) {
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
			continue // a type alone says nothing
		}
		if count++; count > maxPhones {
			v.tooMany("phones", maxPhones)
			return
		}
		field := fmt.Sprintf("phones[%d].number", i)
		if v.text(field, p.Number, maxPhone) {
			switch {
			case rounded.MatchString(p.Number):
				v.add(field, codePhoneRounded, "was rounded by a spreadsheet", "format the column as text and enter the number again")
			case strings.IndexFunc(p.Number, unicode.IsDigit) < 0:
				v.add(field, codePhoneNoDigits, "has no digit", "give a phone number, or leave it out")
			}
		}
		v.text(fmt.Sprintf("phones[%d].type", i), p.Type, maxPhone)
	}
}

func (v *validation) tooMany(field string, limit int) {
	v.add(field, codeTooMany, fmt.Sprintf("has more than %d entries", limit), fmt.Sprintf("send the %d that matter most", limit))
}

func (v *validation) linkedIn(link string) {
	const field = "linkedin_url"
	if link == "" || !v.text(field, link, maxURL) {
		return
	}
	u, err := url.Parse(link)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", !strings.Contains(u.Hostname(), "."), u.User != nil, strings.ContainsAny(link, " <>\""):
		v.add(field, codeLinkedInMalformed, "is not a web address", "give the profile's full URL, starting with https://, or leave it out")
	}
}

func (v *validation) positions(positions []WorkExperience) {
	count := 0
	for i, w := range positions {
		if w == (WorkExperience{}) {
			continue
		}
		if count++; count > maxPositions {
			v.tooMany("work_experience", maxPositions)
			return
		}
		path := fmt.Sprintf("work_experience[%d].", i)
		v.text(path+"employer", w.Employer, maxText)
		v.text(path+"title", w.Title, maxText)
		start, startOK := v.date(path+"start", w.Start)
		end, endOK := v.date(path+"end", w.End)
		if startOK && endOK && end.before(start) {
			v.add(path+"end", codeDatesReversed, "is before the start", "swap or correct the dates; leave end empty for a current position")
		}
	}
}

func (v *validation) date(field, value string) (partialDate, bool) {
	if value == "" {
		return partialDate{}, false
	}
	d, err := parsePartialDate(value)
	switch {
	case errors.Is(err, errDateMalformed):
		remedy := "write year, year-month or year-month-day with hyphens and leading zeros"
		if strings.HasSuffix(field, "end") {
			remedy += "; leave end empty for a current position"
		}
		v.add(field, codeDateMalformed, "is not a date of the form YYYY, YYYY-MM or YYYY-MM-DD", remedy)
	case err != nil:
		v.add(field, codeDateImpossible, fmt.Sprintf("is a date that does not exist or lies outside %d to %d", minYear, maxYear), "correct the date")
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
			v.tooMany("education", maxSchools)
			return
		}
		path := fmt.Sprintf("education[%d].", i)
		v.text(path+"school", e.School, maxText)
		v.text(path+"degree", e.Degree, maxText)
	}
}
