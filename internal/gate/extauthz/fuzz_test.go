package extauthz_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate/extauthz"
)

// strict is a configuration with every rule.
var strict = config.Runtime{
	AllowedUsers: []string{"bob"}, TrustProxyHeaders: true, TrustUsernames: true, AnonymousReads: true,
	Routes: []routes.Route{
		{Match: "GET /certs", Action: "certs.read"},
		{Match: "/users/{user}/", Owner: "{user}"},
	},
}

// outcomes are the possible gRPC codes, with the HTTP statuses of each.
var outcomes = map[codes.Code][]int{
	codes.OK: {0}, codes.Unauthenticated: {401}, codes.PermissionDenied: {403},
}

// checkAnswer uses no network, whose goroutines would look like new coverage to the fuzzer.
func (f *fixture) checkAnswer(t *testing.T, message []byte) {
	t.Helper()
	answer, err := extauthz.Answer(f.config, message)
	must(t, err)
	reply := decoded(t, answer)
	code, http := codes.Code(reply.GetStatus().GetCode()), int(reply.GetDeniedResponse().GetStatus().GetCode())
	if !slices.Contains(outcomes[code], http) || (code == codes.OK) != (reply.GetOkResponse() != nil) {
		t.Fatalf("%s and %d", code, http)
	}
}

// FuzzRequest checks requests as a client of Envoy may send them: all but raw headers arrive as text.
func FuzzRequest(f *testing.F) {
	fixture := newFixture(f, strict)
	f.Add(
		"GET", "/certs", "", "app.example.com", "Bearer "+alice, "", []byte("a=1; keywright_session="+knownSession),
		[]byte("bob"),
	)
	f.Add(
		"POST", "/users/bob/../alice/%2e", "a=1", "x:y", basic(bobs), alice, []byte("keywright_user=\xff"),
		[]byte("\x00\xff,"),
	)
	f.Add("CONNECT", "", "?", "", ",", "\x00", []byte(";=;,keywright_session,;"), []byte(nil))
	f.Fuzz(func(t *testing.T, method, path, query, host, authorization, apiKey string, cookie, user []byte) {
		text := func(s string) string { return strings.ToValidUTF8(s, "!") }
		r := get("authorization", text(authorization), "cookie", text(string(cookie)))
		if apiKey != "" {
			r = r.raw("x-api-key", []byte(apiKey)).raw("Cookie", cookie).raw("x-forwarded-user", user)
		}
		if authorization == "" {
			delete(r.http.Headers, "authorization")
		}
		r.http.Method, r.http.Path, r.http.Query, r.http.Host = text(method), text(path), text(query), text(host)
		message, err := proto.Marshal(r.check())
		must(t, err)
		fixture.checkAnswer(t, message)
	})
}

// FuzzMessage sends arbitrary bytes.
func FuzzMessage(f *testing.F) {
	fixture := newFixture(f, strict)
	for _, r := range []request{
		get(), bearer(alice), get("cookie", "keywright_session="+knownSession).raw("x-api-key", []byte(alice)),
	} {
		message, err := proto.Marshal(r.check())
		must(f, err)
		f.Add(message)
	}
	f.Add([]byte("\x0a\x04\x22\x02\x12\x00"))
	f.Fuzz(fixture.checkAnswer)
}
