package gateways

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// externalAuth is a gateway that does what the Gateway API requires of filter ExternalAuth with protocol HTTP, as its
// conformance tests check it. It reads the HTTPRoute of the page.
func externalAuth() *gateway {
	return &gateway{
		name: "Gateway API", path: "this test", url: "http://app.example.com", down: http.StatusServiceUnavailable,
		takesLoadBalancer: true,
		start: func(context.Context) string {
			g := &authFilter{keywright: s.ServerURL, app: behind.address()}
			g.read(page.with("gateway-api.yaml", nil))
			server := httptest.NewServer(g)
			DeferCleanup(server.Close)
			return strings.TrimPrefix(server.URL, "http://")
		},
	}
}

// authFilter is the gateway, with what the HTTPRoute says.
type authFilter struct {
	keywright, app      string
	prefix              string
	sent, copied, taken []string
	forward             httputil.ReverseProxy
}

func (g *authFilter) read(text string) {
	GinkgoHelper()
	var route struct {
		Spec struct {
			Rules []struct {
				Filters []struct {
					Type         string `json:"type"`
					ExternalAuth struct {
						Protocol string `json:"protocol"`
						HTTP     struct {
							Path                   string   `json:"path"`
							AllowedHeaders         []string `json:"allowedHeaders"`
							AllowedResponseHeaders []string `json:"allowedResponseHeaders"`
						} `json:"http"`
					} `json:"externalAuth"`
					RequestHeaderModifier struct {
						Remove []string `json:"remove"`
					} `json:"requestHeaderModifier"`
				} `json:"filters"`
			} `json:"rules"`
		} `json:"spec"`
	}
	first, _, _ := strings.Cut(text, "\n---\n")
	Expect(yaml.Unmarshal([]byte(first), &route)).To(Succeed())
	Expect(route.Spec.Rules).To(HaveLen(1))
	filters := route.Spec.Rules[0].Filters
	Expect(filters).To(HaveLen(2))
	Expect([]string{filters[0].Type, filters[0].ExternalAuth.Protocol, filters[1].Type}).
		To(HaveExactElements("ExternalAuth", "HTTP", "RequestHeaderModifier"))
	from := filters[0].ExternalAuth.HTTP
	g.prefix, g.copied = from.Path, from.AllowedResponseHeaders
	g.sent = append([]string{"Authorization"}, from.AllowedHeaders...)
	g.taken = filters[1].RequestHeaderModifier.Remove
	g.forward.Rewrite = g.rewrite
}

// verdict is the context key of Keywright's reply.
type verdict struct{}

func (g *authFilter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// nginx drops such headers by default, and Envoy can. The page asks for it.
	maps.DeleteFunc(r.Header, func(name string, _ []string) bool { return strings.ContainsAny(name, "_.") })
	if upgrade := r.Header["Upgrade"]; !slices.Equal(upgrade, []string{"websocket"}) {
		r.Header.Del("Upgrade")
	}
	if before := r.Header.Values("X-Forwarded-For"); len(before) > 0 {
		r.Header.Set("X-Forwarded-For", strings.Join(before, ", ")+", "+hostOf(r.RemoteAddr))
	} else {
		r.Header.Set("X-Forwarded-For", hostOf(r.RemoteAddr))
	}
	reply, err := g.ask(r)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = reply.Body.Close() }()
	if reply.StatusCode != http.StatusOK {
		maps.Copy(w.Header(), reply.Header)
		w.WriteHeader(reply.StatusCode)
		_, _ = io.Copy(w, reply.Body)
		return
	}
	g.forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), verdict{}, reply.Header)))
}

// ask sends the client's own request line with the prefix, and no body.
func (g *authFilter) ask(r *http.Request) (*http.Response, error) {
	asked, err := http.NewRequestWithContext(r.Context(), r.Method, g.keywright, http.NoBody)
	if err != nil {
		return nil, err
	}
	asked.URL.Opaque, asked.Host = g.prefix+r.RequestURI, r.Host
	for _, name := range g.sent {
		if values := r.Header.Values(name); len(values) > 0 {
			asked.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	return http.DefaultTransport.RoundTrip(asked)
}

// rewrite sets the headers that Keywright gave, and then removes those that the second filter names.
func (g *authFilter) rewrite(p *httputil.ProxyRequest) {
	given, _ := p.In.Context().Value(verdict{}).(http.Header)
	for _, name := range g.copied {
		name = http.CanonicalHeaderKey(name)
		delete(p.Out.Header, name)
		if values := given[name]; values != nil {
			p.Out.Header[name] = values
		}
	}
	for _, name := range g.taken {
		p.Out.Header.Del(name)
	}
	p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
	p.Out.URL = &url.URL{Scheme: "http", Host: g.app, Opaque: p.In.RequestURI}
}

func hostOf(address string) string {
	host, _, _ := strings.Cut(address, ":")
	return host
}
