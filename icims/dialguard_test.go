package icims

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func TestOnlyPublicAddressesAreCalled(t *testing.T) {
	for address, want := range map[string]AddressKind{
		"20.69.145.54": "", "8.8.8.8": "", "2606:4700::1111": "", "2a00:1450:4001:80b::200e": "",
		"::ffff:8.8.8.8": "", "64:ff9b::808:808": "", // both lead to 8.8.8.8
		"127.0.0.1": AddressLoopback, "127.255.0.1": AddressLoopback, "::1": AddressLoopback, "::ffff:127.0.0.1": AddressLoopback,
		"10.0.0.1": AddressPrivate, "172.16.0.1": AddressPrivate, "172.31.255.255": AddressPrivate, "192.168.1.1": AddressPrivate,
		"fc00::1": AddressPrivate, "fd12::1": AddressPrivate, "::ffff:10.0.0.1": AddressPrivate, "64:ff9b::a00:1": AddressPrivate,
		"169.254.0.1": AddressLinkLocal, "fe80::1": AddressLinkLocal, "2606:4700::1%eth0": AddressLinkLocal,
		"100.64.0.1": AddressShared, "100.127.255.255": AddressShared,
		"169.254.169.254": AddressMetadata, "::ffff:169.254.169.254": AddressMetadata, "64:ff9b::a9fe:a9fe": AddressMetadata,
		"fd00:ec2::254": AddressMetadata, "168.63.129.16": AddressMetadata, "100.100.100.200": AddressMetadata, "192.0.0.192": AddressMetadata,
		"224.0.0.1": AddressMulticast, "ff02::1": AddressMulticast, "239.1.1.1": AddressMulticast,
		"0.0.0.0": AddressReserved, "0.1.2.3": AddressReserved, "255.255.255.255": AddressReserved, "240.0.0.1": AddressReserved,
		"198.18.0.1": AddressReserved, "192.0.2.1": AddressReserved, "198.51.100.7": AddressReserved, "203.0.113.9": AddressReserved,
		"::": AddressReserved, "::808:808": AddressReserved, "2001:db8::1": AddressReserved, "2002:a00:1::": AddressReserved,
		"2001::1": AddressReserved, "64:ff9b:1::808:808": AddressReserved, "fec0::1": AddressReserved, "100::1": AddressReserved,
	} {
		if got := kindOf(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is %q, want %q", address, got, want)
		}
	}
	if got := kindOf(netip.Addr{}); got != AddressReserved {
		t.Errorf("no address is %q", got)
	}
}

func TestWhatIsListedMayBeCalled(t *testing.T) {
	for _, tt := range []struct {
		name, origins, private, host, address string
		want                                  AddressKind
	}{
		{"a private address, without a setting", "", "", "api.icims.com", "10.0.0.5", AddressPrivate},
		{"a listed address", "", "10.0.0.5", "api.icims.com", "10.0.0.5", ""},
		{"one beside a listed address", "", "10.0.0.5", "api.icims.com", "10.0.0.6", AddressPrivate},
		{"one of a listed network", "", "10.0.0.5,172.16.0.0/12", "api.icims.com", "172.18.0.2", ""},
		{"a listed address written as IPv6", "", "10.0.0.5", "api.icims.com", "::ffff:10.0.0.5", ""},
		{"a network does not list metadata", "", "169.254.0.0/16", "api.icims.com", "169.254.169.254", AddressMetadata},
		{"nor does everything", "", "0.0.0.0/0", "api.icims.com", "168.63.129.16", AddressMetadata},
		{"metadata listed as such", "", "169.254.169.254", "api.icims.com", "169.254.169.254", ""},
		{"the address of a listed origin", "http://127.0.0.1:8899", "", "127.0.0.1", "127.0.0.1", ""},
		{"another name at that address", "http://127.0.0.1:8899", "", "api.icims.com", "127.0.0.1", AddressLoopback},
		{"localhost is at a loopback address", "http://localhost:8899", "", "localhost", "::1", ""},
		{"and nowhere else", "http://localhost:8899", "", "localhost", "10.0.0.5", AddressPrivate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			policy := hostsOf(t, tt.origins)
			if tt.private != "" {
				var err error
				if policy, err = policy.WithPrivateAddresses(strings.Split(tt.private, ",")...); err != nil {
					t.Fatal(err)
				}
			}
			if got := policy.refuses(tt.host, netip.MustParseAddr(tt.address)); got != tt.want {
				t.Errorf("refused as %q, want %q", got, tt.want)
			}
		})
	}
	for _, text := range []string{"", "simulator", "10.0.0.0/33", "10.0.0.1-10.0.0.9", "fe80::1%eth0", "::ffff:10.0.0.0/104"} {
		if _, err := (HostPolicy{}).WithPrivateAddresses(text); err == nil {
			t.Errorf("%q is taken for an address", text)
		}
	}
}

// names is a resolver that returns a name's addresses in turn, then the last one forever.
type names struct {
	mu      sync.Mutex
	answers map[string][][]string
	asked   int // for IPv4 addresses
}

func (n *names) next(name string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	turns := n.answers[name]
	if len(turns) == 0 {
		return nil
	}
	if len(turns) > 1 {
		n.answers[name] = turns[1:]
	}
	return turns[0]
}

// resolver serves DNS over a pipe.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			for n.serve(there) == nil {
			}
		}()
		return here, nil
	}}
}

func (n *names) serve(conn io.ReadWriter) error {
	size := make([]byte, 2)
	if _, err := io.ReadFull(conn, size); err != nil {
		return err
	}
	query := make([]byte, binary.BigEndian.Uint16(size))
	if _, err := io.ReadFull(conn, query); err != nil {
		return err
	}
	const header, typeA = 12, 1
	var labels []string
	at := header
	for query[at] != 0 {
		labels = append(labels, string(query[at+1:at+1+int(query[at])]))
		at += 1 + int(query[at])
	}
	end := at + 5 // the root, type and class
	var addresses []string
	if binary.BigEndian.Uint16(query[at+1:]) == typeA {
		addresses = n.next(strings.ToLower(strings.Join(labels, ".")))
	}
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, byte(len(addresses)), 0, 0, 0, 0}, query[header:end]...)
	for _, a := range addresses {
		ip := netip.MustParseAddr(a).As4()
		answer = append(answer, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, ip[:]...)
	}
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// named returns a client of the server with a host name that n resolves.
func named(t *testing.T, n *names, srv *httptest.Server, name string, opts ...Option) *Client {
	t.Helper()
	root := "http://" + name + ":" + mustURL(t, srv.URL).Port()
	return resolvedBy(t, n, newClient(t, root, Basic("u", "p"), opts...))
}

func resolvedBy(t *testing.T, n *names, c *Client) *Client {
	t.Helper()
	base, ok := c.base.(*http.Transport)
	if !ok {
		t.Fatal("the client has a transport of another kind")
	}
	base.DialContext = (&dialGuard{hosts: c.hosts, resolver: n.resolver()}).dial
	return c
}

func loopback(t *testing.T, origins ...string) Option {
	t.Helper()
	policy, err := hostsOf(t, origins...).WithPrivateAddresses("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return WithHosts(policy)
}

func wantDialRefused(t *testing.T, err error, host string, kind AddressKind) {
	t.Helper()
	e := wantError(t, err)
	refused, ok := errors.AsType[*DialRefusedError](err)
	if !ok || refused.Host != host || refused.Kind != kind {
		t.Fatalf("got %v (%v), want %s to be refused as %q", err, refused, host, kind)
	}
	if e.Reason != ReasonAddressRefused || e.Class != ClassRetry || e.Sent != SentNo {
		t.Errorf("got %v, want %s, retry, not sent", e, ReasonAddressRefused)
	}
}

func TestDNSRebinding(t *testing.T) {
	const name = "api.rebound.example"
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":1234}`) })
	start := func(t *testing.T, n *names) *Client {
		srv := newServer(t, answer)
		return named(t, n, srv, name, loopback(t, "http://"+name+":"+mustURL(t, srv.URL).Port()))
	}
	t.Run("a name that changes to a private address is refused", func(t *testing.T) {
		n := &names{answers: map[string][][]string{name: {{"127.0.0.1"}, {"169.254.169.254"}}}}
		c := start(t, n)
		if _, _, err := c.Customer(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.CloseIdleConnections()
		_, _, err := c.Customer(t.Context())
		wantDialRefused(t, err, name, AddressMetadata)
	})
	t.Run("the checked address is the dialed one", func(t *testing.T) {
		n := &names{answers: map[string][][]string{name: {{"127.0.0.1"}, {"10.0.0.1"}}}}
		if _, _, err := start(t, n).Customer(t.Context()); err != nil || n.asked != 1 {
			t.Errorf("%v after %d look-ups, want success after one", err, n.asked)
		}
	})
	t.Run("of several addresses only those allowed are dialed", func(t *testing.T) {
		n := &names{answers: map[string][][]string{name: {{"10.0.0.1", "169.254.169.254", "127.0.0.1"}}}}
		if _, _, err := start(t, n).Customer(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("a private address is refused even for iCIMS's own name", func(t *testing.T) {
		n := &names{answers: map[string][][]string{"api.icims.com": {{"192.168.0.10"}}}}
		_, _, err := resolvedBy(t, n, newClient(t, "https://api.icims.com", Basic("u", "p"))).Customer(t.Context())
		wantDialRefused(t, err, "api.icims.com", AddressPrivate)
	})
	t.Run("and for its sign-in host", func(t *testing.T) {
		n := &names{answers: map[string][][]string{"login.icims.com": {{"127.0.0.1"}}}}
		_, _, err := resolvedBy(t, n, newClient(t, "https://api.icims.com", OAuth("id", "s"))).Customer(t.Context())
		wantDialRefused(t, err, "login.icims.com", AddressLoopback)
	})
}

func TestHostsThatAreNotAllowedAreNotCalled(t *testing.T) {
	called := newServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))
	elsewhere := mustURL(t, called.URL)
	t.Run("an API root", func(t *testing.T) {
		_, _, err := newClient(t, called.URL, Basic("u", "p"), WithHosts(HostPolicy{})).Customer(t.Context())
		wantDialRefused(t, err, "127.0.0.1", "")
	})
	t.Run("iCIMS without TLS", func(t *testing.T) {
		_, _, err := newClient(t, "http://api.icims.com:443", Basic("u", "p"), WithHosts(HostPolicy{})).Customer(t.Context())
		wantDialRefused(t, err, "api.icims.com", "")
	})
	t.Run("a token URL", func(t *testing.T) {
		auth := OAuth("id", "s", OAuthTokenURL(called.URL+"/oauth/token"))
		_, _, err := newClient(t, "https://api.icims.com", auth, WithHosts(HostPolicy{})).Customer(t.Context())
		wantDialRefused(t, err, "127.0.0.1", "")
	})
	t.Run("the target of a redirect", func(t *testing.T) {
		c, mux := setup(t)
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, called.URL, http.StatusFound) })
		_, _, err := c.Customer(t.Context())
		if e := wantError(t, err); e.Reason != ReasonRedirected {
			t.Errorf("got %v", e)
		}
	})
	t.Run("another port of an allowed host", func(t *testing.T) {
		guard := &dialGuard{hosts: hostsOf(t, "http://127.0.0.1:1")}
		_, err := guard.dial(t.Context(), "tcp", elsewhere.Host)
		if refused, ok := errors.AsType[*DialRefusedError](err); !ok || refused.Kind != "" {
			t.Errorf("got %v", err)
		}
	})
}

func TestProxy(t *testing.T) {
	t.Run("only the proxy of the settings is used", func(t *testing.T) {
		for _, root := range []string{"https://api.icims.com/", "https://login.icims.com/", "http://api.example.com/"} {
			proxy, err := newTransport(&dialGuard{}).Proxy(&http.Request{URL: mustURL(t, root)})
			if proxy != nil || err != nil {
				t.Errorf("%s: %v, %v", root, proxy, err)
			}
		}
	})
	t.Run("it may have a private address, and resolves names", func(t *testing.T) {
		var asked *url.URL
		proxy := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL
			_, _ = io.WriteString(w, `{"id":1234}`)
		}))
		policy, err := hostsOf(t, "http://api.example.com").WithProxy(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		n := &names{}
		c := resolvedBy(t, n, newClient(t, "http://api.example.com", Basic("u", "p"), WithHosts(policy)))
		if _, _, err := c.Customer(t.Context()); err != nil {
			t.Fatal(err)
		}
		if asked == nil || asked.Host != "api.example.com" || n.asked != 0 {
			t.Errorf("the proxy was asked for %v, the resolver %d times", asked, n.asked)
		}
		if policy.proxyOf(mustURL(t, "http://127.0.0.1:8899/")) != nil || policy.proxyOf(mustURL(t, "http://LOCALHOST:8899/")) != nil {
			t.Error("a local simulator is called through the proxy")
		}
	})
	t.Run("it gets no calls for hosts that are not allowed", func(t *testing.T) {
		proxy := newServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))
		policy, err := (HostPolicy{}).WithProxy(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = newClient(t, "http://metadata.example.com", Basic("u", "p"), WithHosts(policy)).Customer(t.Context())
		wantDialRefused(t, err, "metadata.example.com", "")
	})
	for _, text := range []string{"proxy:3128", "socks5://u:s3cret@proxy:1080", "http://", "http://u:s3cret@proxy/path", "http://proxy?x=1"} {
		if _, err := (HostPolicy{}).WithProxy(text); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestARefusedDialSaysWhatToDoAndNoAddress(t *testing.T) {
	for _, e := range []*DialRefusedError{{Host: "api.example.com"}, {Host: "api.example.com", Kind: AddressLinkLocal}} {
		if text := e.Error(); !strings.Contains(text, "api.example.com") || !strings.Contains(text, "ICIMS_EXPORT_ICIMS_") || strings.Contains(text, "_local") {
			t.Error(text)
		}
	}
}
