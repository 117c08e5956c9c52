package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
)

// Desk is where operators work: the ledger with what else it takes to read it.
type Desk struct {
	Redis  redis.UniversalClient
	Ledger *store.Ledger
	// Writes looks whether Redis takes writes; nil: each look is a write of its own.
	Writes *store.WriteProbe
	// Closed: there are no sealing keys, so that stories, reasons and data stay closed.
	Closed bool
	Hosts  icims.HostPolicy
	// DummyDomain is that of the deployment.
	DummyDomain string
	// TaskRetention is for how long asynq keeps completed tasks.
	TaskRetention time.Duration
	// Filed are the usable connections of the file of connections; nil where none is
	// named or it cannot be read.
	Filed func() map[string]store.Connection
	// Jobs answers about the customers' jobs, and needs the sealing keys.
	Jobs *jobs.Lister
}

// NewLister returns what answers about jobs.
func (d *Desk) NewLister(settings jobs.Settings, now func() time.Time) *jobs.Lister {
	return &jobs.Lister{Ledger: d.Ledger, Hosts: d.Hosts, Settings: settings, Now: now, Request: d.RequestControl, Filed: func(customer string) (store.Connection, bool) {
		conn, ok := d.filed()[customer]
		return conn, ok
	}}
}

// Customers are the one that was named, or all, ordered as numbers.
func (d *Desk) Customers(ctx context.Context, named string) ([]string, error) {
	if named != "" {
		return []string{named}, nil
	}
	all, err := d.Ledger.Customers(ctx)
	slices.SortFunc(all, store.CompareCustomers)
	return all, err
}

// UnknownCustomerError: nothing is known of the customer.
type UnknownCustomerError struct{ Customer string }

func (e *UnknownCustomerError) Error() string {
	return fmt.Sprintf("unknown customer %s: no connection and no batches; check the ID", e.Customer)
}

// Known fails with *UnknownCustomerError for a customer of whom nothing is known: no batch, no
// pause, no connection.
func (d *Desk) Known(ctx context.Context, customer string) error {
	if _, filed := d.filed()[customer]; filed {
		return nil
	}
	known, err := d.Ledger.KnowsCustomer(ctx, customer)
	if err == nil && !known {
		err = &UnknownCustomerError{customer}
	}
	return err
}

// Connection is a customer's connection, where one is there and readable: the
// store's, or that of the file.
func (d *Desk) Connection(ctx context.Context, customer string) (store.Connection, bool) {
	stored, err := d.Ledger.Connection(ctx, customer)
	if errors.Is(err, store.ErrNoConnection) {
		conn, ok := d.filed()[customer]
		if ok {
			conn, _ = d.Ledger.WithProfile(ctx, conn) // without it as before its first verification
		}
		return conn, ok
	}
	return stored.WithDefaults(), err == nil && stored.Below().Kept()
}

func (d *Desk) filed() map[string]store.Connection {
	if d.Filed == nil {
		return nil
	}
	return d.Filed()
}

// Links are those of a customer's connection; none where there is no usable one:
// what is shown is worth showing without.
func (d *Desk) Links(ctx context.Context, customer string) Links {
	conn, ok := d.Connection(ctx, customer)
	if !ok {
		return Links{}
	}
	return LinksOf(conn, d.Hosts)
}

// limits are those of the customer's connection, else those of the standard licence.
func (d *Desk) limits(ctx context.Context, customer string) store.Limits {
	conn, _ := d.Connection(ctx, customer)
	return conn.Limits.Or(store.DefaultLimits())
}
