package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/api"
	checks "github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker"
)

// demoFresh is a customer of the simulated iCIMS whose connection is not entered yet,
// for whoever follows docs/api.md.
const demoFresh = "5678"

// followConnections lets the worker take up the store's connections as they change.
// The returned function ends that.
func followConnections(ctx context.Context, ledger *store.Ledger, hosts icims.HostPolicy, log zerolog.Logger, w *worker.Worker) (func(), error) {
	source := checks.NewSource(ledger, hosts, log, w.SetConnections)
	if err := source.Load(ctx); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { source.Run(ctx, nil) })
	return func() { stop(); running.Wait() }, nil
}

// demoStop is how long requests have to end once the demo is stopped.
const demoStop = 3 * time.Second

// serve offers the API over what the demo has left, until the context ends.
func (d *demo) serve(ctx context.Context, hosts icims.HostPolicy, origin string, options ...tasks.ClientOption) error {
	desk := d.p.desk(d.redis, d.ledger, false)
	desk.Hosts, desk.Filed = hosts, nil
	server, err := newAPI(desk, d.p.settings, hosts, d.p.logger(zerolog.WarnLevel), options...)
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		server.Close()
		return failed("the demo found no free port for its API (%s)", rootCause(err))
	}
	_, token, err := d.ledger.NewAPIKey(ctx, store.APIKey{Name: "demo", Scopes: []string{string(api.ScopeAdmin)}, By: "the demo"}, time.Now())
	if err != nil {
		_ = listener.Close()
		server.Close()
		return demoFailed(ctx, err)
	}
	d.p.sayf("\nThe HTTP API answers until Ctrl-C, with a worker behind it; docs/api.md walks through it. Its address and a key that may do everything:")
	fmt.Fprintf(d.p.stdout, "\n  export API=%s KEY=%s\n  export ICIMS=%s\n", originOf(listener.Addr()), token, origin)
	fmt.Fprintf(d.p.stdout, "  curl -H \"Authorization: Bearer $KEY\" $API/v1/customers/%s/batches\n\n", demoCustomer)
	d.p.sayf("The simulated iCIMS has a second customer, %s, whose connection is not entered yet: user %s, password %s.", demoFresh, demoUser, demoPassword)
	if err := server.Serve(ctx, listener, nil, demoStop); err != nil {
		return failed("the API cannot go on: %s", rootCause(err))
	}
	return nil
}
