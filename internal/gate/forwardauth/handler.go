package forwardauth

import (
	"net/http"

	"keywright.dev/keywright/internal/gate"
)

// New returns a handler that replies 200 with the identity headers, or with the gate's refusal. It accepts any method:
// Envoy uses the method of the request that it asks about.
func New(g *gate.Gate) http.Handler {
	return g.Tracer.Of(gate.ForwardAuth.String(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := gateRequest(r)
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
