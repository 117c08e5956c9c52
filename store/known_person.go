package store

import (
	"context"
	"crypto/subtle"
	"strconv"
	"strings"
	"time"
)

// known is the person recently found or created for an email, with the workflows recently created
// for that person, by job. The Redis value is
//
//	person|=proof,job:workflow,job=proof,...
//
// The proofs show that this service wrote it; write access to Redis is not enough to create one.
// Earlier versions wrote none and ignore them.
type known struct {
	person    int64
	proven    bool
	workflows map[int64]int64 // only those with a valid proof
}

// knownProof proves the person of an email or, with a job, the person's workflow.
func (k *Keyset) knownProof(customer, emailHash string, person, job, workflow int64) string {
	return k.hash("known", customer, emailHash, idText(person), idText(job), idText(workflow))
}

func (k *Keyset) readKnown(customer, emailHash, value string) known {
	person, entries, _ := strings.Cut(value, "|")
	found := known{person: number(person), workflows: map[int64]int64{}}
	proofs := map[int64]string{}
	for entry := range strings.SplitSeq(entries, ",") {
		if job, proof, ok := strings.Cut(entry, "="); ok {
			proofs[number(job)] = proof
		}
	}
	proves := func(job, workflow int64) bool {
		want := k.knownProof(customer, emailHash, found.person, job, workflow)
		return subtle.ConstantTimeCompare([]byte(proofs[job]), []byte(want)) == 1
	}
	found.proven = found.person != 0 && proves(0, 0)
	for job, workflow := range parseJobs(entries) {
		if found.proven && proves(job, workflow) {
			found.workflows[job] = workflow
		}
	}
	return found
}

// RememberPerson remembers the person of an email for an hour, unless one is known already, so that an
// export reads that person before it searches.
func (l *Ledger) RememberPerson(ctx context.Context, customer, emailHash string, person int64) error {
	if person == 0 {
		return nil
	}
	const rememberFor = time.Hour // as after an export
	value := strconv.FormatInt(person, 10) + "|=" + l.keys.knownProof(customer, emailHash, person, 0, 0)
	err := l.redis.SetNX(ctx, prefix(customer)+"k:"+emailHash, value, rememberFor).Err()
	return wrapped("remember a person", err)
}
