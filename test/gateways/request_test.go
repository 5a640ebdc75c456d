package gateways

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// basicUser is the user name beside a key as password. Any name is accepted.
const basicUser = "any-name"

// by is how a client presents a key.
type by func(header http.Header, key string)

var (
	byBearer by = func(header http.Header, key string) { header.Set("Authorization", "Bearer "+key) }
	byAPIKey by = func(header http.Header, key string) { header.Set("X-Api-Key", key) }
	byBasic  by = func(header http.Header, key string) {
		request := http.Request{Header: header}
		request.SetBasicAuth(basicUser, key)
	}
)

// request is the request of a client.
type request struct {
	method, target, body string
	// who is the name of a key in the keyring, presented by. Empty: no key.
	who string
	by  by
	// header keeps the spelling of names.
	header http.Header
}

// reply is the client's view of the result.
type reply struct {
	status int
	header http.Header
	body   string
	// app is the request as the app received it. Nil: it did not.
	app *seen
}

func (g *gateway) send(ctx context.Context, r request) (got reply) {
	GinkgoHelper()
	sent, err := http.NewRequestWithContext(ctx, r.method, g.url, strings.NewReader(r.body))
	Expect(err).NotTo(HaveOccurred())
	sent.URL.Opaque = r.target
	if r.header != nil {
		sent.Header = r.header.Clone()
	}
	if r.who != "" {
		r.by(sent.Header, keys.get(r.who))
	}
	before := behind.requests.Load()
	answer, err := g.client.Do(sent)
	Expect(err).NotTo(HaveOccurred())
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	Expect(err).NotTo(HaveOccurred())
	got = reply{status: answer.StatusCode, header: withoutKeys(answer.Header), body: hide(string(body))}
	if answer.Header.Get(fromApp) != "" {
		got.app = &seen{}
		Expect(json.Unmarshal(body, got.app)).To(Succeed())
	}
	Expect(behind.requests.Load()-before).To(Equal(map[bool]int64{true: 1}[got.app != nil]), "requests that the app saw")
	return got
}

// get sends a GET with a key of the keyring.
func (g *gateway) get(ctx context.Context, target, who string) reply {
	GinkgoHelper()
	return g.send(ctx, request{method: http.MethodGet, target: target, who: who, by: byBearer})
}

// expectRefused expects that the gateway refused a request with Keywright's reply.
func (g *gateway) expectRefused(got reply, status int, what string) {
	GinkgoHelper()
	Expect(got.app).To(BeNil(), "it reached the app")
	Expect(got.status).To(Equal(status), got.body)
	if g.mute {
		return
	}
	Expect(got.body).To(ContainSubstring(what))
	Expect(got.header.Get("Content-Type")).To(Equal("application/json"))
	Expect(got.header.Get("Cache-Control")).To(Equal("no-store"))
}
