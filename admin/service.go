package admin

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

// Service is the admin service: everything that the CLI, API and console show and change.
type Service struct {
	Redis  redis.UniversalClient
	Ledger *store.Ledger
	// Writes reports whether Redis accepts writes; nil tests it with a write each time.
	Writes *store.WriteProbe
	// Closed means that there are no sealing keys, so that timelines, reasons and data cannot be
	// read.
	Closed bool
	Hosts  icims.HostPolicy
	// DummyDomain is the domain of generated email addresses.
	DummyDomain string
	// TaskRetention is how long asynq keeps completed tasks.
	TaskRetention time.Duration
	// Filed returns the usable connections of the connections file; nil if there is no file or it
	// cannot be read.
	Filed func() map[string]store.Connection
	// Jobs lists customers' jobs. It needs the sealing keys.
	Jobs *jobs.Lister
}

// NewLister returns a lister of customers' jobs.
func (d *Service) NewLister(settings jobs.Settings, now func() time.Time) *jobs.Lister {
	return &jobs.Lister{Ledger: d.Ledger, Hosts: d.Hosts, Settings: settings, Now: now, Request: d.RequestControl, Filed: func(customer string) (store.Connection, bool) {
		conn, ok := d.filed()[customer]
		return conn, ok
	}}
}

// Customers returns the named customer, or all in numeric order.
func (d *Service) Customers(ctx context.Context, named string) ([]string, error) {
	if named != "" {
		return []string{named}, nil
	}
	all, err := d.Ledger.Workers.Customers(ctx)
	slices.SortFunc(all, store.CompareCustomers)
	return all, err
}

// UnknownCustomerError means that a customer has no batch, pause or connection.
type UnknownCustomerError struct{ Customer string }

func (e *UnknownCustomerError) Error() string {
	return fmt.Sprintf("unknown customer %s: no connection and no batches; check the ID", e.Customer)
}

// Known returns an *UnknownCustomerError for a customer without a batch, pause or connection.
func (d *Service) Known(ctx context.Context, customer string) error {
	if _, filed := d.filed()[customer]; filed {
		return nil
	}
	known, err := d.Ledger.Workers.KnowsCustomer(ctx, customer)
	if err == nil && !known {
		err = &UnknownCustomerError{customer}
	}
	return err
}

// Connection returns a customer's readable connection, from the store or the connections file.
func (d *Service) Connection(ctx context.Context, customer string) (store.Connection, bool) {
	stored, err := d.Ledger.Connections.Get(ctx, customer)
	if errors.Is(err, store.ErrNoConnection) {
		conn, ok := d.filed()[customer]
		if ok {
			conn, _ = d.Ledger.Connections.WithProfile(ctx, conn) // unknown before its first verification
		}
		return conn, ok
	}
	return stored.WithDefaults(), err == nil && stored.Below().Kept()
}

func (d *Service) filed() map[string]store.Connection {
	if d.Filed == nil {
		return nil
	}
	return d.Filed()
}

// Links returns the links into a customer's iCIMS; none without a usable connection.
func (d *Service) Links(ctx context.Context, customer string) Links {
	conn, ok := d.Connection(ctx, customer)
	if !ok {
		return Links{}
	}
	return LinksOf(conn, d.Hosts)
}

// limits returns the limits of the customer's connection, or the defaults.
func (d *Service) limits(ctx context.Context, customer string) store.Limits {
	conn, _ := d.Connection(ctx, customer)
	return conn.Limits.Or(store.DefaultLimits())
}
