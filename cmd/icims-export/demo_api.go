package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/api/console"
	checks "github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker"
)

// demoFresh is a customer of the simulator without a connection. Readers of docs/api.md add it.
const demoFresh = "5678"

// followConnections makes the worker follow changes of stored connections, until the returned
// function is called.
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

// demoListener listens on serve's default address, or on any port if that is taken.
func demoListener(ctx context.Context) (net.Listener, error) {
	var listen net.ListenConfig
	if l, err := listen.Listen(ctx, "tcp", "127.0.0.1:8080"); err == nil {
		return l, nil
	}
	return listen.Listen(ctx, "tcp", "127.0.0.1:0") //nolint:wrapcheck // the caller does
}

// demoStop is the time limit for open requests after the demo is stopped.
const demoStop = 3 * time.Second

// serve serves the API and the console with the demo's data until the context ends.
func (d *demo) serve(ctx context.Context, hosts icims.HostPolicy, origin string, options ...tasks.ClientOption) error {
	service := d.p.service(d.redis, d.ledger, false)
	service.Hosts, service.Filed = hosts, nil
	server, err := newAPI(service, d.p.settings, hosts, d.p.logger(zerolog.WarnLevel), options...)
	if err != nil {
		return err
	}
	closeConsole, err := mountConsole(server, console.DefaultIdle, d.p.logger(zerolog.WarnLevel))
	if err != nil {
		server.Close()
		return err
	}
	defer closeConsole()
	d.seen.countAPI(server)
	listener, err := demoListener(ctx)
	if err != nil {
		server.Close()
		return failed("no free port for the demo's API (%s)", rootCause(err))
	}
	_, token, err := d.ledger.Access.NewAPIKey(ctx, store.APIKey{Name: "demo", Scopes: []string{string(api.ScopeAdmin)}, By: "the demo"}, time.Now())
	if err != nil {
		_ = listener.Close()
		server.Close()
		return demoFailed(ctx, err)
	}
	d.seen.serve(ctx, d.health)
	d.welcome(originOf(listener.Addr()), token, origin)
	if err := server.Serve(ctx, listener, nil, demoStop); err != nil {
		return failed("the API failed: %s", rootCause(err))
	}
	return nil
}

// welcome prints the addresses and the API key.
func (d *demo) welcome(address, token, origin string) {
	out := d.p.stdout
	d.p.sayf("\nThe HTTP API and a worker run until Ctrl-C. To follow docs/api.md, set:")
	fmt.Fprintf(out, "\n  export API=%s KEY=%s\n  export ICIMS=%s\n  curl -H \"Authorization: Bearer $KEY\" $API/v1/customers/%s/batches\n\n", address, token, origin, demoCustomer)
	d.p.sayf("The simulated iCIMS has a second customer, %s, without a connection: user %s, password %s,\nportal %s/customers/%s/search/portals/1. Metrics: http://%s/metrics.",
		demoFresh, demoUser, demoPassword, origin, demoFresh, d.seen.listener.Addr())
	heading := style{d.p.colours(out)}.paint(bold, "Console: open the address and log in with the key.")
	fmt.Fprintf(out, "\n%s\n\n  address  %s\n  key      %s\n\n", heading, address, token)
}
