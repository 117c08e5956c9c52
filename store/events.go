package store

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Event is an event of a customer's lane. It contains no candidate and no secret, so it is stored
// in plaintext.
type Event struct {
	At time.Time `json:"at"`
	// Kind is "closed" or "opened" for calls as a whole (Text is then the reason), "breaker",
	// "paused", "resumed", or another word chosen by the caller.
	Kind string `json:"kind"`
	Text string `json:"text"`
	// Until is when a closure ends; zero for other events.
	Until time.Time `json:"until,omitzero"`
}

// keptEvents is about how many events of a customer are kept.
const keptEvents = 200

// addEvent adds an event for the customer.
func (l *base) addEvent(ctx context.Context, customer, kind, text string) error {
	now, err := l.nowAt(ctx, eventsKey(customer))
	if err != nil {
		return err
	}
	err = l.essential(ctx, "XADD", eventsKey(customer), "MAXLEN", "~", keptEvents, "*", "k", kind, "t", text, "at", now.UnixMilli(), "u", 0)
	if err != nil {
		return fmt.Errorf("record event: %w", err)
	}
	return nil
}

// Events lists a customer's last n events, newest first.
func (l *AuditLog) Events(ctx context.Context, customer string, n int) ([]Event, error) {
	messages, err := l.redis.XRevRangeN(ctx, eventsKey(customer), "+", "-", int64(n)).Result()
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	events := make([]Event, len(messages))
	for i, m := range messages {
		events[i] = Event{At: millis(text(m.Values["at"])), Kind: text(m.Values["k"]), Text: text(m.Values["t"])}
		if until := text(m.Values["u"]); number(until) > 0 {
			events[i].Until = millis(until)
		}
	}
	return events, nil
}

// breakersKept is how long an open breaker is shown if its worker stops reporting.
const breakersKept = 10 * time.Minute

// RecordBreaker publishes the state of one worker's circuit breaker for a customer. Closed breakers
// are not stored.
func (l *AuditLog) RecordBreaker(ctx context.Context, customer, worker, state string) error {
	key := breakersKey(customer)
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		if state == "closed" {
			p.HDel(ctx, key, worker)
		} else {
			p.HSet(ctx, key, worker, state)
		}
		p.Expire(ctx, key, breakersKept)
		return nil
	})
	if err != nil {
		return fmt.Errorf("record circuit breaker: %w", err)
	}
	return l.addEvent(ctx, customer, "breaker", state)
}
