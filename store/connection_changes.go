package store

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Workers reload changed connections while they run. A message announces each change. Workers that
// missed it find it in the list of connections, which is ordered by change.

var noteConnectionScript = loadEssentialFleetScript("note_connection")

// noteConnection announces the change of a customer's connection to all workers.
func (l *base) noteConnection(ctx context.Context, customer string) error {
	if err := noteConnectionScript.of(l).Run(ctx, l.redis, []string{connectionsKey}, customer).Err(); err != nil {
		return fmt.Errorf("note changed connection: %w", err)
	}
	l.publish(ctx, connectionsChannel, customer)
	return nil
}

// Changes lists the customers whose connection changed since a mark, in the order of the
// changes, and returns the mark for the next call. Mark 0 lists all customers that ever had a
// connection in the store.
func (l *Connections) Changes(ctx context.Context, since int64) (customers []string, mark int64, err error) {
	found, err := l.redis.ZRangeByScoreWithScores(ctx, connectionsKey, &redis.ZRangeBy{
		Min: "(" + strconv.FormatInt(since, 10), Max: "+inf",
	}).Result()
	if err != nil {
		return nil, since, fmt.Errorf("read changed connections: %w", err)
	}
	mark = since
	customers = make([]string, len(found))
	for i, z := range found {
		customers[i], mark = member(z), int64(z.Score)
	}
	return customers, mark, nil
}

// Announcements delivers the customers whose connection changed, until ctx ends. It
// misses changes while Redis is unreachable; use ConnectionChanges to find those.
func (l *Connections) Announcements(ctx context.Context) <-chan string {
	return listen(ctx, l.base, connectionsChannel, 0, func(customer string) string { return customer })
}

// CompareCustomers orders customer IDs as numbers.
func CompareCustomers(x, y string) int {
	return cmp.Or(len(x)-len(y), strings.Compare(x, y))
}
