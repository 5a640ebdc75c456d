package gate

import (
	"net/http"
	"net/netip"
	"strings"
)

// Request is a request to decide on, as a surface describes it.
type Request struct {
	// Method as the client sent it. If empty, the gateway did not pass it on, and the request counts as a write.
	Method string
	// Host as the client sent it.
	Host string
	// Target is path and query as the client sent them. If empty, the gateway did not pass them on, and the request
	// is ambiguous wherever there are routes.
	Target string
	// Contradictory is true when the gateway's statements about the request contradict each other.
	Contradictory bool
	// Forged is true when the client sent a header that the app may read as one of Keywright's own, and the surface cannot
	// remove it.
	Forged bool
	// Header holds the credentials (Authorization, X-Api-Key, Cookie and X-Forwarded-User, under their canonical names)
	// and method overrides in every spelling. It may hold others.
	Header http.Header
	// RemoteAddr is the client's address, with or without a port, for the last-use record. May be empty.
	RemoteAddr string
	// IsForwarded is true when RemoteAddr is the gateway's own, and X-Forwarded-For names the client.
	IsForwarded bool
}

// origin is where a request came from, as far as the server can see.
type origin struct {
	header http.Header
	remote string
	// isForwarded is true when X-Forwarded-For is trusted.
	isForwarded bool
}

// ClientAddress returns the address of a client of Keywright itself, or "" if it is unknown. With
// TRUST_PROXY_HEADERS it is the address that the proxy in front reports.
func (g *Gate) ClientAddress(r *http.Request) string {
	from := origin{r.Header, r.RemoteAddr, g.TrustsProxy()}
	return from.address()
}

// address returns the last address in X-Forwarded-For, which the proxy in front added; the client may have written
// those before it. If it is not readable, address returns the peer's, or "" if that is not readable either.
func (o *origin) address() string {
	if o.isForwarded {
		if forwarded, ok := readAddress(lastOf(o.header["X-Forwarded-For"])); ok {
			return forwarded
		}
	}
	peer, _ := readAddress(o.remote)
	return peer
}

func lastOf(lists []string) string {
	if len(lists) == 0 {
		return ""
	}
	last := lists[len(lists)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// readAddress reads an address with or without a port and returns its canonical form. It drops the zone, which has a
// meaning on this machine only, and no maximum length.
func readAddress(text string) (address string, ok bool) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return "", false
		}
		ip = withPort.Addr()
	}
	return ip.Unmap().WithZone("").String(), true
}
