package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// markers checks that every marker points at a person.
func (a *auditor) markers(ctx context.Context) error {
	return a.eachMarker(ctx, a.customer, func(bucket int, field, value string) {
		a.found.Markers++
		m, ok := parseMarker(value)
		// A clock may be a little ahead.
		if !ok || m.Person <= 0 || m.ExportedAt.Unix() <= 0 || m.ExportedAt.After(a.now.Add(24*time.Hour)) ||
			len(field) != 16 || strings.Trim(field, "0123456789abcdef") != "" {
			a.violatef(ViolationMarker, "", "", "A marker (bucket %d, field %q) does not say which person was exported, and when.", bucket, field)
		}
	})
}

func (l *Ledger) eachMarker(ctx context.Context, customer string, yield func(bucket int, field, value string)) error {
	const at = 64
	for from := 0; from < markerBuckets; from += at {
		buckets := make([]*redis.MapStringStringCmd, at)
		_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range buckets {
				buckets[i] = p.HGetAll(ctx, fmt.Sprintf("%sm:%d", prefix(customer), from+i))
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("read markers: %w", err)
		}
		for i, b := range buckets {
			for field, value := range b.Val() {
				yield(from+i, field, value)
			}
		}
	}
	return nil
}

// SampleMarkers returns up to n markers of a customer, each as likely as the
// other.
func (l *Ledger) SampleMarkers(ctx context.Context, customer string, n int) ([]Marker, error) {
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
