package reverseproxy

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// Upstream is the address of the app.
type Upstream struct {
	// scheme is http or https.
	scheme, host string
	// isHTTP2 is true for an app that gets every request by HTTP/2 without TLS, such as a gRPC server.
	isHTTP2 bool
	// base is prepended to every path. It has no slash at its end.
	base string
}

// schemeHTTP2 stands for HTTP/2 without TLS, with prior knowledge (RFC 9113, section 3.3). Other proxies name it alike.
const schemeHTTP2 = "h2c"

// ParseUpstream parses the app's URL. Its errors do not repeat the URL, which may contain a password.
func ParseUpstream(raw string) (*Upstream, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != schemeHTTP2:
		return nil, errors.New("it must begin with http://, https:// or h2c://")
	case u.Hostname() == "":
		return nil, errors.New("it has no host")
	case !hasPort(u):
		return nil, errors.New("its port must be from 1 to 65535")
	case u.User != nil:
		return nil, errors.New("it can't have a user or password")
	case strings.ContainsAny(raw, "?#"):
		return nil, errors.New("it can't have a query or a fragment")
	}
	base := strings.TrimSuffix(u.EscapedPath(), "/")
	if base != "" && path.Clean(base+"/x") != base+"/x" {
		return nil, errors.New("its path can't have segments that are empty or dots")
	}
	if u.Scheme == schemeHTTP2 {
		return &Upstream{scheme: "http", host: u.Host, isHTTP2: true, base: base}, nil
	}
	return &Upstream{scheme: u.Scheme, host: u.Host, base: base}, nil
}

// hasPort reports whether the port is valid, or left to the scheme.
func hasPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// url returns the URL of a target at the app. It fails for a target that cannot be sent byte for byte.
func (u *Upstream) url(target string) (url.URL, error) {
	at := url.URL{Scheme: u.scheme, Host: u.host, Opaque: target}
	if target != asterisk {
		at.Opaque = u.base + target
	}
	if !strings.HasPrefix(at.Opaque, "//") {
		return at, nil
	}
	// Go would send such an opaque URL in absolute form.
	parsed, err := url.ParseRequestURI(target)
	if err != nil || parsed.RequestURI() != target {
		return at, errors.New("the target can't be sent as it is")
	}
	parsed.Scheme, parsed.Host = u.scheme, u.host
	return *parsed, nil
}

// Limits of the connection to the app. The time it may take to reply has no limit.
const (
	maxResponseHeaderBytes = 256 << 10
	dialTimeout            = 5 * time.Second
	handshakeTimeout       = 10 * time.Second
	continueTimeout        = time.Second
	keepAlive              = 30 * time.Second
	idleTimeout            = 90 * time.Second
	maxIdle                = 512
)

// newTransport returns a transport that connects to the app directly, not through a proxy from the environment. It adds
// nothing to the client's request, not even Accept-Encoding.
func (u *Upstream) newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!u.isHTTP2)
	protocols.SetUnencryptedHTTP2(u.isHTTP2)
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext,
		TLSHandshakeTimeout:    handshakeTimeout,
		ExpectContinueTimeout:  continueTimeout,
		MaxResponseHeaderBytes: maxResponseHeaderBytes,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true,
		Protocols:              protocols,
	}
}
