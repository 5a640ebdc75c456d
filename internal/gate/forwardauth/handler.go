package forwardauth

import (
	"net/http"

	"keywright.dev/keywright/internal/gate"
)

// New returns the handler of /auth. It replies 200 with the identity headers, or with the gate's refusal. It accepts
// any method: some gateways use that of the request that they ask about.
func New(g *gate.Gate) http.Handler { return handler(g, gate.ForwardAuth, gateRequest, admit) }

// NewPathMode returns the handler of path mode, for the paths below PathPrefix. It replies as /auth does, and lists the
// headers that Envoy has to remove.
func NewPathMode(g *gate.Gate) http.Handler {
	return handler(g, gate.PathMode, pathRequest, admitByPath)
}

func handler(
	g *gate.Gate, surface gate.Surface, describe func(*http.Request) gate.Request, admit func(http.Header, *gate.Decision),
) http.Handler {
	return g.Tracer.Of(surface.String(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := describe(r)
		d := g.Decide(&request)
		g.Trace(r.Context(), &d)
		if refusal := d.Refusal(); refusal != nil {
			refusal.Answer(w)
			return
		}
		admit(w.Header(), &d)
	}))
}

// admit sets every identity header, even to an empty value: a gateway that copies only the headers it gets would leave
// the client's own in place.
func admit(header http.Header, d *gate.Decision) {
	values := d.Caller.Identity()
	for i, name := range gate.IdentityHeaders {
		header[name] = values[i : i+1 : i+1]
	}
	header["Cache-Control"] = noStore
	if d.SetCookie != "" {
		header["Set-Cookie"] = []string{d.SetCookie}
	}
}

// noStore is shared and must not be changed.
var noStore = []string{"no-store"}
