package extauthz_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// own returns the headers that the gate sets.
func own(header map[string]string) map[string]string {
	header = maps.Clone(header)
	maps.DeleteFunc(header, func(name, _ string) bool { return !strings.HasPrefix(name, "x-auth-") })
	return header
}

func TestAdmit_SetsIdentityHeaders(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	for name, c := range map[string]struct {
		request
		want map[string]string
	}{
		"an admin's": {
			bearer(alice), map[string]string{"x-auth-user": "alice", "x-auth-subject": "User/alice", "x-auth-admin": "true"},
		},
		"as a password": {
			get("authorization", basic(alice)),
			map[string]string{"x-auth-user": "alice", "x-auth-subject": "User/alice", "x-auth-admin": "true"},
		},
		"in X-API-Key": {
			get("x-api-key", alice),
			map[string]string{"x-auth-user": "alice", "x-auth-subject": "User/alice", "x-auth-admin": "true"},
		},
		"a session": {
			get("cookie", "keywright_session="+knownSession),
			map[string]string{"x-auth-user": "alice", "x-auth-subject": "User/alice", "x-auth-admin": "true"},
		},
		"a program's": {
			bearer(ci),
			map[string]string{
				"x-auth-subject": "Account/ci", "x-auth-admin": "false", "x-auth-scopes": "certs.read certs.write",
			},
		},
		"one of a user": {
			bearer(bobs),
			map[string]string{
				"x-auth-user": "bob", "x-auth-subject": "User/bob", "x-auth-admin": "false", "x-auth-scopes": "certs.read",
			},
		},
		"raw": {
			get().raw("authorization", []byte("Bearer "+ci)),
			map[string]string{
				"x-auth-subject": "Account/ci", "x-auth-admin": "false", "x-auth-scopes": "certs.read certs.write",
			},
		},
		"raw, as it came": {
			get().raw("Authorization", []byte("Bearer "+ci)),
			map[string]string{
				"x-auth-subject": "Account/ci", "x-auth-admin": "false", "x-auth-scopes": "certs.read certs.write",
			},
		},
		"raw and not": {
			bearer(ci).raw("authorization", []byte(basic(ci))),
			map[string]string{
				"x-auth-subject": "Account/ci", "x-auth-admin": "false", "x-auth-scopes": "certs.read certs.write",
			},
		},
		"the same twice": {
			get("authorization", "Bearer "+ci, "x-api-key", ci),
			map[string]string{
				"x-auth-subject": "Account/ci", "x-auth-admin": "false", "x-auth-scopes": "certs.read certs.write",
			},
		},
		"with a session's": {
			get("authorization", "Bearer "+ci, "cookie", "keywright_session="+knownSession),
			map[string]string{"x-auth-user": "alice", "x-auth-subject": "User/alice", "x-auth-admin": "true"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := own(upstream(t, c.request, f.ask(t, c.request)))
			if id := got["x-auth-key-id"]; len(id) != 16 {
				t.Errorf("key id %q", id)
			}
			delete(got, "x-auth-key-id")
			if !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// spelled draws an identity header with any separators.
func spelled(t *rapid.T) string {
	parts := strings.Split(strings.ToLower(rapid.SampledFrom(gate.IdentityHeaders[:]).Draw(t, "name")), "-")
	spelling := parts[0]
	for _, part := range parts[1:] {
		spelling += rapid.SampledFrom([]string{"-", "_"}).Draw(t, "separator") + part
	}
	return spelling
}

// forged draws the headers that a client sends along with its key.
func forged(t *rapid.T) request {
	name := rapid.OneOf(rapid.Custom(spelled), rapid.StringMatching(`[a-wyz][a-z_-]{0,12}`), rapid.Just("x-auth-users"))
	cookie := rapid.SampledFrom(
		[]string{"a=1", "b=2", "keywright_session=" + knownSession, "keywright_session=other", "c", "old_session=3"},
	)
	r := get()
	r.http.Headers = rapid.MapOf(name, rapid.StringMatching(`[ -~]{0,20}`)).Draw(t, "header")
	r.http.Headers["cookie"] = strings.Join(rapid.SliceOfN(cookie, 0, 4).Draw(t, "cookies"), "; ")
	key := rapid.SampledFrom([]string{alice, ci, bobs}).Draw(t, "key")
	r.http.Headers["authorization"] = basic(key)
	if rapid.Bool().Draw(t, "twice") {
		r.http.Headers["x-api-key"] = key
	}
	return r
}

// The app gets Keywright's identity headers only, no credential, and every other header unchanged.
func TestAdmit_ReplacesForgedIdentity(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	rapid.Check(t, func(t *rapid.T) {
		r := forged(t)
		reply := f.ask(t, r)
		got, told := upstream(t, r, reply), map[string]string{}
		for _, option := range reply.GetOkResponse().GetHeaders() {
			told[option.GetHeader().GetKey()] = option.GetHeader().GetValue()
		}
		for name, value := range got {
			want := r.http.Headers[name]
			if gate.IsIdentityHeader(name) || name == "cookie" && strings.Contains(want, "keywright_session") {
				want = told[name]
			}
			if value != want || strings.Contains(value, "keywright_session") || name == "authorization" || name == "x-api-key" {
				t.Errorf("%s: the app gets %q", name, value)
			}
		}
		for name := range r.http.Headers {
			_, found := got[name]
			if ours := gate.IsIdentityHeader(name) || name == "cookie" || name == "authorization" ||
				name == "x-api-key"; !found && !ours {
				t.Errorf("%s: the app does not get it", name)
			}
		}
	})
}

// Envoy can be configured not to send all headers.
func TestAdmit_RemovesEveryHeaderVariant(t *testing.T) {
	reply := newFixture(t, config.Runtime{}).ask(t, bearer(alice))
	sent := get()
	for _, name := range gate.IdentityHeaders {
		name = strings.ToLower(name)
		sent.http.Headers[name] = "forged"
		sent.http.Headers[strings.ReplaceAll(name, "-", "_")] = "forged"
		sent.http.Headers[strings.Replace(name, "-", "_", 1)] = "forged"
		sent.http.Headers[strings.Replace(name, "x-auth-", "x-auth_", 1)] = "forged"
	}
	for name, value := range upstream(t, sent, reply) {
		if value == "forged" {
			t.Errorf("%s reaches the app", name)
		}
	}
}

func TestAdmit_NeverSetsAndRemovesOneHeader(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	for _, key := range []string{alice, ci, bobs} {
		ok := f.ask(t, get("x-api-key", key, "cookie", "a=1; keywright_session=x")).GetOkResponse()
		removed := map[string]bool{}
		for _, name := range ok.GetHeadersToRemove() {
			if removed[name] {
				t.Errorf("%s is removed twice", name)
			}
			removed[name] = true
		}
		for _, option := range ok.GetHeaders() {
			if removed[option.GetHeader().GetKey()] {
				t.Errorf("%s is set, and removed again", option.GetHeader().GetKey())
			}
		}
	}
}

func TestAdmit_WithholdsSessionCookieOnly(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	const session = "keywright_session=" + knownSession
	for name, c := range map[string]struct {
		sent, want string
		gone       bool
	}{
		"alone":                 {sent: session, gone: true},
		"first":                 {sent: session + "; a=1; b=2", want: "a=1; b=2"},
		"last":                  {sent: "a=1; b=2; " + session, want: "a=1; b=2"},
		"without spaces":        {sent: "a=1;" + session + ";b=2", want: "a=1; b=2"},
		"twice":                 {sent: session + "; a=1; " + session, want: "a=1"},
		"empty":                 {sent: "a=1; keywright_session=", want: "a=1"},
		"without a value":       {sent: "keywright_session; a=1", want: "a=1"},
		"joined by Envoy":       {sent: "a=1," + session + "; b=2", want: "b=2"},
		"of another, untouched": {sent: "a=1;b=2", want: "a=1;b=2"},
		"that have it in their name": {
			sent: "old_keywright_session=1;keywright_sessions=2", want: "old_keywright_session=1;keywright_sessions=2",
		},
		"that have it in their value": {sent: "a=keywright_session=1", want: "a=keywright_session=1"},
		"longer than Envoy's API has": {sent: session + "; a=" + strings.Repeat("x", 17<<10), gone: true},
		"too long together": {
			sent: session + "; a=" + strings.Repeat("x", 9<<10) + "; b=" + strings.Repeat("x", 9<<10), gone: true,
		},
		"with a comma, untouched":      {sent: "a=1,2;b=3", want: "a=1,2;b=3"},
		"the saved name stays with it": {sent: "keywright_user=alice; " + session, want: "keywright_user=alice"},
	} {
		t.Run(name, func(t *testing.T) {
			r := get("authorization", "Bearer "+alice, "cookie", c.sent)
			got, found := upstream(t, r, f.ask(t, r))["cookie"]
			if got != c.want || found == c.gone {
				t.Errorf("got %q (%t), want %q", got, found, c.want)
			}
		})
	}
}

// Envoy's API takes UTF-8 only.
func TestAdmit_DropsCookieThatIsNotUTF8(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	r := bearer(alice).raw("cookie", []byte("a=1; b=\xff\xfe; keywright_session=x; c=3"))
	reply := f.ask(t, r)
	for _, option := range reply.GetOkResponse().GetHeaders() {
		if !utf8.ValidString(option.GetHeader().GetValue()) {
			t.Errorf("%s is not UTF-8", option.GetHeader().GetKey())
		}
	}
	if got := upstream(t, r, reply)["cookie"]; got != "a=1; c=3" {
		t.Errorf("got %q", got)
	}
}

func TestAdmit_SavesProxyName(t *testing.T) {
	f := newFixture(t, config.Runtime{TrustProxyHeaders: true})
	added := f.ask(t, get("x-forwarded-user", "bob")).GetOkResponse().GetResponseHeadersToAdd()
	if len(added) != 1 || added[0].GetHeader().GetKey() != "set-cookie" ||
		added[0].GetAppendAction() != corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD {
		t.Fatal(added)
	}
	cookie, err := http.ParseSetCookie(added[0].GetHeader().GetValue())
	if err != nil || cookie.Name != "keywright_user" || cookie.Value != "bob" || !cookie.Secure {
		t.Errorf("%v %v", cookie, err)
	}
	again := f.ask(t, get("x-forwarded-user", "bob", "cookie", "keywright_user=bob")).GetOkResponse()
	if len(again.GetResponseHeadersToAdd()) > 0 {
		t.Error("an already saved name is saved again")
	}
}

// A header that was sent twice arrives as one, so the proxy's own value is unknown.
func TestAdmit_IgnoresTwoProxyNames(t *testing.T) {
	f := newFixture(t, config.Runtime{TrustProxyHeaders: true})
	for name, r := range map[string]request{
		"joined":      get("x-forwarded-user", "admin2,bob"),
		"raw":         get().raw("x-forwarded-user", []byte("admin2")).raw("x-forwarded-user", []byte("bob")),
		"raw and not": get("x-forwarded-user", "bob").raw("x-forwarded-user", []byte("admin2")),
	} {
		if reply := f.ask(t, r); reply.GetOkResponse() != nil {
			t.Errorf("%s: passes as %v", name, own(upstream(t, r, reply)))
		}
	}
	r := get("x-forwarded-user", "bob,bob")
	if got := upstream(t, r, f.ask(t, r))["x-auth-user"]; got != "bob" {
		t.Errorf("the same name twice is %q", got)
	}
}
