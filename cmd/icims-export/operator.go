package main

import (
	"context"
	"errors"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
)

// operator is what commands need that look into the ledger of running workers.
type operator struct {
	p      *process
	redis  redis.UniversalClient
	ledger *store.Ledger
	sealed bool // no keyset was given: stories and data stay closed
}

// openOperator connects to the Redis of the workers. Without needKeys a missing
// keyset is no error; with them it has to be the store's.
func openOperator(ctx context.Context, p *process, needKeys bool) (*operator, func(), error) {
	o, closeRedis, err := openUnchecked(ctx, p, needKeys)
	if err != nil || !needKeys {
		return o, closeRedis, err
	}
	if err := checkKeyset(ctx, o.ledger, p.settings); err != nil {
		closeRedis()
		return nil, nil, err
	}
	return o, closeRedis, nil
}

// openUnchecked connects with whatever keyset there is.
func openUnchecked(ctx context.Context, p *process, needKeys bool) (*operator, func(), error) {
	if p.settings.RedisURL.Embedded() {
		return nil, nil, misused("an embedded Redis keeps nothing that could be looked at: set ICIMS_EXPORT_REDIS_URL to the Redis of the workers")
	}
	o := &operator{p: p}
	var keys *store.Keyset
	if o.sealed = p.settings.Keyset == "" && !needKeys; !o.sealed {
		var err error
		if keys, err = readKeyset(p.settings); err != nil {
			return nil, nil, err
		}
	}
	client, closeRedis, err := openRedis(ctx, p.settings)
	if err != nil {
		return nil, nil, err
	}
	o.redis, o.ledger = client, newLedger(client, keys, p.settings)
	return o, closeRedis, nil
}

// customers are the one that was named, or all.
func (o *operator) customers(ctx context.Context, named string) ([]string, error) {
	if named != "" {
		return []string{named}, nil
	}
	all, err := o.ledger.Customers(ctx)
	if err != nil {
		return nil, o.lost(err)
	}
	slices.SortFunc(all, byCustomer)
	return all, nil
}

// lost ends a command that could not go on.
func (o *operator) lost(err error) error {
	return failed("the ledger cannot be read (%s): see whether Redis is well and ICIMS_EXPORT_KEYSET is the workers' keyset", rootCause(err))
}

// links are those of a customer's connection, where one is set and readable: what
// is shown is worth showing without.
func (p *process) links(ctx context.Context, ledger *store.Ledger, customer string) links {
	conn, ok := p.connection(ctx, ledger, customer)
	if !ok {
		return links{}
	}
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return links{}
	}
	return linksOf(conn, hosts)
}

// connection is a customer's connection, where one is set and readable: the store's,
// or that of the file.
func (p *process) connection(ctx context.Context, ledger *store.Ledger, customer string) (store.Connection, bool) {
	stored, err := ledger.Connection(ctx, customer)
	if errors.Is(err, store.ErrNoConnection) {
		return p.filedConnection(customer)
	}
	return stored.WithDefaults(), err == nil && stored.Below().Kept()
}

// filedConnection is the one in the file of connections, where it is set and
// readable.
func (p *process) filedConnection(customer string) (store.Connection, bool) {
	hosts, err := hostPolicy(p.settings)
	if err != nil || p.settings.Connections == "" {
		return store.Connection{}, false
	}
	conns, err := readConnections(p.settings, hosts, p.lookupEnv)
	if err != nil {
		return store.Connection{}, false
	}
	return conns.of(customer)
}

// whoIs names the person at the command line.
func whoIs(named string) string {
	if named != "" {
		return named
	}
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// parseSince reads a point in time: a time, a day, or how long ago it was.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, misused("--since %q is no time: write how long ago, such as 24h or 7d, or a time such as 2026-11-22T15:04:05Z", text)
}

// grouped renders a number with commas between thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural is "1 dead letter", "2 dead letters".
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return grouped(n) + " " + thing
}
