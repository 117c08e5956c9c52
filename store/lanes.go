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

// Producers announce customers with new work, so that workers need not poll all customers. The list
// holds every customer with exports in progress, by when it next wants a lane: now if work was
// announced, later if all of it waits.

// maxLaneDelay limits how far a customer's next lane is postponed. Work that arrives without an
// announcement waits at most this long.
const maxLaneDelay = 10 * time.Minute

var (
	announceScript = loadEssentialFleetScript("announce")
	postponeScript = loadEssentialFleetScript("postpone_lane")
)

// Announce notifies the workers that the customer has work.
func (l *Lanes) Announce(ctx context.Context, customer string) error {
	return l.announce(ctx, customer, false)
}

// Wake makes a waiting customer want its lane now, because the reason for waiting may be gone. It
// has no effect on a customer without work.
func (l *Lanes) Wake(ctx context.Context, customer string) error {
	return l.announce(ctx, customer, true)
}

func (l *base) announce(ctx context.Context, customer string, listedOnly bool) error {
	n, err := announceScript.of(l).Run(ctx, l.redis, []string{lanesKey}, customer, flag(listedOnly)).Int()
	if err != nil {
		return fmt.Errorf("announce work: %w", err)
	}
	if n == 1 {
		l.publish(ctx, lanesChannel, customer)
	}
	return nil
}

// publishChange makes workers check whether a customer's lane must close.
func (l *base) publishChange(ctx context.Context, customer string) {
	l.publish(ctx, lanesChannel, customer+changed)
}

// publish sends a message through the cluster node that holds the list, whose key is part of the
// channel's name. go-redis would use any node, including one that hangs.
//
// Messages are hints: a worker that misses one reads the same from a key within seconds. So a
// failure to send is not an error. It is reported once, until sending works again.
func (l *base) publish(ctx context.Context, channel, message string) {
	cmd := redis.NewIntCmd(ctx, "publish", channel, message)
	cmd.SetFirstKeyPos(1)
	err := l.redis.Process(ctx, cmd)
	if failedBefore := l.publishFails.Swap(err != nil); err != nil && !failedBefore && l.onPublishError != nil {
		l.onPublishError(fmt.Errorf("publish on %s: %w", channel, err))
	}
}

// Announced is a customer with work, as listed.
type Announced struct {
	Customer string
	// Wants is when it next wants a lane, by the Redis clock. A time in the past means now.
	Wants time.Time
	stamp int64 // its score (µs); each announcement sets a different one
}

// Announced lists all customers with work, longest-waiting first.
func (l *Lanes) Announced(ctx context.Context) ([]Announced, error) {
	return l.listed(ctx, "+inf")
}

// Wanted lists the customers that want a lane before a time of the Redis clock.
func (l *Lanes) Wanted(ctx context.Context, by time.Time) ([]Announced, error) {
	return l.listed(ctx, strconv.FormatInt(by.UnixMicro(), 10))
}

func (l *base) listed(ctx context.Context, by string) ([]Announced, error) {
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

// AnnouncedOf reads the entries of customers, to pass them to Rest and Withdraw. The result leaves
// out customers that are not listed.
func (l *Lanes) AnnouncedOf(ctx context.Context, customers ...string) (map[string]Announced, error) {
	listed := make(map[string]Announced, len(customers))
	if len(customers) == 0 {
		return listed, nil
	}
	scores, err := l.redis.ZMScore(ctx, lanesKey, customers...).Result()
	if err != nil {
		return nil, fmt.Errorf("read announced lanes: %w", err)
	}
	for i, score := range scores {
		if score != 0 { // go-redis returns 0 for a missing member
			listed[customers[i]] = announcedAt(customers[i], score)
		}
	}
	return listed, nil
}

// Withdraw removes a customer whose work is done from the list, unless it was announced again.
func (l *Lanes) Withdraw(ctx context.Context, a Announced) (bool, error) {
	return l.updateLane(ctx, a, "")
}

// Postpone postpones the next lane of a customer whose work waits, by ten minutes at most, unless it
// was announced again.
func (l *Lanes) Postpone(ctx context.Context, a Announced, until time.Time) (bool, error) {
	return l.updateLane(ctx, a, strconv.FormatInt(until.UnixMicro(), 10))
}

func (l *base) updateLane(ctx context.Context, a Announced, until string) (bool, error) {
	n, err := postponeScript.of(l).Run(ctx, l.redis, []string{lanesKey}, a.Customer, a.stamp, until, maxLaneDelay.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("postpone a lane: %w", err)
	}
	return n == 1, nil
}

// Announcement is a message about a customer.
type Announcement struct {
	Customer string
	// Changed means there may be no new work, but something may permit or forbid calls, such as a
	// pause.
	Changed bool
}

// changed marks a message that does not announce work.
const changed = " changed"

// announcementsAhead is how many announcements may be buffered.
const announcementsAhead = 256

// Announcements delivers announcements until ctx ends. It misses those sent while Redis is
// unreachable: use Announced to list all customers with work.
func (l *Lanes) Announcements(ctx context.Context) <-chan Announcement {
	return listen(ctx, l.base, lanesChannel, announcementsAhead, announcement)
}

// subscriptionCheck is how long a subscription waits without a message before it checks that Redis
// still answers. Missed messages are read from keys within seconds.
const subscriptionCheck = 15 * time.Second

// listen delivers messages of a channel until ctx ends, and buffers up to ahead of them. It drops a
// message that makes read panic.
func listen[T any](ctx context.Context, l *base, channel string, ahead int, read func(message string) T) <-chan T {
	subscription := l.redis.Subscribe(ctx, channel)
	out := make(chan T, ahead)
	go func() {
		defer close(out)
		defer func() { _ = subscription.Close() }()
		messages := subscription.Channel(redis.WithChannelHealthCheckInterval(subscriptionCheck))
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
