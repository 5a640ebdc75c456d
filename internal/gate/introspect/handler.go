package introspect

import (
	"encoding/json"
	"net/http"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
)

// Action is the action that a caller needs to introspect keys.
const Action = "keys.introspect"

// New returns a handler that replies 200 with the facts about a valid key, and with active=false for any other. A
// caller without permission is refused as on every surface, before the body is read. A malformed request gets 400.
func New(g *gate.Gate) http.Handler {
	return g.Tracer.Of("introspect", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := g.Identify(r, access.Request{Action: Action, Resource: access.Any})
		g.Trace(r.Context(), &d)
		if refusal := d.Refusal(); refusal != nil {
			refusal.Answer(w)
			return
		}
		token, problem := readToken(w, r)
		if problem != "" {
			answer(w, http.StatusBadRequest, invalidRequest{Error: "invalid_request", Description: problem})
			return
		}
		// The caller is not the client that presented the key, whose address is unknown here.
		introspected := g.Authenticate(token, "")
		g.TraceIntrospected(r.Context(), &introspected)
		switch introspected.Outcome {
		case gate.Allowed:
			answer(w, http.StatusOK, newActive(&introspected.Caller))
		case gate.Unauthenticated:
			answer(w, http.StatusOK, inactive{})
		default:
			introspected.Refusal().Answer(w)
		}
	}))
}

func answer(w http.ResponseWriter, status int, reply any) {
	body, err := json.Marshal(reply)
	if err != nil {
		panic("marshalling a struct of plain values failed: " + err.Error())
	}
	header := w.Header()
	header["Cache-Control"] = []string{"no-store"}
	header["Content-Type"] = []string{"application/json"}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
