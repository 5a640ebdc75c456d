package introspect

import (
	"encoding/json"
	"net/http"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
)

// Action is what a caller must be allowed to do to ask about keys.
const Action = "keys.introspect"

// New answers 200 with what is known of a key that is valid, and with no more than that it isn't of any other. Whoever
// may not ask is refused as everywhere; a question that can't be understood is answered 400. Nothing is said of the
// question to whoever may not ask.
func New(g *gate.Gate) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := g.Identify(r, access.Request{Action: Action, Resource: access.Any})
		if refusal := d.Refusal(); refusal != nil {
			refusal.Answer(w)
			return
		}
		token, problem := readToken(w, r)
		if problem != "" {
			answer(w, http.StatusBadRequest, invalidRequest{Error: "invalid_request", Description: problem})
			return
		}
		// The address of the key's own client is unknown: the caller is not the one that presented it.
		asked := g.Authenticate(token, "")
		switch asked.Outcome {
		case gate.Allowed:
			answer(w, http.StatusOK, newActive(&asked.Caller))
		case gate.Unauthenticated:
			answer(w, http.StatusOK, inactive{})
		default:
			asked.Refusal().Answer(w)
		}
	})
}

func answer(w http.ResponseWriter, status int, reply any) {
	body, err := json.Marshal(reply)
	if err != nil {
		panic("a struct of plain values can't fail to be marshalled: " + err.Error())
	}
	header := w.Header()
	header["Cache-Control"] = []string{"no-store"}
	header["Content-Type"] = []string{"application/json"}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
