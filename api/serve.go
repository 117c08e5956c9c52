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
	// headerTime is how long the headers of a request may take.
	headerTime = 10 * time.Second
	// idleTime is for how long a connection is kept between two requests.
	idleTime = 2 * time.Minute
	// cutOff is how long a stopped server waits for handlers whose connections it has cut.
	cutOff = 5 * time.Second
)

// Serve answers requests that come to the listener until the context ends; then it
// takes no more, lets streams end and waits for the rest, as long as stopTime. With a
// certificate it speaks TLS. It returns nil when it was stopped.
func (s *Server) Serve(ctx context.Context, listener net.Listener, cert *Certificate, stopTime time.Duration) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		// Each request sets its own deadlines; this is for what comes before that.
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
		_ = server.Close() // what still runs is cut off; its context ends
		s.awaitHandlers(cutOff)
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", serveErr)
	}
	return nil
}

// awaitHandlers waits until no request is being answered, so that nobody takes Redis
// away from a handler. It waits for so long at most.
func (s *Server) awaitHandlers(most time.Duration) {
	const look = 20 * time.Millisecond
	tick := time.NewTicker(look)
	defer tick.Stop()
	for end := time.Now().Add(most); len(s.guards.places)+len(s.guards.pages) > 0 && time.Now().Before(end); {
		<-tick.C
	}
}

// Certificate is what the server shows of itself. It may be read again while it serves.
type Certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

// ReadCertificate reads a certificate chain and its private key, both PEM.
func ReadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	return c, c.Reread()
}

// Reread reads the files again. After an error what was read before stays in use.
func (c *Certificate) Reread() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	c.current.Store(&pair)
	return nil
}
