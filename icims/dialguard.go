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

// DialRefusedError refuses to send anything to a host. Nothing was sent, and no
// connection was opened. Its text is a sentence for operators; it names the
// host and never its address, which may tell of an inner network.
type DialRefusedError struct {
	// Host is the name, or the address, that was to be called.
	Host string
	// Kind is what the host's address is; empty where the host itself is not
	// allowed.
	Kind AddressKind
}

func (e *DialRefusedError) Error() string {
	if e.Kind == "" {
		return fmt.Sprintf("%s is not a host of iCIMS; correct the connection, or allow its origin in ICIMS_EXPORT_ICIMS_HOSTS", e.Host)
	}
	return fmt.Sprintf("%s is at an address that is not public (%s); check who answers for that name, or allow the address in ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES",
		e.Host, strings.ReplaceAll(string(e.Kind), "_", " "))
}

// dialGuard opens connections to allowed hosts at allowed addresses. An address
// is judged when it is about to be dialled, after all resolving: a name that
// leads elsewhere the second time (DNS rebinding) gains nothing.
type dialGuard struct {
	hosts    HostPolicy
	resolver *net.Resolver // nil: that of the system
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

// proxyAddr is what net/http dials for a proxy.
func proxyAddr(proxy *url.URL) string {
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	}
	return net.JoinHostPort(proxy.Hostname(), port)
}

// check refuses a request to an origin that is not allowed, so that no idle
// connection, proxy or sign-in host takes it.
func (g *dialGuard) check(u *url.URL) error {
	if !g.hosts.allowsCall(u) {
		return &DialRefusedError{Host: strings.ToLower(u.Hostname())}
	}
	return nil
}

func (g *dialGuard) proxy(req *http.Request) (*url.URL, error) { return g.hosts.proxyOf(req.URL), nil }
