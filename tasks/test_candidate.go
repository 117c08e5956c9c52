package tasks

import (
	"context"
	"hash/fnv"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// TestCandidate returns the candidate that verifications send. It is easy to recognize in iCIMS and
// has a value in each exported field. A customer's address is always the same, so that the person
// is found again, and only derivable with the keyset.
func TestCandidate(keys *store.Keyset, conn store.Connection, domain string) input.Candidate {
	c := input.Candidate{
		ID: input.TestCandidate, FirstName: "Test", LastName: "Candidate (icims-export)", Email: testEmail(keys, conn.Customer, domain),
		Phones:         []input.Phone{{Number: "+1 425 555 0100", Type: "mobile"}},
		WorkExperience: []input.WorkExperience{{Employer: "icims-export", Title: "Test Candidate", Start: "2020-01", End: "2021-06"}},
		Education:      []input.Education{{School: "icims-export", Degree: "Test"}},
	}
	if conn.LinkedInField != "" {
		c.LinkedInURL = "https://www.linkedin.com/in/icims-export-test-candidate"
	}
	return c
}

func testEmail(keys *store.Keyset, customer, domain string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(keys.EmailHash(customer, input.TestCandidate))) // cannot fail
	return input.DummyEmail(int32(h.Sum32()), domain)
}

// AcceptTest accepts the test candidate in a test batch, for a job or as a prospect (0). It
// enqueues no task: the caller runs the export, unless that takes so long that the sweep enqueues
// it. The same key gives the same batch.
func AcceptTest(ctx context.Context, ledger *store.Ledger, conn store.Connection, domain string, job int64, key string) (store.BatchID, store.Ref, error) {
	// Update an earlier test candidate.
	spec := store.BatchSpec{
		Customer: conn.Customer, IdempotencyKey: key, Job: job, GenerateDummyEmails: true, IncludePreviouslyExported: true, Test: true,
	}
	batch, _, err := ledger.Batches.Open(ctx, spec)
	if err != nil {
		return "", store.Ref{}, err
	}
	keys := ledger.Keys()
	candidate := TestCandidate(keys, conn, domain)
	hash := keys.EmailHash(conn.Customer, candidate.Email)
	// Use the known person if no search finds it, instead of creating another.
	if err := ledger.RememberPerson(ctx, conn.Customer, hash, conn.Profile.TestPerson); err != nil {
		return "", store.Ref{}, err
	}
	export := keys.ExportID(string(batch), input.TestCandidate)
	p := Payload{Candidate: candidate, Dummy: true}
	_, err = ledger.AcceptFor(ctx, spec, batch, []store.NewExport{{
		Export: export, Candidate: input.TestCandidate, EmailHash: hash, Payload: p.Encode(),
	}}, store.Rows{}, store.ExpressQueue)
	if err == nil {
		err = ledger.Batches.Close(ctx, batch, 0)
	}
	return batch, store.Ref{Customer: conn.Customer, Export: export}, err
}
