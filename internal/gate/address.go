package gate

import (
	"iter"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/auth/credential"
)

// origin is where a request came from, as far as the server can see.
type origin struct {
	rules  *Rules
	header http.Header
	// remote is the address of the peer.
	remote string
	// isForwarded is true when the peer is a gateway, and X-Forwarded-For names its client.
	isForwarded bool
	// forms are the forms in which a key counts.
	forms credential.Forms
}

// origin returns the origin of a request to an app.
func (r *Request) origin(rules *Rules) origin {
	return origin{rules, r.Header, r.RemoteAddr, r.IsForwarded, rules.forms}
}

// originOf returns the origin of a request to Keywright itself, which reads the same forms whatever CREDENTIALS has.
func originOf(r *http.Request, rules *Rules) origin {
	return origin{rules, r.Header, r.RemoteAddr, false, credential.Compatible}
}

// maxHops bounds the entries of X-Forwarded-For that are read. No honest request passes as many proxies.
const maxHops = 64

// ClientAddress returns the address of a client of Keywright itself, or "" if it is unknown. It is the address that is
// recorded when the same request identifies a caller.
func (g *Gate) ClientAddress(r *http.Request) string {
	from := originOf(r, g.rulesOrDefault())
	return from.address()
}

// TrustsProxy reports whether a peer is a trusted proxy, with an address as in http.Request.RemoteAddr.
func (g *Gate) TrustsProxy(remote string) bool {
	peer, _ := readAddress(remote)
	return g.rulesOrDefault().trustsProxy(peer)
}

func (g *Gate) rulesOrDefault() *Rules {
	if rules := g.rules.Load(); rules != nil {
		return rules
	}
	return &Rules{}
}

// trustsProxy reports whether a peer is a trusted proxy: one of TRUSTED_PROXIES or, without that setting, every peer if
// TRUST_PROXY_HEADERS is set.
func (r *Rules) trustsProxy(peer netip.Addr) bool {
	if len(r.TrustedProxies) == 0 {
		return r.TrustProxyHeaders
	}
	return r.listsProxy(peer)
}

func (r *Rules) listsProxy(address netip.Addr) bool {
	return slices.ContainsFunc(r.TrustedProxies, func(network netip.Prefix) bool { return network.Contains(address) })
}

// trustsName reports whether X-Forwarded-User is accepted from the peer.
func (o *origin) trustsName() bool {
	if !o.rules.TrustProxyHeaders {
		return false
	}
	peer, _ := readAddress(o.remote)
	return o.rules.trustsProxy(peer)
}

// address decides which address is the client's. It returns "" if not even the peer's is readable.
//
// Each proxy appends its own peer to X-Forwarded-For, and the client may have written whatever is before that. So
// address begins at the peer and goes from the right as long as the address that it has reached is a trusted proxy's.
// An entry that is not an address ends the way. Without TRUSTED_PROXIES the peer is the only proxy that may be trusted.
func (o *origin) address() string {
	at, _ := readAddress(o.remote)
	isTrusted := o.rules.trustsProxy(at) || o.isForwarded && len(o.rules.TrustedProxies) == 0
	hops := 0
	for entry := range fromTheRight(o.header[ForwardedFor]) {
		if !isTrusted || hops == maxHops {
			break
		}
		before, ok := readAddress(entry)
		if !ok {
			break
		}
		at, isTrusted = before, o.rules.listsProxy(before)
		hops++
	}
	if !at.IsValid() {
		return ""
	}
	return at.String()
}

// fromTheRight yields the entries of all lists of a header, the last one first.
func fromTheRight(lists []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, list := range slices.Backward(lists) {
			for end := len(list); end >= 0; {
				list = list[:end]
				end = strings.LastIndexByte(list, ',')
				if !yield(strings.TrimSpace(list[end+1:])) {
					return
				}
			}
		}
	}
}

// readAddress reads an address with or without a port or brackets and returns its canonical form, or the zero Addr. It
// drops the zone, which has a meaning on one machine only, and no maximum length.
func readAddress(text string) (address netip.Addr, ok bool) {
	if inner, found := strings.CutPrefix(text, "["); found && strings.HasSuffix(inner, "]") {
		text = inner[:len(inner)-1]
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		address = withPort.Addr()
	}
	return address.Unmap().WithZone(""), true
}
