package main

import (
	"fmt"
	"strings"

	"github.com/brianvoe/gofakeit/v7"

	"github.com/seekout/icims-export/tasks/input"
)

// candidateGenerator generates candidates who do not exist: names from word lists, addresses under
// example.com, and phone numbers reserved for fiction.
type candidateGenerator struct {
	faker *gofakeit.Faker
	n     int
}

func newCandidateGenerator(seed uint64) *candidateGenerator {
	return &candidateGenerator{faker: gofakeit.New(seed)}
}

var (
	degrees    = []string{"Bachelor of Arts", "Bachelor of Science", "Master of Science", "Master of Business Administration", "Doctor of Philosophy"}
	phoneTypes = []string{"mobile", "home", "work"}
)

// candidate returns the next candidate.
func (m *candidateGenerator) candidate() input.Candidate {
	m.n++
	f := m.faker
	c := input.Candidate{
		ID: fmt.Sprintf("c-%06d", m.n), FirstName: f.FirstName(), LastName: f.LastName(),
		LinkedInURL: fmt.Sprintf("https://www.linkedin.com/in/example-%06d", m.n),
	}
	c.Email = fmt.Sprintf("%s.%s.%d@example.com", plainLetters(c.FirstName), plainLetters(c.LastName), m.n)
	for i := range 1 + f.IntN(2) {
		c.Phones = append(c.Phones, input.Phone{Number: fmt.Sprintf("+1 %d 555 01%02d", 201+f.IntN(700), f.IntN(100)), Type: phoneTypes[(i+f.IntN(2))%len(phoneTypes)]})
	}
	year := 2024
	for i := range 1 + f.IntN(3) {
		start := year - 1 - f.IntN(4)
		job := input.WorkExperience{Employer: f.Company(), Title: f.JobLevel() + " " + f.JobTitle(), Start: fmt.Sprintf("%d-%02d", start, 1+f.IntN(12))}
		if i > 0 {
			job.End = fmt.Sprintf("%d-12", year)
		}
		c.WorkExperience = append(c.WorkExperience, job)
		year = start
	}
	for range 1 + f.IntN(2) {
		c.Education = append(c.Education, input.Education{School: f.School(), Degree: f.RandomString(degrees)})
	}
	return c
}

// plainLetters keeps the characters that are allowed in the local part of an address.
func plainLetters(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// asPerson returns the candidate as a person who has been in the simulator for long, with a phone
// and without a work history.
func asPerson(c input.Candidate) map[string]any {
	return map[string]any{
		"firstname": c.FirstName, "lastname": c.LastName, "email": c.Email,
		"folder": map[string]any{"id": "D32007"},
		"phones": []any{map[string]any{"phonenumber": "+1 425 555 0100", "phonetype": map[string]any{"value": "Work"}}},
	}
}

// badRows returns candidates that are refused, each for another reason.
func (m *candidateGenerator) badRows(taken input.Candidate) []input.Candidate {
	noEmail, badEmail, noName, reversed, double := m.candidate(), m.candidate(), m.candidate(), m.candidate(), m.candidate()
	noEmail.Email = ""
	badEmail.Email = strings.Replace(badEmail.Email, "@", " at ", 1)
	noName.LastName = ""
	reversed.WorkExperience[0].Start, reversed.WorkExperience[0].End = "2023-05", "2021-11"
	double.ID = taken.ID
	return []input.Candidate{noEmail, badEmail, noName, reversed, double}
}
