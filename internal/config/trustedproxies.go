package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"keywright.dev/keywright/internal/key/keyformat"
)

// maxProxies bounds the networks of TRUSTED_PROXIES: an address is compared with each of them.
const maxProxies = 256

// parseTrustedProxies reads addresses and networks separated by commas. It sorts them, so that equal sets give equal
// documents.
func parseTrustedProxies(s *Settings, value string) string {
	var networks []netip.Prefix
	problem := eachEntry(value, func(_ int, entry string) string {
		network, problem := parseNetwork(entry)
		networks = append(networks, network)
		return problem
	})
	if problem != "" {
		return problem
	}
	slices.SortFunc(networks, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	networks = slices.Compact(networks)
	if len(networks) > maxProxies {
		return fmt.Sprintf("has %d networks; the maximum is %d", len(networks), maxProxies)
	}
	s.Service.TrustedProxies = networks
	return ""
}

// parseNetwork reads a network, or an address as a network of its own, or returns the problem of the entry. A network
// that is wider than it looks is a problem: everyone in it may claim any address.
func parseNetwork(entry string) (network netip.Prefix, problem string) {
	switch {
	case keyformat.IsGenerated(entry):
		return network, problemKey
	case strings.ContainsFunc(entry, unicode.IsSpace):
		return network, "has a space or a line end: entries are separated by commas"
	}
	network, err := netip.ParsePrefix(entry)
	if err != nil {
		address, err := netip.ParseAddr(entry)
		if err != nil || address.Zone() != "" {
			return network, "is neither an address nor a network such as 10.0.0.0/8"
		}
		network = netip.PrefixFrom(address, address.BitLen())
	}
	network = unmap(network)
	switch masked := network.Masked(); {
	case network.Bits() == 0:
		return network, "has every address in it: name the proxies"
	case network != masked:
		return network, "is an address with the length of a network: write " + masked.String()
	}
	return network, ""
}

// unmap returns the IPv4 network of an IPv4-mapped one. Addresses of clients are compared in the same form.
func unmap(network netip.Prefix) netip.Prefix {
	const mappedBits = 96
	if address := network.Addr(); address.Is4In6() && network.Bits() >= mappedBits {
		return netip.PrefixFrom(address.Unmap(), network.Bits()-mappedBits)
	}
	return network
}
