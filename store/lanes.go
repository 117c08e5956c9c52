package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/internal/panics"
)

// Producers announce the customers they bring work for, so that no worker has
// to look through all customers. The list holds every customer with moving
// exports, by when it next wants a lane: now where work was announced, later
// where all of it waits for a time.

// longestRest bounds how far ahead a customer's next lane is put off: what comes
// meanwhile without an announcement waits no longer.
const longestRest = 10 * time.Minute

var (
	announceScript = loadEssentialFleetScript("announce")
	restScript     = loadEssentialFleetScript("rest")
)

// Announce tells the workers that the customer has work.
func (l *Ledger) Announce(ctx context.Context, customer string) error {
	return l.announce(ctx, customer, false)
}

// Hasten makes a customer that waits for a later time want its lane now: the
// reasons for waiting may be gone. One without work is left alone.
func (l *Ledger) Hasten(ctx context.Context, customer string) error {
	return l.announce(ctx, customer, true)
}

func (l *Ledger) announce(ctx context.Context, customer string, listedOnly bool) error {
	n, err := announceScript.of(l).Run(ctx, l.redis, []string{lanesKey}, customer, flag(listedOnly)).Int()
	if err != nil {
		return fmt.Errorf("announce work: %w", err)
	}
	if n == 1 {
		l.publish(ctx, lanesChannel, customer)
	}
	return nil
}

// tellChange tells the workers to look at a customer whose lane may have to
// close.
func (l *Ledger) tellChange(ctx context.Context, customer string) {
	l.publish(ctx, lanesChannel, customer+changed)
}

// publish sends a message by the node that has the list it is about, whose key the
// channel's name holds. go-redis would take any node of a cluster, so also one that
// hangs.
//
// A message is a hint: whoever misses it reads the same from a key within seconds. So a
// message that cannot be sent is reported, once until one can be sent again, and fails
// nothing.
func (l *Ledger) publish(ctx context.Context, channel, message string) {
	cmd := redis.NewIntCmd(ctx, "publish", channel, message)
	cmd.SetFirstKeyPos(1)
	err := l.redis.Process(ctx, cmd)
	if failedBefore := l.publishFails.Swap(err != nil); err != nil && !failedBefore && l.onPublishError != nil {
		l.onPublishError(fmt.Errorf("publish on %s: %w", channel, err))
	}
}

// Announced is a customer with work, as read from the list.
type Announced struct {
	Customer string
	// Wants is when it next wants a lane, by Redis's clock: in the past where it
	// wants one now.
	Wants time.Time
	stamp int64 // its score (µs), which no later announcement has
}

// Announced lists all customers with work, those that want a lane first that
// have wanted it longest.
func (l *Ledger) Announced(ctx context.Context) ([]Announced, error) {
	return l.listed(ctx, "+inf")
}

// Wanted lists the customers that want a lane by a time of Redis's clock.
func (l *Ledger) Wanted(ctx context.Context, by time.Time) ([]Announced, error) {
	return l.listed(ctx, strconv.FormatInt(by.UnixMicro(), 10))
}

func (l *Ledger) listed(ctx context.Context, by string) ([]Announced, error) {
	found, err := l.redis.ZRangeByScoreWithScores(ctx, lanesKey, &redis.ZRangeBy{Min: "-inf", Max: by}).Result()
	if err != nil {
		return nil, fmt.Errorf("read announced lanes: %w", err)
	}
	lanes := make([]Announced, len(found))
	for i, z := range found {
		lanes[i] = announcedAt(member(z), z.Score)
	}
	return lanes, nil
}

func announcedAt(customer string, score float64) Announced {
	return Announced{Customer: customer, Wants: time.UnixMicro(int64(score)), stamp: int64(score)}
}

// AnnouncedOf reads where customers stand in the list, to be compared by Rest and
// Withdraw. Those that are not listed are missing from the result.
func (l *Ledger) AnnouncedOf(ctx context.Context, customers ...string) (map[string]Announced, error) {
	listed := make(map[string]Announced, len(customers))
	if len(customers) == 0 {
		return listed, nil
	}
	scores, err := l.redis.ZMScore(ctx, lanesKey, customers...).Result()
	if err != nil {
		return nil, fmt.Errorf("read announced lanes: %w", err)
	}
	for i, score := range scores {
		if score != 0 { // how go-redis tells a missing member
			listed[customers[i]] = announcedAt(customers[i], score)
		}
	}
	return listed, nil
}

// Withdraw takes a customer whose work is done off the list, unless it was
// announced again since.
func (l *Ledger) Withdraw(ctx context.Context, a Announced) (bool, error) {
	return l.rest(ctx, a, "")
}

// Rest notes when a customer whose work waits for a time next wants a lane, at
// most ten minutes ahead, unless it was announced again since.
func (l *Ledger) Rest(ctx context.Context, a Announced, until time.Time) (bool, error) {
	return l.rest(ctx, a, strconv.FormatInt(until.UnixMicro(), 10))
}

func (l *Ledger) rest(ctx context.Context, a Announced, until string) (bool, error) {
	n, err := restScript.of(l).Run(ctx, l.redis, []string{lanesKey}, a.Customer, a.stamp, until, longestRest.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("postpone a lane: %w", err)
	}
	return n == 1, nil
}

// Announcement is what the workers are told of a customer.
type Announcement struct {
	Customer string
	// Changed: not that it has work, but that something may forbid or allow its
	// calls since, such as a pause.
	Changed bool
}

// changed marks a message that is no announcement of work.
const changed = " changed"

// announcementsAhead is how many announcements may wait to be heard.
const announcementsAhead = 256

// Announcements delivers announcements as they are made, until ctx ends. The
// channel misses what is announced while Redis is out of reach: Announced has
// all customers with work.
func (l *Ledger) Announcements(ctx context.Context) <-chan Announcement {
	return listen(ctx, l, lanesChannel, announcementsAhead, announcement)
}

// quietFor is after how long without a message a subscription sees whether Redis still
// answers. What is missed meanwhile is read from keys within seconds.
const quietFor = 15 * time.Second

// listen delivers what is published on a channel until ctx ends; as many messages as ahead
// may wait to be heard. One that makes read panic is left out.
func listen[T any](ctx context.Context, l *Ledger, channel string, ahead int, read func(message string) T) <-chan T {
	subscription := l.redis.Subscribe(ctx, channel)
	out := make(chan T, ahead)
	go func() {
		defer close(out)
		defer func() { _ = subscription.Close() }()
		messages := subscription.Channel(redis.WithChannelHealthCheckInterval(quietFor))
		for {
			select {
			case <-ctx.Done():
				return
			case m, ok := <-messages:
				if !ok {
					return
				}
				var heard T
				if panics.Contain(func() error { heard = read(m.Payload); return nil }) != nil {
					continue
				}
				select {
				case out <- heard:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out
}

func announcement(message string) Announcement {
	customer, isChange := strings.CutSuffix(message, changed)
	return Announcement{Customer: customer, Changed: isChange}
}
