package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Marker records that a candidate was exported. It is the only permanent trace of a finished export
// and contains no personal data.
type Marker struct {
	Person     int64
	ExportedAt time.Time       // resolution of one second
	Workflows  map[int64]int64 // by job
	// Owed lists the parts of the person's history that iCIMS did not accept: education,
	// work_experience.
	Owed []string
}

// parseMarker parses "person|unix seconds|job:workflow,job:workflow", optionally followed by
// another bar and Owed.
func parseMarker(s string) (Marker, bool) {
	person, rest, ok := strings.Cut(s, "|")
	if !ok {
		return Marker{}, false
	}
	at, rest, _ := strings.Cut(rest, "|")
	jobs, owed, _ := strings.Cut(rest, "|")
	m := Marker{Person: number(person), ExportedAt: time.Unix(number(at), 0), Workflows: parseJobs(jobs)}
	if owed != "" {
		m.Owed = strings.Split(owed, ",")
	}
	return m, true
}

// parseJobs parses "job:workflow,job:workflow".
func parseJobs(s string) map[int64]int64 {
	jobs := map[int64]int64{}
	for pair := range strings.SplitSeq(s, ",") {
		if job, workflow, ok := strings.Cut(pair, ":"); ok {
			jobs[number(job)] = number(workflow)
		}
	}
	return jobs
}

// Markers looks up which candidates were exported to the customer's iCIMS. The result leaves out
// the others.
func (l *Candidates) Markers(ctx context.Context, customer string, candidates []string) (map[string]Marker, error) {
	found := make(map[string]Marker, len(candidates))
	commands := make([]*redis.StringCmd, len(candidates))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, candidate := range candidates {
			key, field := markerPlace(customer, candidate)
			commands[i] = p.HGet(ctx, key, field)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read markers: %w", err)
	}
	for i, cmd := range commands {
		if m, ok := parseMarker(cmd.Val()); ok {
			found[candidates[i]] = m
		}
	}
	return found, nil
}

// Fields of the customer's counters: when its markers were erased, and when the last export that
// was in progress at that time ended. Such exports leave no marker.
const (
	erasedField   = "erased"
	unmarkedField = "unmarked"
)

// EraseMarkers erases all markers of a customer and returns how many there were. These candidates
// will be sent again. Exports in progress leave no marker; exports that start later do.
func (l *Candidates) EraseMarkers(ctx context.Context, customer string) (int, error) {
	now, err := l.nowAt(ctx, countersKey(customer))
	if err != nil {
		return 0, err
	}
	// Set this before the first marker is deleted, so that an audit does not report it missing.
	if err := l.essential(ctx, "HSET", countersKey(customer), erasedField, now.UnixMilli()); err != nil {
		return 0, fmt.Errorf("erase markers: %w", err)
	}
	const page = 256
	erased := 0
	for from := 0; from < markerBuckets; from += page {
		counts := make([]*redis.IntCmd, page)
		_, err := l.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for i := range page {
				bucket := markerBucket(customer, from+i)
				counts[i] = p.HLen(ctx, bucket)
				p.Unlink(ctx, bucket)
			}
			return nil
		})
		if err != nil {
			return erased, fmt.Errorf("erase markers: %w", err)
		}
		for _, n := range counts {
			erased += int(n.Val())
		}
	}
	return erased, nil
}
