package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// markers checks that every marker names a person.
func (a *auditor) markers(ctx context.Context) error {
	return a.eachMarker(ctx, a.customer, func(bucket int, field, value string) {
		a.found.Markers++
		m, ok := parseMarker(value)
		// Allow for a clock that runs ahead.
		if !ok || m.Person <= 0 || m.ExportedAt.Unix() <= 0 || m.ExportedAt.After(a.now.Add(24*time.Hour)) ||
			len(field) != 16 || strings.Trim(field, "0123456789abcdef") != "" {
			a.violatef(ViolationMarker, "", "", "A success marker (bucket %d, field %q) does not name the person and the time.", bucket, field)
		}
	})
}

// markerPage is about how many markers are read from a bucket at once. Redis returns all markers of
// a compact bucket, up to 512, in one reply.
const markerPage = 512

// eachMarker calls yield with each marker of a customer. It may repeat a marker while many are
// being added.
func (l *base) eachMarker(ctx context.Context, customer string, yield func(bucket int, field, value string)) error {
	const at = 16
	for from := 0; from < markerBuckets; from += at {
		cursors := map[int]uint64{}
		for i := range at {
			cursors[from+i] = 0
		}
		for len(cursors) > 0 {
			read := make(map[int]*redis.ScanCmd, len(cursors))
			_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
				for bucket, cursor := range cursors {
					read[bucket] = p.HScan(ctx, markerBucket(customer, bucket), cursor, "", markerPage)
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("read markers: %w", err)
			}
			for bucket, page := range read {
				fields, next := page.Val()
				for i := 0; i+1 < len(fields); i += 2 {
					yield(bucket, fields[i], fields[i+1])
				}
				if cursors[bucket] = next; next == 0 {
					delete(cursors, bucket)
				}
			}
		}
	}
	return nil
}

// sampleMarkers returns up to n markers of a customer, chosen uniformly at random.
func (l *base) sampleMarkers(ctx context.Context, customer string, n int) ([]Marker, error) {
	var sample []Marker
	seen := 0
	err := l.eachMarker(ctx, customer, func(_ int, _, value string) {
		m, ok := parseMarker(value)
		if !ok {
			return
		}
		seen++
		if len(sample) < n {
			sample = append(sample, m)
		} else if i := rand.IntN(seen); i < n {
			sample[i] = m
		}
	})
	return sample, err
}
