package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Producers announce the customers they bring work for, so that no worker has
// to look through all customers.

// Announce tells the workers that the customer has work.
func (l *Ledger) Announce(ctx context.Context, customer string) error {
	now := float64(time.Now().UnixMicro())
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, lanesKey, redis.Z{Score: now, Member: customer})
		p.Publish(ctx, lanesChannel, customer)
		return nil
	})
	if err != nil {
		return fmt.Errorf("announce work: %w", err)
	}
	return nil
}

// Announced is a customer with work, as last announced.
type Announced struct {
	Customer string
	stamp    float64
}

// Announced lists the customers with work.
func (l *Ledger) Announced(ctx context.Context) ([]Announced, error) {
	members, err := l.redis.ZRangeWithScores(ctx, lanesKey, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read announced lanes: %w", err)
	}
	lanes := make([]Announced, 0, len(members))
	for _, m := range members {
		customer, _ := m.Member.(string)
		lanes = append(lanes, Announced{customer, m.Score})
	}
	return lanes, nil
}

var withdrawScript = redis.NewScript(`
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1])) == tonumber(ARGV[2]) then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0`)

// Withdraw takes a customer whose work is done off the list, unless it was
// announced again since.
func (l *Ledger) Withdraw(ctx context.Context, a Announced) (bool, error) {
	n, err := withdrawScript.Run(ctx, l.redis, []string{lanesKey}, a.Customer, fmt.Sprintf("%.0f", a.stamp)).Int()
	if err != nil {
		return false, fmt.Errorf("withdraw lane: %w", err)
	}
	return n == 1, nil
}

// Announcements delivers customers as they are announced, until ctx ends. The
// channel misses what is announced while Redis is out of reach: Announced has
// them all.
func (l *Ledger) Announcements(ctx context.Context) <-chan string {
	subscription := l.redis.Subscribe(ctx, lanesChannel)
	out := make(chan string)
	go func() {
		defer close(out)
		defer func() { _ = subscription.Close() }()
		messages := subscription.Channel()
		for {
			select {
			case <-ctx.Done():
				return
			case m, ok := <-messages:
				if !ok {
					return
				}
				select {
				case out <- m.Payload:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out
}

// Risks names what about the Redis behind the client may lose exports. Checks
// that the server does not offer are passed over.
func Risks(ctx context.Context, client redis.UniversalClient) ([]string, error) {
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, fmt.Errorf("reach Redis: %w", err)
	}
	var risks []string
	read := func(name string) string {
		values, err := client.ConfigGet(ctx, name).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return ""
		}
		return values[name]
	}
	if read("appendonly") == "no" {
		risks = append(risks, "Redis keeps no append-only file: a restart loses every export that is still moving and every marker since the last snapshot; set appendonly yes")
	}
	if policy := read("maxmemory-policy"); policy != "" && policy != "noeviction" {
		risks = append(risks, "Redis may evict keys ("+policy+"): exports and markers vanish without a word; set maxmemory-policy noeviction")
	}
	return risks, nil
}
