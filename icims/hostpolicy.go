package icims

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// HostPolicy says to which origins credentials may be sent, at which addresses, and through which
// proxy. The zero value allows only iCIMS's own hosts, at public addresses, without a proxy.
type HostPolicy struct {
	origins map[string]bool
	private []netip.Prefix
	proxy   *url.URL
}

// ParseHostPolicy reads the setting ICIMS_EXPORT_ICIMS_HOSTS: a comma-separated list of origins
// that are allowed besides iCIMS's own, for example "http://127.0.0.1:8899". An origin given as an
// address allows that address, public or not. localhost allows loopback addresses.
func ParseHostPolicy(setting string) (HostPolicy, error) {
	p := HostPolicy{origins: map[string]bool{}}
	for entry := range strings.SplitSeq(setting, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		u, err := url.Parse(entry)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil ||
			u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
			return HostPolicy{}, errors.New("ICIMS_EXPORT_ICIMS_HOSTS: every entry must be an origin such as http://127.0.0.1:8899, without path, user or query")
		}
		p.origins[origin(u)] = true
	}
	return p, nil
}

// WithPrivateAddresses returns the policy with additional non-public addresses for allowed hosts:
// addresses ("10.0.0.5") and networks ("10.0.0.0/8"). Cloud metadata addresses must be listed
// individually; a surrounding network does not allow them.
func (p HostPolicy) WithPrivateAddresses(list ...string) (HostPolicy, error) {
	p.private = slices.Clone(p.private)
	for _, text := range list {
		network, err := ParseNetwork(text)
		if err != nil {
			return HostPolicy{}, err
		}
		p.private = append(p.private, network)
	}
	return p, nil
}

// ParseNetwork reads an address or a network.
func ParseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || network.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("is not an address or a network such as 10.0.0.0/8")
	}
	return network.Masked(), nil
}

// WithProxy returns the policy with an HTTP proxy for all calls except those to localhost and to
// origins given as addresses. The proxy may have any address. It resolves the hosts, so their
// addresses are not checked here.
func (p HostPolicy) WithProxy(proxy string) (HostPolicy, error) {
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		// Not quoted: it may contain a password.
		return HostPolicy{}, errors.New("must be the address of an HTTP proxy, such as http://proxy.example.com:3128")
	}
	p.proxy = u
	return p, nil
}

// Allows reports whether credentials may be sent to the origin of u.
func (p HostPolicy) Allows(u *url.URL) bool {
	o := origin(u)
	return regions[o] != "" || p.origins[o]
}

// allowsCall is Allows, plus iCIMS's sign-in hosts.
func (p HostPolicy) allowsCall(u *url.URL) bool { return p.Allows(u) || signInHosts[origin(u)] }

// allowsDial reports whether any allowed origin is at host and port.
func (p HostPolicy) allowsDial(host, port string) bool {
	for _, scheme := range []string{"https", "http"} {
		hostport := host
		if strings.Contains(host, ":") {
			hostport = "[" + host + "]"
		}
		if p.allowsCall(&url.URL{Scheme: scheme, Host: hostport + ":" + port}) {
			return true
		}
	}
	return false
}

// refuses returns why an allowed host may not be called at an address, or "".
func (p HostPolicy) refuses(host string, a netip.Addr) AddressKind {
	kind := kindOf(a)
	if kind == "" {
		return ""
	}
	listed, err := netip.ParseAddr(host)
	if err == nil && plain(listed) == plain(a) || err != nil && host == "localhost" && kind == AddressLoopback {
		return ""
	}
	covers := func(n netip.Prefix) bool {
		return n.Contains(plain(a)) && (kind != AddressMetadata || n.IsSingleIP())
	}
	if slices.ContainsFunc(p.private, covers) {
		return ""
	}
	return kind
}

// proxyOf returns the proxy for a call, or nil.
func (p HostPolicy) proxyOf(u *url.URL) *url.URL {
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || strings.EqualFold(u.Hostname(), "localhost") {
		return nil
	}
	return p.proxy
}

// origin returns scheme, host and port in normalized form.
func origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && (scheme != "https" || port != "443") && (scheme != "http" || port != "80") {
		host += ":" + port
	}
	return scheme + "://" + host
}
