package input

import (
	"regexp"
	"strconv"
	"strings"
)

// csvRow collects the cells of one row. Groups are kept by number until the row is complete, since
// columns may be in any order.
type csvRow struct {
	c         Candidate
	phones    []Phone
	positions []WorkExperience
	schools   []Education
	warnings  []Problem
}

func (r *csvRow) warn(p Problem) { r.warnings = addProblem(r.warnings, p) }

// candidate adds the non-empty groups to the candidate, in the order of their numbers.
func (r *csvRow) candidate() Candidate {
	r.c.Phones = kept(r.phones, func(p Phone) bool { return clean(p.Number) != "" })
	r.c.WorkExperience = kept(r.positions, func(w WorkExperience) bool {
		return strings.TrimSpace(w.Employer+w.Title+w.Start+w.End) != ""
	})
	r.c.Education = kept(r.schools, func(e Education) bool { return strings.TrimSpace(e.School+e.Degree) != "" })
	return r.c
}

var plainColumns = map[string]func(*csvRow, string){
	"id":           func(r *csvRow, v string) { r.c.ID = v },
	"first_name":   func(r *csvRow, v string) { r.c.FirstName = v },
	"last_name":    func(r *csvRow, v string) { r.c.LastName = v },
	"email":        func(r *csvRow, v string) { r.c.Email = v },
	"linkedin_url": func(r *csvRow, v string) { r.c.LinkedInURL = v },
}

// groupColumns are the columns of repeated groups, by name without the number.
var groupColumns = map[string]func(*csvRow, int, string){
	"phone_number":     func(r *csvRow, n int, v string) { nth(&r.phones, n).Number = v },
	"phone_type":       func(r *csvRow, n int, v string) { nth(&r.phones, n).Type = v },
	"work_employer":    func(r *csvRow, n int, v string) { nth(&r.positions, n).Employer = v },
	"work_title":       func(r *csvRow, n int, v string) { nth(&r.positions, n).Title = v },
	"work_start":       func(r *csvRow, n int, v string) { nth(&r.positions, n).Start = v },
	"work_end":         func(r *csvRow, n int, v string) { nth(&r.positions, n).End = v },
	"education_school": func(r *csvRow, n int, v string) { nth(&r.schools, n).School = v },
	"education_degree": func(r *csvRow, n int, v string) { nth(&r.schools, n).Degree = v },
}

func nth[T any](list *[]T, n int) *T {
	for len(*list) < n {
		var zero T
		*list = append(*list, zero)
	}
	return &(*list)[n-1]
}

var groupName = regexp.MustCompile(`^(phone|work|education)([1-9][0-9]{0,2})(_[a-z]+)$`)

// csvColumn returns the function that stores a column's cells; ok is false for unknown columns.
func csvColumn(name string) (store func(*csvRow, string), ok bool) {
	if store, ok = plainColumns[name]; ok {
		return store, true
	}
	m := groupName.FindStringSubmatch(name)
	if m == nil {
		return nil, false
	}
	group, ok := groupColumns[m[1]+m[3]]
	if !ok {
		return nil, false
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return nil, false
	}
	return func(r *csvRow, v string) { group(r, n, v) }, true
}

// groupSlips are names that other systems use for a group's columns, folded and without the number.
var groupSlips = map[string]string{
	"phone": "phone#_number", "phonenumber": "phone#_number", "mobile": "phone#_number", "telephone": "phone#_number", "phonetype": "phone#_type",
	"workemployer": "work#_employer", "employer": "work#_employer", "company": "work#_employer", "workcompany": "work#_employer",
	"worktitle": "work#_title", "title": "work#_title", "jobtitle": "work#_title",
	"workstart": "work#_start", "start": "work#_start", "startdate": "work#_start", "workstartdate": "work#_start",
	"workend": "work#_end", "end": "work#_end", "enddate": "work#_end", "workenddate": "work#_end",
	"educationschool": "education#_school", "school": "education#_school", "eduschool": "education#_school", "university": "education#_school",
	"educationdegree": "education#_degree", "degree": "education#_degree", "edudegree": "education#_degree",
}

var digitRun = regexp.MustCompile(`[0-9]+`)

// intendedColumn returns the column that name is probably meant to be, or "".
func intendedColumn(name string) string {
	plain := []string{"id", "first_name", "last_name", "email", "linkedin_url"}
	if column := intended(name, plain); column != "" {
		return column
	}
	folded := fold(name)
	column := groupSlips[digitRun.ReplaceAllString(folded, "")]
	if column == "" {
		return ""
	}
	number := digitRun.FindString(folded)
	if number == "" || len(number) > 3 || number[0] == '0' {
		number = "1"
	}
	if column = strings.Replace(column, "#", number, 1); column == name {
		return ""
	}
	return column
}
