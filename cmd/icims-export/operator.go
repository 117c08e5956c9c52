package main

import (
	"context"
	"errors"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

// operator has what commands need that read or change the workers' data.
type operator struct {
	*admin.Service
	p *process
}

// openOperator connects to the workers' Redis. Without needKeys the keyset may be missing;
// otherwise it must be the store's.
func openOperator(ctx context.Context, p *process, needKeys bool) (*operator, func(), error) {
	o, closeRedis, err := openAnyKeyset(ctx, p, needKeys)
	if err != nil || !needKeys {
		return o, closeRedis, err
	}
	if err := checkKeyset(ctx, o.Ledger, p.settings); err != nil {
		closeRedis()
		return nil, nil, err
	}
	return o, closeRedis, nil
}

// openAnyKeyset connects with any keyset.
func openAnyKeyset(ctx context.Context, p *process, needKeys bool) (*operator, func(), error) {
	if p.settings.RedisURL.Embedded() {
		return nil, nil, usageError("this command cannot use the embedded Redis, which is empty: set ICIMS_EXPORT_REDIS_URL to the Redis of the workers")
	}
	var keys *store.Keyset
	if p.settings.Keyset != "" || needKeys {
		var err error
		if keys, err = readKeyset(p.settings, p.warn); err != nil {
			return nil, nil, err
		}
	}
	client, closeRedis, err := openRedis(ctx, p.settings, p.warn)
	if err != nil {
		return nil, nil, err
	}
	ledger := newLedger(client, keys, p.settings)
	if needKeys { // the command may write
		if err := checkRights(ctx, ledger, p.settings); err != nil {
			closeRedis()
			return nil, nil, err
		}
	}
	return &operator{p.service(client, ledger, keys == nil), p}, closeRedis, nil
}

// service returns the admin service. closed means that there are no sealing keys.
func (p *process) service(client redis.UniversalClient, ledger *store.Ledger, closed bool) *admin.Service {
	hosts, _ := hostPolicy(p.settings) // without a policy there are no links
	d := admin.New(admin.Config{
		Redis: client, Ledger: ledger, Closed: closed, Hosts: hosts, DummyDomain: p.settings.DummyEmailDomain, TaskRetention: p.settings.TaskRetention, Filed: p.filed(zerolog.Nop()).usable,
	})
	d.Jobs = d.JobLists.NewLister(jobsSettings(p.settings), time.Now)
	return d
}

// known returns an error for an unknown customer.
func (o *operator) known(ctx context.Context, customer string) error {
	err := o.Known(ctx, customer)
	if unknown, ok := errors.AsType[*admin.UnknownCustomerError](err); ok {
		return failed("%v", unknown)
	}
	if err != nil {
		return o.lost(err)
	}
	return nil
}

// customers returns the named customer, or all. An unknown customer is an error.
func (o *operator) customers(ctx context.Context, named string) ([]string, error) {
	if named != "" {
		if err := o.known(ctx, named); err != nil {
			return nil, err
		}
	}
	all, err := o.Customers(ctx, named)
	if err != nil {
		return nil, o.lost(err)
	}
	return all, nil
}

// lost explains an error that stopped the command.
func (o *operator) lost(err error) error {
	if isRedis(err) {
		return redisFailed(o.p.settings, err)
	}
	return failed("the ledger cannot be read (%s): check Redis, and that ICIMS_EXPORT_KEYSET is the workers' keyset", rootCause(err))
}

// whoIs returns the name of the user at the command line.
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

// parseSince parses a point in time: a time, a day or a duration ago.
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
	return time.Time{}, usageError("--since %q is not a time: use a duration such as 24h or 7d, or a time such as 2026-11-22T15:04:05Z", text)
}
