package icims

import (
	"net/netip"
	"slices"
)

// AddressKind says why an address may not be called.
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

// metadata lists the cloud metadata addresses, which serve a machine its own credentials. One of
// them lies in a public range.
var metadata = addresses("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")

// reserved lists the special-purpose blocks of the IANA registries that can hold no public host,
// beyond private, loopback, link-local and multicast ones.
var reserved = networks(
	"0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var (
	shared  = netip.MustParsePrefix("100.64.0.0/10")
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	unicast = netip.MustParsePrefix("2000::/3") // all public IPv6 addresses
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

// plain returns the IPv4 address behind an IPv4-mapped or NAT64 IPv6 address (RFC 6052), or a
// itself.
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// kindOf returns why an address is not public, or "" if it is.
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
