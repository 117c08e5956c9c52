package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// KeptSent is for how many exports per day and customer the sent digests are kept: the last ones. A
// read-back only needs a sample.
const KeptSent = 200

// SentRecord describes what an export sent, without any value. A digest only tells whether a value
// read from iCIMS equals the one sent.
type SentRecord struct {
	Export   string    `json:"export"`
	Person   int64     `json:"person"`
	Workflow int64     `json:"workflow,omitempty"` // 0 for a prospect
	At       time.Time `json:"at"`
	Digests  string    `json:"digests,omitempty"` // empty: unknown
}

// parseSent parses "export|person|workflow|seconds|digests", as written by finish.lua.
func parseSent(line string) (SentRecord, bool) {
	const parts = 5
	f := strings.SplitN(line, "|", parts)
	if len(f) < parts || number(f[1]) <= 0 {
		return SentRecord{}, false
	}
	return SentRecord{Export: f[0], Person: number(f[1]), Workflow: number(f[2]), At: time.Unix(number(f[3]), 0), Digests: f[4]}, true
}

// sentDigestLength is the length of a digest: 35 bits. The chance that another value has the same
// digest is 1 in 3·10^10.
const sentDigestLength = 7

// SentDigest returns a keyed digest of a value that an export sent. Equal values in different
// exports have different digests.
func (k *Keyset) SentDigest(customer, export, field, value string) string {
	return k.hash("sent", customer, export, field, value)[:sentDigestLength]
}

// SampleSent returns up to n records of what a customer's exports sent, spread over all kept days,
// each for a different person. If there are too few, it adds exported people with only their IDs.
func (l *Candidates) SampleSent(ctx context.Context, customer string, n int) ([]SentRecord, error) {
	days, err := l.sentByDay(ctx, customer)
	if err != nil {
		return nil, err
	}
	var sample []SentRecord
	seen := map[int64]bool{}
	for more := true; more && len(sample) < n; {
		more = false
		for i := range days {
			if len(days[i]) == 0 || len(sample) == n {
				continue
			}
			more = true
			seen[days[i][0].Person] = true
			sample = append(sample, days[i][0])
			days[i] = days[i][1:]
		}
	}
	if len(sample) == n {
		return sample, nil
	}
	markers, err := l.sampleMarkers(ctx, customer, n)
	if err != nil {
		return nil, err
	}
	for _, m := range markers {
		if len(sample) == n {
			break
		}
		if seen[m.Person] || m.Person <= 0 {
			continue
		}
		seen[m.Person] = true
		r := SentRecord{Person: m.Person, At: m.ExportedAt}
		for _, workflow := range m.Workflows {
			r.Workflow = max(r.Workflow, workflow)
		}
		sample = append(sample, r)
	}
	return sample, nil
}

// sentByDay reads the records of each day, newest day first, shuffled within a day. Of each person
// it returns only the last record, which matches what iCIMS should hold.
func (l *base) sentByDay(ctx context.Context, customer string) ([][]SentRecord, error) {
	const day = 24 * time.Hour
	now, err := l.nowAt(ctx, countersKey(customer))
	if err != nil {
		return nil, err
	}
	today := now.Unix() / int64(day/time.Second)
	read := make([]*redis.StringSliceCmd, int(l.retention/day)+2)
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range read {
			read[i] = p.LRange(ctx, sentKey(customer, today-int64(i)), 0, -1)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read sent values: %w", err)
	}
	var days [][]SentRecord
	seen := map[int64]bool{}
	for _, cmd := range read {
		var records []SentRecord
		for _, line := range cmd.Val() {
			r, ok := parseSent(line)
			if !ok || seen[r.Person] {
				continue
			}
			seen[r.Person] = true
			records = append(records, r)
		}
		rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		if len(records) > 0 {
			days = append(days, records)
		}
	}
	return days, nil
}
