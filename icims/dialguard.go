package icims

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// DialRefusedError means that a host may not be called. Nothing was sent and no connection was
// opened. Its text is written for operators: it names the host but never its address, which could
// reveal an internal network.
type DialRefusedError struct {
	// Host is the name or address to be called.
	Host string
	// Kind is the kind of the host's address; empty if the host itself is not allowed.
	Kind AddressKind
}

func (e *DialRefusedError) Error() string {
	if e.Kind == "" {
		return fmt.Sprintf("%s is not a host of iCIMS; correct the connection, or allow its origin in ICIMS_EXPORT_ICIMS_HOSTS", e.Host)
	}
	return fmt.Sprintf("%s is at an address that is not public (%s); check who answers for that name, or allow the address in ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES",
		e.Host, strings.ReplaceAll(string(e.Kind), "_", " "))
}

// dialGuard opens connections to allowed hosts at allowed addresses. It checks the address at dial
// time, after name resolution, so DNS rebinding cannot bypass it.
type dialGuard struct {
	hosts    HostPolicy
	resolver *net.Resolver // nil: the system resolver
}

const dialTime = 10 * time.Second

func (g *dialGuard) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second, Resolver: g.resolver}
	if p := g.hosts.proxy; p != nil && addr == proxyAddr(p) {
		return d.DialContext(ctx, network, addr)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address to dial: %w", err)
	}
	host = strings.ToLower(host)
	if !g.hosts.allowsDial(host, port) {
		return nil, &DialRefusedError{Host: host}
	}
	d.ControlContext = func(_ context.Context, _, addr string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(addr)
		if err != nil {
			return &DialRefusedError{Host: host, Kind: AddressReserved}
		}
		if kind := g.hosts.refuses(host, at.Addr()); kind != "" {
			return &DialRefusedError{Host: host, Kind: kind}
		}
		return nil
	}
	return d.DialContext(ctx, network, addr)
}

// proxyAddr returns the address net/http dials for a proxy.
func proxyAddr(proxy *url.URL) string {
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	}
	return net.JoinHostPort(proxy.Hostname(), port)
}

// check refuses a request to an origin that is not allowed, before an idle connection, a proxy or a
// sign-in host could be used for it.
func (g *dialGuard) check(u *url.URL) error {
	if !g.hosts.allowsCall(u) {
		return &DialRefusedError{Host: strings.ToLower(u.Hostname())}
	}
	return nil
}

func (g *dialGuard) proxy(req *http.Request) (*url.URL, error) { return g.hosts.proxyOf(req.URL), nil }
