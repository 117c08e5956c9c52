package icims

import (
	"net/netip"
	"slices"
)

// AddressKind is what keeps an address from being called.
type AddressKind string

// The kinds of addresses that are not public.
const (
	AddressLoopback  AddressKind = "loopback"
	AddressPrivate   AddressKind = "private"
	AddressLinkLocal AddressKind = "link_local"
	AddressShared    AddressKind = "shared" // between a provider and its customers (carrier-grade NAT)
	AddressMetadata  AddressKind = "metadata"
	AddressMulticast AddressKind = "multicast"
	AddressReserved  AddressKind = "reserved"
)

// metadata are the addresses at which clouds tell a machine its own credentials.
// One of them is public by its range.
var metadata = addresses("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")

// reserved are the blocks beside private, loopback, link-local and multicast
// ones in which no public host can be (the IANA special-purpose registries).
var reserved = networks(
	"0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var (
	shared  = netip.MustParsePrefix("100.64.0.0/10")
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	unicast = netip.MustParsePrefix("2000::/3") // all that is public of IPv6
)

func addresses(texts ...string) []netip.Addr {
	list := make([]netip.Addr, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParseAddr(text)
	}
	return list
}

func networks(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// plain is the IPv4 address that an IPv6 one leads to: a mapped one, or one of
// the translator that IPv6-only networks reach the rest by (RFC 6052).
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// kindOf is what keeps an address from being public; "" where it is.
func kindOf(a netip.Addr) AddressKind {
	a = plain(a)
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case a.Zone() != "":
		return AddressLinkLocal
	case slices.Contains(metadata, a):
		return AddressMetadata
	case a.IsLoopback():
		return AddressLoopback
	case a.IsPrivate():
		return AddressPrivate
	case a.IsLinkLocalUnicast():
		return AddressLinkLocal
	case a.IsMulticast():
		return AddressMulticast
	case shared.Contains(a):
		return AddressShared
	case !a.IsValid(), slices.ContainsFunc(reserved, within), a.Is6() && !unicast.Contains(a):
		return AddressReserved
	}
	return ""
}
