package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
)

// survey reads the same of many customers.
type survey struct {
	redis redis.UniversalClient
	log   zerolog.Logger
	apart atomic.Int64 // in ms since 1970: until then customers are read one by one
}

const (
	// surveyLimit bounds how long a cluster's node that hangs is waited for.
	surveyLimit = 3 * time.Second
	surveyApart = 15 * time.Second
)

// brokenKeys is what the log says of a customer whose keys in Redis are no longer what they
// were.
const brokenKeys = "the customer's keys in Redis are broken, so its work stands still"

// surveyed reads something of customers, all in a few pipelines. Of a cluster one
// node may be out of reach: then each customer is read by itself, side by side, and
// those that have keys there are left out, so that the others need not wait for
// them.
func surveyed[T any](ctx context.Context, s *survey, customers []string, read func(context.Context, []string) ([]T, error)) (map[string]T, error) {
	found := make(map[string]T, len(customers))
	if len(customers) == 0 {
		return found, nil
	}
	_, cluster := s.redis.(*redis.ClusterClient)
	if time.Now().UnixMilli() >= s.apart.Load() {
		limit := ctx
		if cluster {
			var cancel context.CancelFunc
			limit, cancel = context.WithTimeout(ctx, surveyLimit)
			defer cancel()
		}
		all, err := read(limit, customers)
		for i := range all {
			found[customers[i]] = all[i]
		}
		if err == nil || ctx.Err() != nil || !cluster && !store.Broken(err) {
			return found, err
		}
		s.apart.Store(time.Now().Add(surveyApart).UnixMilli())
	}
	ctx, cancel := context.WithTimeout(ctx, surveyLimit)
	defer cancel()
	var (
		mu      sync.Mutex
		reading sync.WaitGroup
		failure error
	)
	for _, c := range customers {
		spawn(&reading, s.log, "survey", func() {
			one, err := read(ctx, []string{c})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failure = err
				if store.Broken(err) {
					s.log.Error().Err(err).Str("customer", c).Msg(brokenKeys)
				}
				return
			}
			found[c] = one[0]
		})
	}
	reading.Wait()
	if missing := len(customers) - len(found); missing > 0 {
		s.log.Error().Err(failure).Fields(store.LogFields(failure)).Int("customers", missing).Msg("some customers' work cannot be seen")
	}
	return found, nil
}
