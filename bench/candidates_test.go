package bench_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/brianvoe/gofakeit/v7"

	"github.com/seekout/icims-export/tasks/input"
)

// people returns n candidates of about 1.4 KB JSON each. ID and address depend on the series; the
// same series always returns the same people.
func people(series, n int) []input.Candidate {
	faker := gofakeit.New(uint64(series) + 1)
	all := make([]input.Candidate, n)
	for i := range all {
		first, last := faker.FirstName(), faker.LastName()
		handle := strings.ToLower(first + "." + last)
		c := input.Candidate{
			ID:        fmt.Sprintf("c-%04d-%06d", series, i),
			FirstName: first, LastName: last,
			Email:       fmt.Sprintf("%s.%04d.%06d@example.com", handle, series, i),
			LinkedInURL: fmt.Sprintf("https://www.linkedin.com/in/%s-%06x", strings.ReplaceAll(handle, ".", "-"), faker.Uint32()>>8),
			Phones: []input.Phone{
				{Number: "+1 " + faker.Phone(), Type: "mobile"},
				{Number: "+1 " + faker.Phone(), Type: "work"},
			},
		}
		const positions, schools = 11, 2
		for p := range positions {
			year := 2024 - 2*p
			w := input.WorkExperience{
				Employer: faker.Company(), Title: faker.JobTitle(),
				Start: fmt.Sprintf("%d-%02d", year-2, faker.Month()), End: fmt.Sprintf("%d-%02d", year, faker.Month()),
			}
			if p == 0 {
				w.End = ""
			}
			c.WorkExperience = append(c.WorkExperience, w)
		}
		for range schools {
			c.Education = append(c.Education, input.Education{School: faker.School(), Degree: "Bachelor of Science in " + faker.JobDescriptor() + " Studies"})
		}
		all[i] = c
	}
	return all
}

// jsonSize returns the mean JSON size of the candidates.
func jsonSize(b *testing.B, all []input.Candidate) float64 {
	b.Helper()
	total := 0
	for _, c := range all {
		total += len(encode(b, c))
	}
	return float64(total) / float64(len(all))
}

func encode(b *testing.B, c input.Candidate) []byte {
	b.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		b.Fatal(err)
	}
	return data
}
