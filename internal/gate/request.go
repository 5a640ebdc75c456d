package gate

import (
	"net/http"

	"keywright.dev/keywright/internal/auth/credential"
)

// Surface is where a request to decide on comes from, for metrics.
type Surface uint8

// The zero Surface is not measured.
const (
	unnamedSurface Surface = iota
	ForwardAuth
	PathMode
	ExtAuthz
	ReverseProxy

	surfaces
)

var surfaceNames = [surfaces]string{
	ForwardAuth: "auth", PathMode: "authz", ExtAuthz: "ext_authz", ReverseProxy: "proxy",
}

// String returns the surface as in metrics and traces.
func (s Surface) String() string { return surfaceNames[s] }

// Surfaces lists every surface, for tests.
func Surfaces() []Surface { return []Surface{ForwardAuth, PathMode, ExtAuthz, ReverseProxy} }

// Request is a request to decide on, as a surface describes it.
type Request struct {
	Surface Surface
	// Method as the client sent it. If empty, the gateway did not pass it on, and the request counts as a write.
	Method string
	// Host as the client sent it.
	Host string
	// Target is path and query as the client sent them. If empty, the gateway did not pass them on, and the request
	// is refused wherever there are routes.
	Target string
	// Contradictory is true when the gateway's statements about the request contradict each other.
	Contradictory bool
	// Forged is true when the client sent a header that the app may read as one of Keywright's own, and the surface cannot
	// remove it.
	Forged bool
	// OddForms are forms of a key whose header the client sent in another spelling, and the surface cannot remove it. If
	// one of them counts, the request is Forged.
	OddForms credential.Forms
	// Header holds the credentials (headers of keys, Cookie and X-Forwarded-User) and X-Forwarded-For, under their
	// canonical names, and method overrides in every spelling. It may hold others.
	Header http.Header
	// RemoteAddr is the peer's address, with or without a port. May be empty. The client is the peer, or a client of the
	// peer if that is a trusted proxy.
	RemoteAddr string
	// IsForwarded is true when the peer is a gateway, and X-Forwarded-For names the client. TRUSTED_PROXIES overrides it.
	IsForwarded bool
}
