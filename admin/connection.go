package admin

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// ConnectionView is a connection without its password.
type ConnectionView struct {
	store.StoredConnection

	// Filed means that the connection comes from the connections file; the store has none for this
	// customer.
	Filed   bool     `json:"filed,omitempty"`
	Region  string   `json:"region,omitempty"`
	Portals []string `json:"portals,omitempty"`
	// Problem describes invalid settings.
	Problem string                  `json:"problem,omitempty"`
	History []store.ConnectionEvent `json:"history,omitempty"`
}

// ViewConnection returns a stored connection without its password.
func ViewConnection(c store.StoredConnection, hosts icims.HostPolicy) ConnectionView {
	v := ConnectionView{StoredConnection: c}
	if !c.Sealed && c.Below().Kept() {
		v.addSettings(hosts)
	}
	return v
}

func (d *base) viewFiled(c store.Connection) ConnectionView {
	v := ConnectionView{StoredConnection: store.StoredConnection{Connection: c, State: store.ConnectionAbsent}, Filed: true}
	v.addSettings(d.Hosts)
	return v
}

// Settled reports whether the view has readable settings.
func (v ConnectionView) Settled() bool { return v.Filed || !v.Sealed && v.Below().Kept() }

// addSettings adds what follows from the settings, and removes the password.
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

// Show returns a customer's connection from the store, or from the connections file if
// the store has none. Error: store.ErrNoConnection.
func (d *Connections) Show(ctx context.Context, customer string) (ConnectionView, error) {
	c, err := d.Ledger.Connections.Get(ctx, customer)
	if errors.Is(err, store.ErrNoConnection) {
		if filed, ok := d.filed()[customer]; ok {
			if filed, err = d.Ledger.Connections.WithProfile(ctx, filed); err != nil {
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

// Add stores a customer's connection. Errors: *connections.InvalidError, and
// store.ErrConnectionExists with the existing connection.
func (d *Connections) Add(ctx context.Context, c store.Connection, who, why string) (store.StoredConnection, error) {
	if err := connections.Check(c, d.Hosts); err != nil {
		return store.StoredConnection{}, err
	}
	return d.Ledger.Connections.Add(ctx, c, who, why)
}

// Edit replaces the settings of a connection if it is still at the revision of before. An
// empty password keeps the old one. Errors: *connections.InvalidError,
// *store.ConnectionChangedError and those of the ledger.
func (d *Connections) Edit(ctx context.Context, before store.StoredConnection, after store.Connection, who, why string) (store.StoredConnection, error) {
	if err := connections.CheckEdit(before.Connection, after, d.Hosts); err != nil {
		return before, err
	}
	return d.Ledger.Connections.Edit(ctx, after, before.Revision, who, why)
}

// RemovalOrder says how to remove a connection.
type RemovalOrder struct {
	Who, Why string
	// Revision is the expected revision; 0 for any.
	Revision int64
	// CancelExports cancels waiting exports. Otherwise they are kept until the customer has a
	// connection again.
	CancelExports bool
	// EraseMarkers erases the records of exported candidates, so that they would be exported again.
	EraseMarkers bool
	// Patience is how long to wait for exports in the middle of a call.
	Patience time.Duration
	// DryRun changes nothing.
	DryRun bool
}

// Removal is the result of a removal.
type Removal struct {
	Customer string              `json:"customer" doc:"iCIMS's customer ID."`
	DryRun   bool                `json:"dry_run,omitempty" doc:"Nothing was changed."`
	Waiting  int64               `json:"waiting" doc:"Waiting exports that are kept."`
	Exports  *store.Cancellation `json:"exports,omitempty" doc:"The canceled exports, if any."`
	Markers  *int                `json:"markers_erased,omitempty" doc:"Erased records of exported candidates."`
}

// Remove removes a customer's connection. Removing it again is no error, so an
// interrupted removal can be repeated. Errors: store.ErrNoConnection,
// *store.ConnectionChangedError, *BrokenOffError, *UnrecordedError.
func (d *Connections) Remove(ctx context.Context, customer string, o RemovalOrder) (Removal, error) {
	r := Removal{Customer: customer, DryRun: o.DryRun}
	if err := d.removeSettings(ctx, customer, o); err != nil {
		return r, err
	}
	if o.CancelExports {
		options := store.CancelOptions{Who: o.Who, Why: o.Why, DryRun: o.DryRun}
		done, err := (&Service{d.base}).Cancel(ctx, CancelScope{Customer: customer}, options, o.Patience)
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
	r.Waiting, err = d.Ledger.Recovery.Live(ctx, customer)
	return r, err
}

func (d *base) removeSettings(ctx context.Context, customer string, o RemovalOrder) error {
	before, err := d.Ledger.Connections.Get(ctx, customer)
	switch {
	case err != nil && !errors.Is(err, store.ErrSealed):
		return err
	case o.DryRun && o.Revision != 0 && o.Revision != before.Revision:
		return &store.ConnectionChangedError{Customer: customer, Revision: before.Revision}
	case !before.Below().Kept() || o.DryRun:
		return nil
	}
	return d.Ledger.Connections.Remove(ctx, customer, o.Revision, o.Who, o.Why)
}

func (d *base) eraseMarkers(ctx context.Context, customer, who, why string) (int, error) {
	n, err := d.Ledger.Candidates.EraseMarkers(ctx, customer)
	if err == nil {
		err = d.Ledger.AuditLog.Act(context.WithoutCancel(ctx), customer, store.Action{At: time.Now(), Who: who, What: "erased the records of exported candidates", Why: why, Count: n})
	}
	if err != nil {
		return n, &BrokenOffError{Done: n, Thing: "marker", Err: err}
	}
	return n, nil
}
