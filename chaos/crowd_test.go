package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/seekout/icims-export/tasks/input"
)

// delivery is one batch that a producer sends.
type delivery struct {
	customer string
	key      string // idempotency key
	job      int64  // 0: prospects
	dummies  bool
	include  bool // include previously exported candidates
	rows     []input.Candidate
}

// crowd contains the deliveries of a run, and the people in iCIMS before it.
type crowd struct {
	deliveries []delivery
	present    []map[string]any // people in iCIMS from the start
	total      int
}

// presentIn is the customer with existing people.
const presentIn = customer

// Shares of the candidates.
const (
	shareShared  = 0.10 // have the same email as other candidates
	sharePresent = 0.02 // have the email of a person already in iCIMS
	shareAgain   = 0.03 // are in another batch as well
	shareDummy   = 0.25 // of a batch with dummies: have no email
)

// newCrowd returns n candidates in at least five batches: two to the same job, so that people with
// the same email occur in both, prospects, one with dummies, and one that includes previously
// exported candidates. A few more go to the throttled customer.
func newCrowd(rng *rand.Rand, n int) crowd {
	c := crowd{total: n}
	kinds := []delivery{
		{customer: customer, job: firstJob},
		{customer: customer, job: firstJob, include: true},
		{customer: customer},
		{customer: customer, job: firstJob + 1, dummies: true},
		{customer: customer, dummies: true},
	}
	aside := delivery{customer: throttled, key: "delivery-throttled", job: firstJob}
	for i := range max(10, n/50) {
		id := fmt.Sprintf("t-%d", i)
		aside.rows = append(aside.rows, input.Candidate{ID: id, FirstName: "Made", LastName: "Up" + id, Email: id + "@example.com"})
	}
	c.deliveries = append(c.deliveries, aside)
	c.total += len(aside.rows)
	batches := max(len(kinds), n/1000)
	shared := make([]string, max(1, int(float64(n)*shareShared/3)))
	for i := range shared {
		shared[i] = fmt.Sprintf("shared.%d@example.com", i)
	}
	for i := range max(1, int(float64(n)*sharePresent)) {
		email := fmt.Sprintf("Present.%d@Example.com", i)
		if i%2 == 0 {
			email = strings.ToLower(email)
		}
		c.present = append(c.present, map[string]any{"firstname": "Pre", "lastname": fmt.Sprintf("Sent%d", i), "email": email})
	}
	present, lately := 0, shared[0]
	var everyone []input.Candidate
	for b := range batches {
		d := kinds[b%len(kinds)]
		d.key = fmt.Sprintf("delivery-%d", b)
		rows := n / batches
		if b < n%batches {
			rows++
		}
		sent := map[string]bool{}
		for len(d.rows) < rows {
			id := fmt.Sprintf("c%d-%d", b, len(d.rows))
			person := input.Candidate{
				ID: id, FirstName: "Made", LastName: "Up" + id, Email: id + "@example.com",
				Phones:         []input.Phone{{Number: "+1 425 555 0143", Type: "mobile"}},
				WorkExperience: []input.WorkExperience{{Employer: "Contoso", Title: "Data Engineer", Start: "2021-03"}},
			}
			switch u := rng.Float64(); {
			case u < shareShared:
				// Often the previous address, so that both are processed concurrently.
				if rng.IntN(2) == 0 {
					lately = shared[rng.IntN(len(shared))]
				}
				person.Email = lately
				if rng.IntN(3) == 0 {
					person.Email = strings.ToUpper(person.Email[:1]) + person.Email[1:]
				}
			case u < shareShared+sharePresent:
				person.Email = fmt.Sprintf("present.%d@example.com", present%len(c.present))
				present++
			case u < shareShared+sharePresent+shareAgain && len(everyone) > 0:
				if again := everyone[rng.IntN(len(everyone))]; !sent[again.ID] {
					person = again
				}
			case d.dummies && rng.Float64() < shareDummy:
				person.Email = ""
			}
			sent[person.ID] = true
			if person.Email != "" { // another dummy address would be another profile
				everyone = append(everyone, person)
			}
			d.rows = append(d.rows, person)
		}
		c.deliveries = append(c.deliveries, d)
	}
	return c
}
