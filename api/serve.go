package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

const (
	// headerTime is the time limit for reading request headers.
	headerTime = 10 * time.Second
	// idleTime is how long a connection is kept between requests.
	idleTime = 2 * time.Minute
	// cutOff is how long a stopping server waits for handlers after closing their connections.
	cutOff = 5 * time.Second
)

// Serve serves requests of the listener until the context ends. Then it accepts no more, ends
// streams and waits up to stopTime for other requests. With a certificate it uses TLS. It returns
// nil after an orderly stop.
func (s *Server) Serve(ctx context.Context, listener net.Listener, cert *Certificate, stopTime time.Duration) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		// Each request sets its own deadlines; this applies before that.
		WriteTimeout:   s.Settings.RequestTimeout + writeGrace,
		MaxHeaderBytes: 2 * longestHeaders,
		ErrorLog:       slog.NewLogLogger(zerolog.NewSlogHandler(s.Log), slog.LevelDebug),
	}
	if cert != nil {
		server.TLSConfig = &tls.Config{
			MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert.current.Load(), nil },
		}
	}
	served := make(chan error, 1)
	go func() {
		if cert != nil {
			served <- server.ServeTLS(listener, "", "")
			return
		}
		served <- server.Serve(listener)
	}()
	select {
	case err := <-served:
		s.Close()
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.Close()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	err := server.Shutdown(stopping)
	if err != nil {
		_ = server.Close() // closes remaining connections; their contexts end
		s.awaitHandlers(cutOff)
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", serveErr)
	}
	return nil
}

// awaitHandlers waits until no request is in progress, so that Redis is not closed under a handler.
// It waits up to most.
func (s *Server) awaitHandlers(most time.Duration) {
	const look = 20 * time.Millisecond
	tick := time.NewTicker(look)
	defer tick.Stop()
	for end := time.Now().Add(most); len(s.guards.slots)+len(s.guards.pages) > 0 && time.Now().Before(end); {
		<-tick.C
	}
}

// Certificate is the server's TLS certificate. It can be reloaded while the server runs.
type Certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

// ReadCertificate reads a certificate chain and its private key, both PEM.
func ReadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	return c, c.Reread()
}

// Reread reloads the files. After an error the current certificate stays in use.
func (c *Certificate) Reread() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	c.current.Store(&pair)
	return nil
}
