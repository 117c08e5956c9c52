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

// Service is the admin service: everything that the CLI, API and console show and change. Its fields
// are its parts by subject.
type Service struct{ *base }

// The parts of the service.
type (
	// DeadLetters lists, explains, retries, transfers and discards dead letters.
	DeadLetters struct{ *base }
	// Connections shows and changes customers' connections.
	Connections struct{ *base }
	// Lanes shows what each customer's exports wait for, and pauses customers.
	Lanes struct{ *base }
	// ControlTasks requests verifications, job lists and read-backs.
	ControlTasks struct{ *base }
	// Forecasts estimates when batches end.
	Forecasts struct{ *base }
	// JobLists looks jobs up in the cached lists.
	JobLists struct{ *base }
)

// Config configures a Service.
type Config struct {
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

// base is what the parts share.
type base struct {
	Config

	DeadLetters  *DeadLetters
	Connections  *Connections
	Lanes        *Lanes
	ControlTasks *ControlTasks
	Forecasts    *Forecasts
	JobLists     *JobLists
}

// New returns a service.
func New(c Config) *Service {
	b := &base{Config: c}
	b.DeadLetters, b.Connections, b.Lanes = &DeadLetters{b}, &Connections{b}, &Lanes{b}
	b.ControlTasks, b.Forecasts, b.JobLists = &ControlTasks{b}, &Forecasts{b}, &JobLists{b}
	return &Service{b}
}

// NewLister returns a lister of customers' jobs.
func (d *JobLists) NewLister(settings jobs.Settings, now func() time.Time) *jobs.Lister {
	return &jobs.Lister{Ledger: d.Ledger, Hosts: d.Hosts, Settings: settings, Now: now, Request: d.ControlTasks.Request, Filed: func(customer string) (store.Connection, bool) {
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

// Get returns a customer's readable connection, from the store or the connections file.
func (d *Connections) Get(ctx context.Context, customer string) (store.Connection, bool) {
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

func (d *base) filed() map[string]store.Connection {
	if d.Filed == nil {
		return nil
	}
	return d.Filed()
}

// Links returns the links into a customer's iCIMS; none without a usable connection.
func (d *Connections) Links(ctx context.Context, customer string) Links {
	conn, ok := d.Connections.Get(ctx, customer)
	if !ok {
		return Links{}
	}
	return LinksOf(conn, d.Hosts)
}

// limits returns the limits of the customer's connection, or the defaults.
func (d *base) limits(ctx context.Context, customer string) store.Limits {
	conn, _ := d.Connections.Get(ctx, customer)
	return conn.Limits.Or(store.DefaultLimits())
}
