package reverseproxy_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

func wantValues(t *testing.T, header http.Header, name string, want ...string) {
	t.Helper()
	if got := header.Values(name); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}

func TestProxy_SetsIdentityHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		request                      string
		user, subject, scopes, admin string
		hasKey                       bool
	}{
		"an admin's key": {request("GET /"), "alice", "User/alice", "", "true", true},
		"an API key":     {as(ci, "GET /"), "", "Account/ci", "certs.read", "false", true},
		"a session": {
			anonymous("GET /", "Cookie: keywright_session="+knownSession), "alice", "User/alice", "", "true", true,
		},
		"a trusted name": {anonymous("GET /", "X-Forwarded-User: bob"), "bob", "User/bob", "", "false", false},
		"anonymous":      {anonymous("GET /"), "", "", "", "false", false},
		"as a password": {
			anonymous("GET /", "Authorization: Basic YW55Ym9keTpjb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcGxl"), "alice", "User/alice",
			"", "true", true,
		},
		"X-API-Key": {anonymous("GET /", "X-API-Key: "+alice), "alice", "User/alice", "", "true", true},
	} {
		t.Run(name, func(t *testing.T) {
			app, asked := recorder()
			h := newFixture(t, app, options{runtime: config.Runtime{TrustProxyHeaders: true, AnonymousReads: true}})
			if got := h.say(t, c.request); got.StatusCode != http.StatusOK || got.body != "the app's answer" {
				t.Fatalf("%d %q", got.StatusCode, got.body)
			}
			r := <-asked
			wantValues(t, r.Header, gate.HeaderUser, c.user)
			wantValues(t, r.Header, gate.HeaderSubject, c.subject)
			wantValues(t, r.Header, gate.HeaderScopes, c.scopes)
			wantValues(t, r.Header, gate.HeaderAdmin, c.admin)
			if ids := r.Header.Values(gate.HeaderKeyID); len(ids) != 1 || (len(ids[0]) == 16) != c.hasKey {
				t.Errorf("key id %q", ids)
			}
			for _, name := range []string{"Authorization", "X-Api-Key", "X-Forwarded-User"} {
				wantValues(t, r.Header, name)
			}
			if strings.Contains(fmt.Sprint(r.Header), alice) || strings.Contains(fmt.Sprint(r.Header), knownSession) {
				t.Error("the app got a credential")
			}
		})
	}
}

// Ways in which a client may try to set its own identity.
func TestProxy_RemovesForgedIdentity(t *testing.T) {
	for name, headers := range map[string][]string{
		"plainly":          {"X-Auth-User: mallory", "X-Auth-Admin: true", "X-Auth-Scopes: *"},
		"in another case":  {"x-auth-user: mallory", "X-AUTH-ADMIN: true"},
		"with underscores": {"X_Auth_User: mallory", "x-auth_admin: true", "X_AUTH-SCOPES: *"},
		"with dots":        {"X.Auth.User: mallory", "X.Auth-Admin: true"},
		"twice":            {"X-Auth-User: mallory", "X-Auth-User: mallory"},
		"hop by hop": {
			"X-Auth-User: mallory", "Connection: X-Auth-User, X-Auth-Admin, X-Auth-Scopes, X-Auth-Subject, X-Auth-Key-Id",
		},
		"by a proxy name":    {"X-Forwarded-User: mallory", "X_Forwarded_User: mallory", "X-Forwarded_User: mallory"},
		"folded":             {"X-Other: a", " X-Auth-User: mallory"},
		"with another's key": {"X_Api_Key: mallory"},
	} {
		t.Run(name, func(t *testing.T) {
			app, asked := recorder()
			h := newFixture(t, app, options{})
			if got := h.say(t, as(ci, "GET /", headers...)); got.StatusCode != http.StatusOK {
				t.Fatal(got.StatusCode)
			}
			r := <-asked
			wantValues(t, r.Header, gate.HeaderUser, "")
			wantValues(t, r.Header, gate.HeaderSubject, "Account/ci")
			wantValues(t, r.Header, gate.HeaderAdmin, "false")
			wantValues(t, r.Header, gate.HeaderScopes, "certs.read")
			for name, values := range r.Header {
				if name != "X-Other" && strings.Contains(fmt.Sprint(values), "mallory") {
					t.Errorf("%s: %q", name, values)
				}
			}
		})
	}
}

func TestProxy_WithholdsSessionCookieOnly(t *testing.T) {
	const session = "keywright_session=" + knownSession
	for name, c := range map[string]struct{ sent, want []string }{
		"alone":         {[]string{session}, nil},
		"first":         {[]string{session + "; a=1; b=2"}, []string{"a=1; b=2"}},
		"between":       {[]string{"a=1; " + session + "; b=2"}, []string{"a=1; b=2"}},
		"last":          {[]string{"a=1; " + session}, []string{"a=1"}},
		"twice":         {[]string{session + "; a=1; " + session}, []string{"a=1"}},
		"lines":         {[]string{"a=1", session, "b=2"}, []string{"a=1", "b=2"}},
		"without space": {[]string{"a=1;" + session + ";b=2"}, []string{"a=1;b=2"}},
		"odd neighbours": {
			[]string{`a="x y";  b = ü,[]{} ;keywright_session ; c;; d==;` + session + `;  e=%zz`},
			[]string{`a="x y";  b = ü,[]{} ; c;; d==;  e=%zz`},
		},
		"similar names": {
			[]string{"keywright_user=alice; keywright_sessions=1; x=keywright_session"},
			[]string{"keywright_user=alice; keywright_sessions=1; x=keywright_session"},
		},
		"spaces of ours": {[]string{"a=1; keywright_session = " + knownSession}, []string{"a=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			app, asked := recorder()
			h := newFixture(t, app, options{})
			var lines []string
			for _, line := range c.sent {
				lines = append(lines, "Cookie: "+line)
			}
			if got := h.say(t, request("GET /", lines...)); got.StatusCode != http.StatusOK {
				t.Fatal(got.StatusCode)
			}
			if got := (<-asked).Header["Cookie"]; !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestProxy_ForwardsOtherHeaders(t *testing.T) {
	app, asked := recorder()
	h := newFixture(t, app, options{})
	h.say(
		t,
		request("GET /", "X-Own: a", "X-Own: b, c", "Accept: text/html;q=0.9", "X-Auth-Token: the app's", "X_Odd.Name: \xfc"),
	)
	r := <-asked
	wantValues(t, r.Header, "X-Own", "a", "b, c")
	wantValues(t, r.Header, "Accept", "text/html;q=0.9")
	wantValues(t, r.Header, "X-Auth-Token", "the app's")
	wantValues(t, r.Header, "X_odd.name", "\xfc")
	wantValues(t, r.Header, "Accept-Encoding")
	wantValues(t, r.Header, "User-Agent")
	if r.Host != "app.example" {
		t.Errorf("host %q", r.Host)
	}
}

// A header about the origin that the client wrote reaches the app only from a trusted proxy. The peer is 127.0.0.1.
func TestProxy_SetsOrigin(t *testing.T) {
	claims := []string{
		"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: public.example", "X-Forwarded-Proto: https",
	}
	trusted := config.Runtime{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	others := config.Runtime{
		TrustProxyHeaders: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}
	for name, c := range map[string]struct {
		runtime     config.Runtime
		claims      []string
		host, proto string
		// chain is X-Forwarded-For, and client is X-Real-IP.
		chain, client string
	}{
		"nothing claimed": {config.Runtime{}, nil, "app.example", "http", "127.0.0.1", "127.0.0.1"},
		"claimed":         {config.Runtime{}, claims, "app.example", "http", "127.0.0.1", "127.0.0.1"},
		"every proxy trusted": {
			trusting, claims, "public.example", "https", "192.0.2.7, 127.0.0.1", "192.0.2.7",
		},
		"every proxy trusted, without headers": {trusting, nil, "app.example", "http", "127.0.0.1", "127.0.0.1"},
		"trusted": {
			trusted, claims, "public.example", "https", "192.0.2.7, 127.0.0.1", "192.0.2.7",
		},
		"trusted, without headers": {trusted, nil, "app.example", "http", "127.0.0.1", "127.0.0.1"},
		"others trusted":           {others, claims, "app.example", "http", "127.0.0.1", "127.0.0.1"},
		"a chain of three": {
			config.Runtime{}, []string{"X-Forwarded-For: a", "X-Forwarded-For: b, c"}, "app.example", "http", "127.0.0.1",
			"127.0.0.1",
		},
		"a chain of three, trusted": {
			trusted, []string{"X-Forwarded-For: a", "X-Forwarded-For: 192.0.2.7, 127.0.0.2"}, "app.example", "http",
			"a, 192.0.2.7, 127.0.0.2, 127.0.0.1", "192.0.2.7",
		},
	} {
		t.Run(name, func(t *testing.T) {
			app, asked := recorder()
			h := newFixture(t, app, options{runtime: c.runtime})
			h.say(t, request("GET /", c.claims...))
			r := <-asked
			wantValues(t, r.Header, "X-Forwarded-Host", c.host)
			wantValues(t, r.Header, "X-Forwarded-Proto", c.proto)
			wantValues(t, r.Header, "X-Forwarded-For", c.chain)
			wantValues(t, r.Header, "X-Real-Ip", c.client)
		})
	}
}

var trusting = config.Runtime{TrustProxyHeaders: true}

// Every known header about the origin, in several spellings. Only a trusted proxy may set one, and only in its own.
func TestProxy_ReplacesClaimsAboutOrigin(t *testing.T) {
	const claim = "203.0.113.66"
	for trusts, runtime := range map[bool]config.Runtime{false: {}, true: trusting} {
		app, asked := recorder()
		h := newFixture(t, app, options{runtime: runtime})
		for _, known := range gate.KnownHeaders() {
			if known.Use != gate.HeaderOrigin {
				continue
			}
			odd := []string{strings.ReplaceAll(known.Name, "-", "_"), strings.ReplaceAll(known.Name, "-", ".")}
			for _, spelling := range append(odd, known.Name, strings.ToUpper(known.Name)) {
				h.say(t, request("GET /", spelling+": "+claim, "Connection: "+known.Name))
				arrives := false
				for name, values := range (<-asked).Header {
					isClaim := strings.Contains(strings.Join(values, ","), claim) && gate.LookUpHeader(name) == known
					arrives = arrives || isClaim
				}
				if want := trusts && strings.EqualFold(spelling, known.Name); arrives != want {
					t.Errorf("%s, trusted: %t: arrives: %t", spelling, trusts, arrives)
				}
			}
		}
	}
}

func TestProxy_RefusedRequestNeverReachesApp(t *testing.T) {
	runtime := config.Runtime{AllowedUsers: []string{"bob"}, Routes: []routes.Route{
		{Match: "/certs/", Action: "certs.write"}, {Match: "GET /certs/", Action: "certs.read"},
		{Match: "/users/{user}", Owner: "{user}"},
	}}
	app, asked := recorder()
	h := newFixture(t, app, options{runtime: runtime})
	for _, c := range []struct {
		request string
		status  int
		what    string
	}{
		{anonymous("GET /"), 401, "invalid token"},
		{as(unknown, "GET /"), 401, "invalid token"},
		{as(ci, "POST /"), 403, gate.NotAllowed},
		{as(ci, "GET /users/bob"), 403, "API key lacks required permission"},
		{as(ci, "PROPFIND /certs/1"), 403, "API key lacks required permission"},
		{as(ci, "GET /x/../certs/1"), 403, "The request can be read in more than one way"},
		// A client cannot send a gateway's headers.
		{
			as(ci, "PROPFIND /certs/1", "X-Forwarded-Method: GET", "X-Original-Method: GET"), 403,
			"API key lacks required permission",
		},
		{
			as(ci, "GET /users/bob", "X-Forwarded-Uri: /certs/1", "X-Original-Url: http://app.example/certs/1"), 403,
			"API key lacks required permission",
		},
		{as(ci, "GET /certs/1", "X-HTTP-Method-Override: DELETE"), 403, "The request can be read in more than one way"},
		{as(ci, "GET /certs/1", "X_HTTP_Method: DELETE"), 403, "The request can be read in more than one way"},
	} {
		got := h.say(t, c.request)
		if got.StatusCode != c.status || !strings.Contains(got.body, `"what":"`+c.what+`"`) ||
			got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%.60q: %d %q", c.request, got.StatusCode, got.body)
		}
	}
	never(t, asked)
	for _, allowed := range []string{
		as(ci, "GET /certs/1"), request("DELETE /certs/1"), request("GET /users/bob"),
		as(ci, "GET /certs/1", "X-HTTP-Method-Override: get"),
	} {
		if got := h.say(t, allowed); got.StatusCode != http.StatusOK {
			t.Errorf("%.60q: %d %q", allowed, got.StatusCode, got.body)
		}
		<-asked
	}
}

// An app that reads the request from such a header would serve another one than the gate decided on.
func TestProxy_WithholdsRequestOverrides(t *testing.T) {
	app, asked := recorder()
	h := newFixture(t, app, options{})
	names := []string{
		"X-Original-Url", "X-Rewrite-Url", "X_original_url", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Original-Uri",
		"X-Original-Method",
	}
	var lines []string
	for _, name := range names {
		lines = append(lines, name+": /elsewhere")
	}
	h.say(t, request("POST /", append(lines, "X-HTTP-Method-Override: PATCH")...))
	r := <-asked
	for _, name := range names {
		wantValues(t, r.Header, name)
	}
	// If no rule depends on the method, the app may read either one.
	wantValues(t, r.Header, "X-Http-Method-Override", "PATCH")
}

func TestProxy_SavesProxyName(t *testing.T) {
	h := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Add("Set-Cookie", "own=1")
		w.WriteHeader(http.StatusTeapot)
	}, options{runtime: config.Runtime{TrustProxyHeaders: true}})
	got := h.say(t, anonymous("GET /", "X-Forwarded-User: bob"))
	wantValues(t, got.Header, "Set-Cookie", "own=1", "keywright_user=bob; Path=/; Max-Age=31536000; Secure; SameSite=Lax")
}

func TestProxy_ReturnsAppReplyUnchanged(t *testing.T) {
	h := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		w.Header().Set("X-Auth-Own", "kept")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("<html>" + r.Header.Get("X-Forwarded-Host")))
	}, options{})
	got := h.say(t, request("GET /"))
	if got.StatusCode != http.StatusTeapot || got.body != "<html>app.example" {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
	wantValues(t, got.Header, "X-Auth-Own", "kept")
	wantValues(t, got.Header, "Location", "/elsewhere")
	wantValues(t, got.Header, "Content-Type")
}
