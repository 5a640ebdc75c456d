package extauthz_test

import (
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// wantRefusal compares a reply with the refusal of a decision.
func wantRefusal(t *testing.T, reply *authv3.CheckResponse, code codes.Code, d gate.Decision) {
	t.Helper()
	want, denied := d.Refusal(), reply.GetDeniedResponse()
	if codes.Code(reply.GetStatus().GetCode()) != code || int(denied.GetStatus().GetCode()) != want.Status ||
		denied.GetBody() != want.Body {
		t.Fatalf("got %v, want %s, %d, %s", reply, code, want.Status, want.Body)
	}
	older, later := downstream(reply)
	if !reflect.DeepEqual(older, want.Header) || !reflect.DeepEqual(later, want.Header) {
		t.Errorf("got %v or %v, want %v", older, later, want.Header)
	}
}

var (
	noKey   = gate.Decision{Outcome: gate.Unauthenticated}
	badKey  = gate.Decision{Outcome: gate.Unauthenticated, Presented: true}
	unclear = gate.Decision{Outcome: gate.Undescribed}
)

func TestRefuse_WithoutAcceptedKey(t *testing.T) {
	f := newFixture(t, config.Runtime{TrustProxyHeaders: true})
	for name, c := range map[string]struct {
		request
		want gate.Decision
	}{
		"nothing":                   {get(), noKey},
		"a saved name, not trusted": {get("cookie", "keywright_user=alice"), noKey},
		"a session that is not":     {get("cookie", "keywright_session=other"), noKey},
		"two sessions":              {get("cookie", "keywright_session="+knownSession+"; keywright_session=other"), noKey},
		"a key in another's name":   {get("x-api-keys", alice, "authorization2", "Bearer "+alice), noKey},
		"a name with spaces only":   {get("x-forwarded-user", "  "), noKey},
		"the reserved name":         {get("x-forwarded-user", "Admin"), noKey},
		"a name that is not UTF-8":  {get().raw("x-forwarded-user", []byte("bob\xff")), noKey},
		"unknown":                   {bearer(unknown), badKey},
		"disabled":                  {bearer(off), badKey},
		"ended":                     {bearer(ended), badKey},
		"malformed":                 {bearer("ak_0123456789012345"), badKey},
		"another scheme":            {get("authorization", "Digest x"), badKey},
		"empty":                     {get("authorization", ""), badKey},
		"empty, raw":                {get().raw("authorization", nil), badKey},
		"basic that is no base64":   {get("authorization", "Basic !!!"), badKey},
		"no text":                   {get().raw("authorization", []byte("Bearer \xff\xfe\x00"+alice)), badKey},
		"64 KB":                     {bearer(strings.Repeat("x", 64<<10)), badKey},
		"two, joined":               {get("authorization", "Bearer "+alice+",Bearer "+alice), badKey},
		"a bad one and a session": {
			get("authorization", "Bearer "+unknown, "cookie", "keywright_session="+knownSession), badKey,
		},
		"a bad one and a proxy's":     {get("authorization", "Bearer "+unknown, "x-forwarded-user", "bob"), badKey},
		"a good one and an empty one": {get("authorization", "Bearer "+alice, "x-api-key", ""), badKey},
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, f.ask(t, c.request), codes.Unauthenticated, c.want) })
	}
}

func TestRefuse_SeveralKeys(t *testing.T) {
	f := newFixture(t, config.Runtime{TrustProxyHeaders: true})
	twenty := get("x-api-key", unknown)
	for i := range 20 {
		twenty = twenty.raw("authorization", []byte("Bearer "+strings.Repeat("k", 16+i)))
	}
	several := f.config.Gate.Decide(&gate.Request{Header: http.Header{
		"Authorization": {"Bearer " + alice}, "X-Api-Key": {ci},
	}})
	if body := several.Refusal().Body; !strings.Contains(body, "several different keys") {
		t.Fatal(body)
	}
	for name, r := range map[string]request{
		"twenty": twenty, "two": get("authorization", "Bearer "+alice, "x-api-key", ci),
		"two, one raw": bearer(alice).raw("authorization", []byte("Bearer "+ci)),
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, f.ask(t, r), codes.Unauthenticated, several) })
	}
}

// A reply reveals neither whether a key once worked nor whether its form is right.
func TestRefuse_IsTheSameForEveryRefusedKey(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	first := f.ask(t, bearer(unknown))
	for _, key := range []string{off, ended, "short", "ak_0123456789012345", "with a space", strings.Repeat("x", 9<<10)} {
		if reply := f.ask(t, bearer(key)); !proto.Equal(reply, first) {
			t.Errorf("got %v, want %v", reply, first)
		}
	}
}

func TestRefuse_CheckWithoutHTTPRequest(t *testing.T) {
	f := newFixture(t, config.Runtime{AnonymousReads: true})
	for name, r := range map[string]*authv3.CheckRequest{
		"nothing":            {},
		"no request":         {Attributes: &authv3.AttributeContext{}},
		"a connection (TCP)": {Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{}}},
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, f.askAll(t, r), codes.PermissionDenied, unclear) })
	}
	empty := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{}},
	}}
	wantRefusal(t, f.askAll(t, empty), codes.Unauthenticated, noKey)
}

// On a 401, git drops its key, which may be a good one.
func TestRefuse_NotReady(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	f.view.set(func() { f.view.notReady = errors.New("adminusers have not been seen yet") })
	for _, r := range []request{bearer(alice), bearer(unknown), get()} {
		wantRefusal(t, f.ask(t, r), codes.Unavailable, gate.Decision{Outcome: gate.NotReady})
	}
	f.view.set(func() { f.view.notReady = nil })
	upstream(t, bearer(alice), f.ask(t, bearer(alice)))
}

func TestRefuse_Stale(t *testing.T) {
	f := newFixture(t, config.Runtime{StaleAfter: time.Minute})
	f.view.set(func() { f.view.age = time.Hour })
	wantRefusal(t, f.ask(t, bearer(alice)), codes.Unavailable, gate.Decision{Outcome: gate.Stale})
}

func TestRefuse_NotPermitted(t *testing.T) {
	f := newFixture(t, config.Runtime{
		AllowedUsers: []string{"bob"}, DenyUnmatched: true,
		Routes: []routes.Route{
			{Match: "GET /certs", Action: "certs.read"},
			{Match: "POST /certs", Action: "certs.write"},
			{Match: "GET /users/{user}/", Owner: "{user}"},
		},
	})
	at := func(key, method, path string) request {
		r := bearer(key)
		r.http.Method, r.http.Path = method, path
		return r
	}
	query := func(r request, query string) request { r.http.Query = query; return r }
	for name, c := range map[string]struct {
		request
		want gate.Outcome
	}{
		"what it may":             {at(ci, "GET", "/certs"), gate.Allowed},
		"with a query":            {at(ci, "GET", "/certs?limit=20"), gate.Allowed},
		"with a query apart":      {query(at(ci, "GET", "/certs"), "limit=20"), gate.Allowed},
		"with the same query":     {query(at(ci, "GET", "/certs?a=1"), "a=1"), gate.Allowed},
		"with two queries":        {query(at(ci, "GET", "/certs?a=1"), "a=2"), gate.Ambiguous},
		"a write, not listed":     {at(ci, "POST", "/certs"), gate.NotListed},
		"a write, admin":          {at(alice, "POST", "/certs"), gate.Allowed},
		"a write beyond its own":  {at(bobs, "POST", "/certs"), gate.NotPermitted},
		"another user's":          {at(bobs, "GET", "/users/alice/x"), gate.NotOwner},
		"its user's":              {at(bobs, "GET", "/users/bob/x"), gate.Allowed},
		"what no route names":     {at(alice, "GET", "/other"), gate.Unmatched},
		"a path read in two ways": {at(bobs, "GET", "/users/alice/../bob/x"), gate.Ambiguous},
		"CONNECT without a path":  {at(ci, "CONNECT", ""), gate.Undescribed},
		"no method":               {at(ci, "", "/certs"), gate.Undescribed},
		"an absolute path":        {at(ci, "GET", "http://app.example.com/certs"), gate.Ambiguous},
		"the pseudo-headers lie":  {at(bobs, "POST", "/certs"), gate.NotPermitted},
	} {
		t.Run(name, func(t *testing.T) {
			// The pseudo-headers describe a GET of /certs, which every caller may send.
			c.http.Headers[":method"], c.http.Headers[":path"] = "GET", "/certs"
			reply := f.ask(t, c.request)
			if c.want == gate.Allowed {
				upstream(t, c.request, reply)
				return
			}
			wantRefusal(t, reply, codes.PermissionDenied, gate.Decision{Outcome: c.want})
		})
	}
}

func TestRefuse_HasBothChallenges(t *testing.T) {
	reply := newFixture(t, config.Runtime{}).ask(t, get())
	older, later := downstream(reply)
	for _, header := range []http.Header{older, later} {
		if got := header.Values("Www-Authenticate"); len(got) != 2 || !strings.HasPrefix(got[0], "Bearer ") ||
			!strings.HasPrefix(got[1], "Basic ") {
			t.Errorf("%q", got)
		}
		if want := []string{"Cache-Control", "Content-Type", "Www-Authenticate"}; !slices.Equal(
			slices.Sorted(maps.Keys(header)), want,
		) {
			t.Errorf("%v", header)
		}
	}
	if reply.GetStatus().GetMessage() != "refused" {
		t.Errorf("the message says %q", reply.GetStatus().GetMessage())
	}
}
