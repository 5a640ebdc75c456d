package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
)

// models are what the stub of a provider has. Each call of one uses the same number of tokens.
var models = []struct {
	name, version          string
	prompt, cached, output int
}{
	{"gpt-4o", "gpt-4o-2024-08-06", 1200, 1000, 300},
	{"gpt-4o-mini", "gpt-4o-mini-2024-07-18", 5000, 0, 100},
}

// provider is a stub of an AI provider. It stands behind a gate, as nginx does with auth_request: it asks Keywright
// whether the key of a call may pass.
type provider struct {
	url    string
	server *httptest.Server
	auth   string
}

func newProvider(keywright string) *provider {
	p := &provider{auth: keywright + "/auth"}
	p.server = httptest.NewServer(http.HandlerFunc(p.complete))
	p.url = p.server.URL
	return p
}

func (p *provider) close() { p.server.Close() }

func (p *provider) complete(w http.ResponseWriter, r *http.Request) {
	if status := p.ask(r); status != http.StatusOK {
		w.WriteHeader(status)
		return
	}
	var asked completion
	_ = json.NewDecoder(r.Body).Decode(&asked)
	for _, m := range models {
		if m.name == asked.Model {
			reply := completion{Model: m.version}
			reply.Usage.PromptTokens, reply.Usage.CompletionTokens = m.prompt, m.output
			reply.Usage.PromptTokensDetails.CachedTokens = m.cached
			_ = json.NewEncoder(w).Encode(reply)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

// ask returns the status of Keywright's reply about a request.
func (p *provider) ask(r *http.Request) int {
	question, err := http.NewRequestWithContext(r.Context(), http.MethodGet, p.auth, http.NoBody)
	if err != nil {
		return http.StatusInternalServerError
	}
	question.Header.Set("Authorization", r.Header.Get("Authorization"))
	question.Header.Set("X-Forwarded-Method", r.Method)
	question.Header.Set("X-Forwarded-Uri", r.URL.RequestURI())
	reply, err := http.DefaultClient.Do(question)
	if err != nil {
		return http.StatusBadGateway
	}
	_ = reply.Body.Close()
	return reply.StatusCode
}
