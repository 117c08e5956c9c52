package config

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
)

// redisHandshakeLimit is the timeout of a TLS handshake. A port without TLS never answers one.
const redisHandshakeLimit = 3 * time.Second

// redisKeepAlive detects connections whose other end is gone.
var redisKeepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Minute, Interval: time.Minute, Count: 3}

// redisDialer connects to Redis. TLS failures are a *store.HandshakeError, so that they can be
// distinguished from a slow Redis.
func redisDialer(timeout time.Duration, secure *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout, KeepAliveConfig: redisKeepAlive}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if secure == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				return &plainConn{TCPConn: tcp}, nil
			}
			return conn, nil
		}
		settings := secure.Clone()
		if settings.ServerName == "" {
			settings.ServerName, _, _ = net.SplitHostPort(addr)
		}
		ctx, cancel := context.WithTimeout(ctx, redisHandshakeLimit)
		defer cancel()
		over := tls.Client(conn, settings)
		if err := over.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, &store.HandshakeError{Err: err}
		}
		return over, nil
	}
}

// plainConn is a connection without TLS that reports why Redis rejected it. Redis says so in its
// first reply and closes the connection. The client would take that reply for one of an old Redis
// and report a broken pipe.
type plainConn struct {
	*net.TCPConn
	answered bool
	refused  error
}

func (c *plainConn) Read(p []byte) (int, error) {
	if c.refused != nil {
		return 0, c.refused
	}
	n, err := c.TCPConn.Read(p)
	if n > 0 && !c.answered {
		c.answered = true
		if c.refused = store.Refusal(p[:n]); c.refused != nil {
			return 0, c.refused
		}
	}
	return n, err
}

func (c *plainConn) Write(p []byte) (int, error) {
	if c.refused != nil {
		return 0, c.refused
	}
	return c.TCPConn.Write(p)
}

// redisAuthorities reads the file of certificate authorities for Redis's certificate.
func redisAuthorities(file string) (*x509.CertPool, error) {
	problem := func(message string) error {
		return &Problem{envOf("RedisCAFile"), message, "name a readable file of PEM certificates"}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, problem("cannot be read")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, problem("contains no certificate")
	}
	return pool, nil
}

// overTLS reports whether the URL asks for TLS.
func (u RedisURL) overTLS() bool { return strings.HasPrefix(strings.ToLower(string(u)), "rediss") }
