package traces

import (
	"maps"
	"strings"
	"testing"

	"keywright.dev/keywright/test/fakeobjects"
)

// played is a request and what its span has.
type played struct {
	play          func(t *testing.T, e *env)
	surface, name string
	want          map[string]string
}

func bearer(key string) []string { return []string{"Authorization", "Bearer " + key} }

func auth(headers ...string) func(*testing.T, *env) {
	return func(_ *testing.T, e *env) { e.ask("GET", "/auth?token=reset-token", "", headers...) }
}

func byPath(headers ...string) func(*testing.T, *env) {
	return func(_ *testing.T, e *env) { e.ask("GET", "/authz/of/a-customer?token=reset-token", "", headers...) }
}

func proxied(method string, headers ...string) func(*testing.T, *env) {
	return func(t *testing.T, e *env) { e.askProxy(t, method, headers...) }
}

func checked(headers map[string]string) func(*testing.T, *env) {
	return func(t *testing.T, e *env) { e.check(t, headers) }
}

func asked(key, token string) func(*testing.T, *env) {
	return func(_ *testing.T, e *env) {
		form := []string{"Content-Type", "application/x-www-form-urlencoded"}
		e.ask("POST", "/introspect", "token="+token, append(form, bearer(key)...)...)
	}
}

// described returns attributes from pairs of names and values.
func described(pairs ...string) map[string]string {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func table(e *env) map[string]played {
	ci, alice := e.Ring.Digest(ciKey), e.Ring.Digest(fakeobjects.AliceKey)
	disabled := e.Ring.Digest(disabledKey)
	byKey := []string{"outcome", "allowed", "credential", "key", "key_id", ci.KeyID(), "subject_kind", "Account"}
	byAdmin := []string{"outcome", "allowed", "credential", "key", "key_id", alice.KeyID(), "subject_kind", "User"}
	refused := []string{"outcome", "unauthenticated", "credential", "none"}
	unknown := append([]string{"reason", "unknown"}, refused...)
	over := func(attributes []string, method, status string) map[string]string {
		http := []string{"http.request.method", method, "http.response.status_code", status}
		return described(append(http, attributes...)...)
	}
	return map[string]played{
		"/auth, allowed":   {play: auth(bearer(ciKey)...), surface: "auth", want: over(byKey, "GET", "200")},
		"/auth, anonymous": {play: auth(), surface: "auth", want: over(refused, "GET", "401")},
		"/auth, unknown":   {play: auth(bearer(unknownKey)...), surface: "auth", want: over(unknown, "GET", "401")},
		"/auth, disabled": {
			play: auth(bearer(disabledKey)...), surface: "auth",
			want: over(append([]string{"reason", "disabled", "key_id", disabled.KeyID()}, refused...), "GET", "401"),
		},
		"/auth, several keys": {
			play: auth("Authorization", "Bearer "+ciKey, "X-Api-Key", unknownKey), surface: "auth",
			want: over(append([]string{"reason", "ambiguous"}, refused...), "GET", "401"),
		},
		"/auth, a session": {
			play: auth("Cookie", "keywright_session="+fakeobjects.AliceSession), surface: "auth",
			want: over([]string{
				"outcome", "allowed", "credential", "session", "key_id", alice.KeyID(), "subject_kind", "User",
			}, "GET", "200"),
		},
		"path mode, allowed": {play: byPath(bearer(ciKey)...), surface: "authz", want: over(byKey, "GET", "200")},
		"path mode, unknown": {play: byPath(bearer(unknownKey)...), surface: "authz", want: over(unknown, "GET", "401")},
		"ext_authz, allowed": {
			play: checked(map[string]string{"authorization": "Bearer " + ciKey}), surface: "ext_authz",
			want: described(byKey...),
		},
		"ext_authz, unknown": {
			play: checked(map[string]string{"x-api-key": unknownKey}), surface: "ext_authz", want: described(unknown...),
		},
		"the proxy, allowed": {
			play: proxied("GET", bearer(ciKey)...), surface: "proxy", want: over(byKey, "GET", "418"),
		},
		"the proxy, an odd method": {
			play: proxied("RESET-TOKEN", bearer(ciKey)...), surface: "proxy", want: over(byKey, "_OTHER", "418"),
		},
		"the proxy, unknown": {
			play: proxied("GET", bearer(unknownKey)...), surface: "proxy", want: over(unknown, "GET", "401"),
		},
		"the proxy, another protocol": {
			play:    proxied("GET", append(bearer(ciKey), "Connection", "Upgrade", "Upgrade", "websocket")...),
			surface: "proxy", want: over(byKey, "GET", "101"),
		},
		"introspection, active": {
			play: asked(ciKey, fakeobjects.AliceKey), surface: "introspect",
			want: over(append([]string{
				"introspected.outcome", "allowed", "introspected.credential", "key",
				"introspected.key_id", alice.KeyID(), "introspected.subject_kind", "User",
			}, byKey...), "POST", "200"),
		},
		"introspection, inactive": {
			play: asked(ciKey, unknownKey), surface: "introspect",
			want: over(append([]string{
				"introspected.outcome", "unauthenticated", "introspected.credential", "none", "introspected.reason", "unknown",
			}, byKey...), "POST", "200"),
		},
		"introspection, refused": {
			play: asked(unknownKey, ciKey), surface: "introspect", want: over(unknown, "POST", "401"),
		},
		"management, proven": {
			play: func(_ *testing.T, e *env) {
				e.ask("PUT", "/api/proven/a-customer", "", bearer(fakeobjects.AliceKey)...)
			},
			surface: "admin", name: "PUT /api/proven/{name}",
			want: over(append([]string{"http.route", "/api/proven/{name}"}, byAdmin...), "PUT", "204"),
		},
		"management, refused": {
			play: func(_ *testing.T, e *env) {
				e.ask("PUT", "/api/proven/a-customer?q=reset-token", "", bearer(unknownKey)...)
			},
			surface: "admin", name: "PUT /api/proven/{name}",
			want: over(append([]string{"http.route", "/api/proven/{name}"}, unknown...), "PUT", "401"),
		},
		"management, anonymous": {
			play:    func(_ *testing.T, e *env) { e.ask("GET", "/api/lenient/%2F", "") },
			surface: "admin", name: "GET /api/lenient/{name}",
			want: over([]string{
				"http.route", "/api/lenient/{name}", "outcome", "allowed", "credential", "none",
			}, "GET", "204"),
		},
		"management, without a route": {
			play:    func(_ *testing.T, e *env) { e.ask("GET", "/api/a-customer", "", bearer(fakeobjects.AliceKey)...) },
			surface: "admin", want: over(nil, "GET", "404"),
		},
	}
}

// A span has exactly these attributes, whatever the request has.
func TestSpans_DescribeTheDecisionOnEverySurface(t *testing.T) {
	for name, c := range table(newEnv(t, false)) {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, true)
			c.play(t, e)
			spans := e.spans()
			if len(spans) != 1 {
				t.Fatalf("got %d spans", len(spans))
			}
			s := &spans[0]
			if c.name == "" {
				c.name = c.surface
			}
			if s.Name() != c.name || s.Attribute("keywright.surface") != c.surface {
				t.Errorf("the span of surface %q is named %q", s.Attribute("keywright.surface"), s.Name())
			}
			if got := attributes(s); !maps.Equal(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
			text := e.collector.Text(t)
			for _, secret := range secrets {
				if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
					t.Errorf("%q is in the spans: %s", secret, text)
				}
			}
		})
	}
}

// The parent is the span of the gateway, and the span is the parent of what the app does.
func TestSpans_ContinueTheTraceOfTheGateway(t *testing.T) {
	context := []string{"Traceparent", parent, "Tracestate", state}
	lower := map[string]string{"authorization": "Bearer " + ciKey, "traceparent": parent, "tracestate": state}
	for name, play := range map[string]func(*testing.T, *env){
		"/auth":          auth(append(bearer(ciKey), context...)...),
		"/auth, refused": auth(context...),
		"path mode":      byPath(append(bearer(ciKey), context...)...),
		"the proxy":      proxied("GET", append(bearer(ciKey), context...)...),
		"ext_authz":      checked(lower),
		"ext_authz, call": func(t *testing.T, e *env) {
			e.check(t, lower, "traceparent", strings.Replace(parent, spanID, "00f067aa0ba902b7", 1))
		},
		"introspection": func(_ *testing.T, e *env) {
			e.ask("POST", "/introspect", "", append(bearer(ciKey), context...)...)
		},
		"management": func(_ *testing.T, e *env) { e.ask("GET", "/api/lenient/x", "", context...) },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, true)
			play(t, e)
			spans := e.spans()
			if len(spans) != 1 {
				t.Fatalf("got %d spans", len(spans))
			}
			s, above := &spans[0], spanID
			wantState := state
			if name == "ext_authz, call" {
				// Envoy's own span is nearer than the one of its client.
				above, wantState = "00f067aa0ba902b7", ""
			}
			if s.TraceID().String() != traceID || s.ParentSpanID().String() != above || s.TraceState().AsRaw() != wantState {
				t.Errorf("trace %s, parent %s, state %q", s.TraceID(), s.ParentSpanID(), s.TraceState().AsRaw())
			}
			if name == "the proxy" {
				want := "00-" + traceID + "-" + s.SpanID().String() + "-01"
				if got := e.app().Get("Traceparent"); got != want || e.app().Get("Tracestate") != state {
					t.Errorf("the app got %q and %q, want %q", got, e.app().Get("Tracestate"), want)
				}
			}
		})
	}
}

// A trace that the gateway does not sample is not recorded, and the app learns that.
func TestSpans_FollowTheDecisionToSample(t *testing.T) {
	e := newEnv(t, true)
	e.askProxy(t, "GET", append(bearer(ciKey), "Traceparent", strings.TrimSuffix(parent, "1")+"0")...)
	if spans := e.spans(); len(spans) > 0 {
		t.Errorf("got %d spans", len(spans))
	}
	if got := e.app().Get("Traceparent"); !strings.HasPrefix(got, "00-"+traceID+"-") || !strings.HasSuffix(got, "-00") {
		t.Errorf("the app got %q", got)
	}
}

// A context that can't be read begins a new trace, and does not reach the app.
func TestSpans_MalformedContextBeginsANewTrace(t *testing.T) {
	for _, malformed := range []string{"x", parent + "-00", strings.ToUpper(parent), strings.Repeat("0", 4000)} {
		e := newEnv(t, true)
		e.askProxy(t, "GET", append(bearer(ciKey), "Traceparent", malformed, "Tracestate", state)...)
		spans := e.spans()
		if len(spans) != 1 || !spans[0].ParentSpanID().IsEmpty() {
			t.Fatalf("%.60q: got %d spans", malformed, len(spans))
		}
		want := "00-" + spans[0].TraceID().String() + "-" + spans[0].SpanID().String() + "-01"
		if got := e.app()["Traceparent"]; len(got) != 1 || got[0] != want || e.app()["Tracestate"] != nil {
			t.Errorf("%.60q: the app got %q and %q", malformed, got, e.app()["Tracestate"])
		}
	}
}

// Without traces the proxy leaves the context to the app.
func TestSpans_OffLeavesTheContext(t *testing.T) {
	e := newEnv(t, false)
	e.askProxy(t, "GET", append(bearer(ciKey), "Traceparent", parent, "Tracestate", state)...)
	if e.app().Get("Traceparent") != parent || e.app().Get("Tracestate") != state {
		t.Errorf("the app got %q and %q", e.app().Get("Traceparent"), e.app().Get("Tracestate"))
	}
	e.check(t, map[string]string{"authorization": "Bearer " + ciKey, "traceparent": parent})
	auth(bearer(ciKey)...)(t, e)
	if spans := e.spans(); len(spans) > 0 {
		t.Errorf("got %d spans", len(spans))
	}
}
