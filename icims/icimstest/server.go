package icimstest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

type serverKey struct{}

// Server serves a Simulator over HTTP on a free port of 127.0.0.1.
type Server struct {
	// URL is the API root, for example http://127.0.0.1:8899.
	URL string

	server *http.Server
	stop   context.CancelFunc
	conns  sync.WaitGroup
	served chan struct{}
}

// NewServer starts a server; the caller closes it. It panics if it cannot listen.
func NewServer(s *Simulator) *Server {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic("icimstest: " + err.Error())
	}
	ctx, stop := context.WithCancel(context.Background())
	srv := &Server{URL: "http://" + listener.Addr().String(), stop: stop, served: make(chan struct{})}
	srv.server = HTTPServer(s)
	srv.server.BaseContext = func(net.Listener) context.Context { return context.WithValue(ctx, serverKey{}, ctx) }
	srv.server.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			srv.conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			srv.conns.Done()
		default:
		}
	}
	go func() {
		defer close(srv.served)
		srv.server.Serve(listener)
	}()
	return srv
}

// HTTPServer returns a server for a standalone simulator; the caller listens and shuts down. It
// accepts HTTP/2, to refuse it with 505.
func HTTPServer(s *Simulator) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: s, Protocols: &protocols, ReadHeaderTimeout: 10 * time.Second}
}

// PortalURL returns a job portal's URL in the form customers paste it.
func (srv *Server) PortalURL(customer string, portal int) string {
	return fmt.Sprintf("%s/customers/%s/search/portals/%d?staleness=0", srv.URL, customer, portal)
}

// Close closes all connections and waits for the calls in flight.
func (srv *Server) Close() {
	srv.stop()
	srv.server.Close()
	<-srv.served
	srv.conns.Wait()
}
