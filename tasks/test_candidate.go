package tasks

import (
	"context"
	"hash/fnv"

	"github.com/seekout/icims-export/store"
)

// TestCandidate is whom verifications send: recognisable in iCIMS at a glance, with a
// value in each field that exports fill in. The address is always the same for a
// customer, so that the person is found again, and known to whoever has the keyset alone.
func TestCandidate(keys *store.Keyset, conn store.Connection, domain string) Candidate {
	c := Candidate{
		ID: store.TestCandidate, FirstName: "Test", LastName: "Candidate (icims-export)", Email: testEmail(keys, conn.Customer, domain),
		Phones:         []Phone{{Number: "+1 425 555 0100", Type: "mobile"}},
		WorkExperience: []WorkExperience{{Employer: "icims-export", Title: "Test Candidate", Start: "2020-01", End: "2021-06"}},
		Education:      []Education{{School: "icims-export", Degree: "Test"}},
	}
	if conn.LinkedInField != "" {
		c.LinkedInURL = "https://www.linkedin.com/in/icims-export-test-candidate"
	}
	return c
}

func testEmail(keys *store.Keyset, customer, domain string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(keys.EmailHash(customer, store.TestCandidate))) // cannot fail
	return DummyEmail(int32(h.Sum32()), domain)
}

// AcceptTest puts the test candidate into the ledger, as a batch of its own that is
// marked as a test, to the job or as a prospect for 0. Somebody has to take the export
// through the stages: it gets no task unless that takes long. The same key brings the
// same batch.
func AcceptTest(ctx context.Context, ledger *store.Ledger, conn store.Connection, domain string, job int64, key string) (store.BatchID, store.Ref, error) {
	// An earlier test candidate is updated.
	spec := store.BatchSpec{
		Customer: conn.Customer, IdempotencyKey: key, Job: job, GenerateDummyEmails: true, IncludePreviouslyExported: true, Test: true,
	}
	batch, _, err := ledger.OpenBatch(ctx, spec)
	if err != nil {
		return "", store.Ref{}, err
	}
	keys := ledger.Keys()
	candidate := TestCandidate(keys, conn, domain)
	hash := keys.EmailHash(conn.Customer, candidate.Email)
	// Where no search shows it, it is not created again.
	if err := ledger.KnowPerson(ctx, conn.Customer, hash, conn.Profile.TestPerson); err != nil {
		return "", store.Ref{}, err
	}
	export := keys.ExportID(string(batch), store.TestCandidate)
	p := Payload{Candidate: candidate, Dummy: true}
	_, err = ledger.AcceptFor(ctx, spec, batch, []store.NewExport{{
		Export: export, Candidate: store.TestCandidate, EmailHash: hash, Payload: p.Encode(),
	}}, store.Rows{}, store.ExpressQueue)
	if err == nil {
		err = ledger.CloseBatch(ctx, batch, 0)
	}
	return batch, store.Ref{Customer: conn.Customer, Export: export}, err
}
