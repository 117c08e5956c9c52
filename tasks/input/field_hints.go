package input

import (
	"regexp"
	"slices"
	"strings"
)

// plainName matches names of fields and columns. Anything else may be a misplaced value and is not
// shown.
var plainName = regexp.MustCompile(`^[A-Za-z]+[0-9]{0,3}(_[A-Za-z]+[0-9]{0,3})*$`)

func showable(name string) bool { return len(name) <= 40 && plainName.MatchString(name) }

// otherNames are other systems' names of our fields.
var otherNames = map[string]string{
	"candidateid": "id", "externalid": "id",
	"givenname": "first_name", "forename": "first_name",
	"surname": "last_name", "familyname": "last_name",
	"mail": "email", "emailaddress": "email",
	"linkedin": "linkedin_url", "linkedinprofile": "linkedin_url", "profileurl": "linkedin_url",
	"phone": "phones", "phonenumbers": "phones",
	"experience": "work_experience", "workhistory": "work_experience", "positions": "work_experience",
	"schools": "education", "educations": "education",
	"phonenumber": "number", "phonetype": "type",
	"company": "employer", "jobtitle": "title",
	"startdate": "start", "enddate": "end",
	"schoolname": "school", "university": "school",
}

// intended returns the known name that name is probably meant to be, or "".
func intended(name string, known []string) string {
	folded := fold(name)
	for _, k := range known {
		if fold(k) == folded {
			return k
		}
	}
	if other := otherNames[folded]; slices.Contains(known, other) {
		return other
	}
	return ""
}

func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
}
