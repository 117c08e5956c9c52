package operate

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// ConnectionView is a connection as it is shown: without its password.
type ConnectionView struct {
	store.StoredConnection

	// Filed: the store knows none of the customer, and this is that of the file of
	// connections.
	Filed   bool     `json:"filed,omitempty"`
	Region  string   `json:"region,omitempty"`
	Portals []string `json:"portals,omitempty"`
	// Problem is what is wrong with its settings, here and now.
	Problem string                  `json:"problem,omitempty"`
	History []store.ConnectionEvent `json:"history,omitempty"`
}

// ViewConnection shows a stored connection.
func ViewConnection(c store.StoredConnection, hosts icims.HostPolicy) ConnectionView {
	v := ConnectionView{StoredConnection: c}
	if !c.Sealed && c.Below().Kept() {
		v.addSettings(hosts)
	}
	return v
}

func (d *Desk) viewFiled(c store.Connection) ConnectionView {
	v := ConnectionView{StoredConnection: store.StoredConnection{Connection: c, State: store.ConnectionAbsent}, Filed: true}
	v.addSettings(d.Hosts)
	return v
}

// Settled reports whether there are settings that can be read.
func (v ConnectionView) Settled() bool { return v.Filed || !v.Sealed && v.Below().Kept() }

// addSettings shows what the settings lead to, and takes the password out.
func (v *ConnectionView) addSettings(hosts icims.HostPolicy) {
	c := v.Connection
	v.Region = connections.Region(c, hosts)
	if portals, err := icims.ParsePortalURLs(c.PortalURLs, hosts); err == nil {
		for _, portal := range portals {
			v.Portals = append(v.Portals, portal.String())
		}
	}
	if err := connections.Check(c, hosts); err != nil {
		v.Problem = err.Error()
	}
	v.Password = ""
}

// ShowConnection shows a customer's connection: that of the store, or of the file where
// the store knows none. Error: store.ErrNoConnection.
func (d *Desk) ShowConnection(ctx context.Context, customer string) (ConnectionView, error) {
	c, err := d.Ledger.Connection(ctx, customer)
	if errors.Is(err, store.ErrNoConnection) {
		if filed, ok := d.filed()[customer]; ok {
			if filed, err = d.Ledger.WithProfile(ctx, filed); err != nil {
				return ConnectionView{}, err
			}
			return d.viewFiled(filed), nil
		}
	}
	if err != nil && !errors.Is(err, store.ErrSealed) {
		return ConnectionView{}, err
	}
	return ViewConnection(c, d.Hosts), nil
}

// AddConnection enters a customer's connection. Errors: *connections.InvalidError, and
// store.ErrConnectionExists with the one there is.
func (d *Desk) AddConnection(ctx context.Context, c store.Connection, who, why string) (store.StoredConnection, error) {
	if err := connections.Check(c, d.Hosts); err != nil {
		return store.StoredConnection{}, err
	}
	return d.Ledger.AddConnection(ctx, c, who, why)
}

// EditConnection replaces the settings of a connection as it was read; a blank password
// keeps the old one. Errors: *connections.InvalidError, *store.ConnectionChangedError
// and those of the ledger.
func (d *Desk) EditConnection(ctx context.Context, before store.StoredConnection, after store.Connection, who, why string) (store.StoredConnection, error) {
	if err := connections.CheckEdit(before.Connection, after, d.Hosts); err != nil {
		return before, err
	}
	return d.Ledger.EditConnection(ctx, after, before.Revision, who, why)
}

// RemovalOrder says how a connection is removed.
type RemovalOrder struct {
	Who, Why string
	// Revision is the one that may be removed; 0 for any.
	Revision int64
	// CancelExports cancels what waits; else it is kept until there is a connection
	// again.
	CancelExports bool
	// EraseMarkers forgets who was exported, so that they would be sent again.
	EraseMarkers bool
	// Patience is how long to wait for exports in the middle of their calls.
	Patience time.Duration
	// DryRun only tells what would be done.
	DryRun bool
}

// Removal is what was done.
type Removal struct {
	Customer string              `json:"customer" doc:"iCIMS's customer ID."`
	DryRun   bool                `json:"dry_run,omitempty" doc:"Nothing was changed."`
	Waiting  int64               `json:"waiting" doc:"Waiting exports that are kept."`
	Exports  *store.Cancellation `json:"exports,omitempty" doc:"The canceled exports, if any."`
	Markers  *int                `json:"markers_erased,omitempty" doc:"Erased records of exported candidates."`
}

// RemoveConnection removes a customer's connection. One that is removed already is no
// error, so that a removal that broke off can be repeated. Errors:
// store.ErrNoConnection, *store.ConnectionChangedError, *BrokenOffError,
// *UnrecordedError.
func (d *Desk) RemoveConnection(ctx context.Context, customer string, o RemovalOrder) (Removal, error) {
	r := Removal{Customer: customer, DryRun: o.DryRun}
	if err := d.removeSettings(ctx, customer, o); err != nil {
		return r, err
	}
	if o.CancelExports {
		options := store.CancelOptions{Who: o.Who, Why: o.Why, DryRun: o.DryRun}
		done, err := d.Cancel(ctx, CancelScope{Customer: customer}, options, o.Patience)
		r.Exports = &done
		if err != nil {
			return r, err
		}
	}
	if o.EraseMarkers && !o.DryRun {
		n, err := d.eraseMarkers(ctx, customer, o.Who, o.Why)
		r.Markers = &n
		if err != nil {
			return r, err
		}
	}
	var err error
	r.Waiting, err = d.Ledger.Live(ctx, customer)
	return r, err
}

func (d *Desk) removeSettings(ctx context.Context, customer string, o RemovalOrder) error {
	before, err := d.Ledger.Connection(ctx, customer)
	switch {
	case err != nil && !errors.Is(err, store.ErrSealed):
		return err
	case o.DryRun && o.Revision != 0 && o.Revision != before.Revision:
		return &store.ConnectionChangedError{Customer: customer, Revision: before.Revision}
	case !before.Below().Kept() || o.DryRun:
		return nil
	}
	return d.Ledger.RemoveConnection(ctx, customer, o.Revision, o.Who, o.Why)
}

func (d *Desk) eraseMarkers(ctx context.Context, customer, who, why string) (int, error) {
	n, err := d.Ledger.EraseMarkers(ctx, customer)
	if err == nil {
		err = d.Ledger.Act(context.WithoutCancel(ctx), customer, store.Action{At: time.Now(), Who: who, What: "erased the records of exported candidates", Why: why, Count: n})
	}
	if err != nil {
		return n, &BrokenOffError{Done: n, Thing: "marker", Err: err}
	}
	return n, nil
}
