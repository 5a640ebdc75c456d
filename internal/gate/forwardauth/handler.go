package forwardauth

import (
	"net/http"

	"keywright.dev/keywright/internal/gate"
)

// New answers 200 with the identity headers, or as gate refuses. It takes any method: Envoy asks with the one that it
// asks about.
func New(g *gate.Gate) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := asked(r)
		d := g.Decide(&a)
		if refusal := d.Refusal(); refusal != nil {
			refusal.Answer(w)
			return
		}
		admit(w.Header(), &d)
	})
}

// admit sets every header, the empty ones too: a gateway that copies what is there would leave what the client sent.
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

// noStore is shared: it is not to be changed.
var noStore = []string{"no-store"}
