package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/internal/panics"
)

const (
	// connectionPage is how many connections are read in one round trip.
	connectionPage = 250
	// connectionPatience is the timeout for a page, so that a hanging cluster node does not block
	// the results of the others.
	connectionPatience = 5 * time.Second
)

// UnreadError means the connections of some customers could not be read, for example because a
// cluster node is unreachable. The other connections are valid.
type UnreadError struct {
	Customers []string
	cause     error
}

func (e *UnreadError) Error() string {
	if len(e.Customers) == 1 {
		return fmt.Sprintf("the connection of customer %s cannot be read: %v", e.Customers[0], e.cause)
	}
	return fmt.Sprintf("the connections of %d customers cannot be read: %v", len(e.Customers), e.cause)
}

func (e *UnreadError) Unwrap() error { return e.cause }

// All reads all connections in the store, including removed ones, ordered by customer.
// Connections that this keyset cannot open are marked as sealed. With *UnreadError it returns the
// connections that could be read.
func (l *Connections) All(ctx context.Context) ([]StoredConnection, error) {
	customers, err := l.redis.ZRange(ctx, connectionsKey, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	found, err := l.Connections.GetAll(ctx, customers...)
	all := make([]StoredConnection, 0, len(found))
	for _, c := range found {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y StoredConnection) int { return CompareCustomers(x.Customer, y.Customer) })
	return all, err
}

// GetAll reads the connections of customers. The result leaves out customers without a
// connection, and those listed in *UnreadError.
func (l *Connections) GetAll(ctx context.Context, customers ...string) (map[string]StoredConnection, error) {
	// Read each node separately: if one times out, go-redis drops the replies of the others.
	nodes := map[*redis.Client][]string{}
	for _, customer := range customers {
		node := l.nodeOf(ctx, connectionKey(customer))
		nodes[node] = append(nodes[node], customer)
	}
	var (
		mu     sync.Mutex
		found  = make(map[string]StoredConnection, len(customers))
		unread *UnreadError
		all    sync.WaitGroup
	)
	for _, customers := range nodes {
		all.Go(func() {
			var read map[string]StoredConnection
			rest := customers
			err := panics.Contain(func() (err error) {
				read, rest, err = l.connectionsOfNode(ctx, customers)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(found, read)
			if err == nil {
				return
			}
			if unread == nil {
				unread = &UnreadError{cause: err}
			}
			unread.Customers = append(unread.Customers, rest...)
		})
	}
	all.Wait()
	if unread != nil {
		return found, unread
	}
	return found, nil
}

// connectionsOfNode reads page by page. With an error it returns the connections found and the
// customers it did not read.
func (l *base) connectionsOfNode(ctx context.Context, customers []string) (found map[string]StoredConnection, rest []string, err error) {
	found = make(map[string]StoredConnection, len(customers))
	for from := 0; from < len(customers); from += connectionPage {
		page := customers[from:min(from+connectionPage, len(customers))]
		if err := l.connectionPage(ctx, page, found); err != nil {
			return found, customers[from:], err
		}
	}
	return found, nil, nil
}

func (l *base) connectionPage(ctx context.Context, page []string, found map[string]StoredConnection) error {
	ctx, cancel := context.WithTimeout(ctx, connectionPatience)
	defer cancel()
	documents, pauses := make([]*redis.MapStringStringCmd, len(page)), make([]*redis.MapStringStringCmd, len(page))
	profiles := make([]*redis.StringCmd, len(page))
	seen := make([]int64, len(page))
	for i, customer := range page {
		seen[i] = l.connections.after(customer, 0)
	}
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, customer := range page {
			documents[i], pauses[i] = p.HGetAll(ctx, connectionKey(customer)), p.HGetAll(ctx, pauseKey(customer))
			profiles[i] = p.Get(ctx, profileKey(customer))
		}
		return nil
	})
	if err != nil && !Broken(err) && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("read connections: %w", err)
	}
	inForce := make([]*Pause, len(page))
	var now time.Time // read only if a pause has an end
	for i, customer := range page {
		inForce[i] = l.readPause(customer, pauses[i].Val())
		if inForce[i] == nil || inForce[i].Until.IsZero() {
			continue
		}
		if now.IsZero() {
			if now, err = l.nowAt(ctx, pauseKey(customer)); err != nil {
				return err
			}
		}
		if inForce[i].Over(now) {
			inForce[i] = nil
		}
	}
	for i, customer := range page {
		if broken := errors.Join(documents[i].Err(), pauses[i].Err()); broken != nil {
			if !Broken(documents[i].Err()) && !Broken(pauses[i].Err()) {
				return fmt.Errorf("read connections: %w", broken)
			}
			// The other connections are valid. This customer's exports wait for a repair.
			found[customer] = StoredConnection{
				Connection: Connection{Customer: customer}, State: ConnectionNew, base: ConnectionNew, Sealed: true, Forged: true,
			}
			continue
		}
		fields := documents[i].Val()
		if len(fields) == 0 {
			continue
		}
		c := l.readConnection(customer, fields, inForce[i], seen[i])
		if !c.Sealed && c.base.Kept() {
			// An unreadable profile only costs extra calls.
			c.Profile = l.keys.ProfileFor(c.Connection, l.openProfile(customer, profiles[i].Val()))
		}
		found[customer] = c
	}
	return nil
}
