package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/test/fakeobjects"
)

// ownKey asks for the key that is presented, or rotates it, and returns the data of the reply.
func (e *env) ownKey(tb testing.TB, key, method, path, body string) map[string]any {
	tb.Helper()
	got := e.ask(tb, key, method, path, body)
	var read struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(got.body), &read); err != nil || got.status != http.StatusOK {
		tb.Fatalf("%d %s", got.status, got.body)
	}
	return read.Data
}

func checkFields(tb testing.TB, got, want map[string]any) {
	tb.Helper()
	for field, value := range want {
		if got[field] != value {
			tb.Errorf("%s is %v, want %v", field, got[field], value)
		}
	}
}

// Every kind of key knows itself, whatever it may do.
func TestOwnKey_OfEveryKind(t *testing.T) {
	for name, c := range map[string]struct {
		key  string
		want map[string]any
	}{
		"an APIKey without rights": {powerlessKey, map[string]any{
			"kind": "APIKey", "id": "uid-of-powerless", "name": "powerless", "subject": "Account/ci", "is_admin": false,
			"current": true, "key_prefix": powerlessKey[:4], "source": "manifest", "expires_at": nil,
		}},
		"an APIKey with an end": {endingKey, map[string]any{
			"kind": "APIKey", "subject": "User/alice", "is_admin": false, "expires_at": endsAt,
		}},
		"the current key of an admin": {danaKey, map[string]any{
			"kind": "AdminUser", "name": "dana", "subject": "User/dana", "is_admin": true, "current": true,
			"key_prefix": danaKey[:4], "expires_at": nil, "source": "api", "secret": nil,
		}},
		"an overlapping key of an admin": {formerKey, map[string]any{
			"kind": "AdminUser", "current": false, "key_prefix": formerKey[:4], "expires_at": endsAt,
		}},
		"the key of an admin in a Secret": {gitKey, map[string]any{"kind": "AdminUser", "source": "manifest"}},
		"the bootstrap key": {fakeobjects.BootstrapKey, map[string]any{
			"kind": "Bootstrap", "id": nil, "name": "admin", "subject": "User/admin", "is_admin": true, "current": true,
			"key_prefix": nil, "created_at": nil, "issued_at": nil, "source": "setting", "object": nil,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			got := e.ownKey(t, c.key, http.MethodGet, "/apiv1/self", "")
			checkFields(t, got, c.want)
			if got["key_id"] != e.Ring.Digest(c.key).KeyID() || got["token"] != nil {
				t.Errorf("%v", got)
			}
			if len(e.Writes())+len(e.Trail.Entries()) > 0 {
				t.Errorf("writes %q, entries %v", e.Writes(), e.Trail.Entries())
			}
		})
	}
}

// A session stands for its key. A caller without a key has none to describe or rotate.
func TestOwnKey_OfOtherCallers(t *testing.T) {
	e := newEnv(t)
	e.Configure(t, config.Runtime{TrustProxyHeaders: true})
	e.PutUser(newUser("alice", nil), fakeobjects.AliceKey)
	for _, c := range []struct {
		name, header, value string
		status              int
	}{
		{"a session", "Cookie", credential.SessionCookie + "=" + fakeobjects.AliceSession, http.StatusOK},
		{"a name from a proxy", "X-Forwarded-User", "bob", http.StatusUnauthorized},
		{"a saved name", "Cookie", "keywright_user=bob", http.StatusUnauthorized},
		{"an anonymous caller", "X-Other", "x", http.StatusUnauthorized},
		{"an unknown key", "X-Api-Key", unknownKey, http.StatusUnauthorized},
	} {
		for _, verb := range []string{"GET /apiv1/self", "POST " + ownRotation} {
			method, path, _ := strings.Cut(verb, " ")
			r := httptest.NewRequest(method, path, http.NoBody)
			r.Header.Set(c.header, c.value)
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("%s: %s: %d %s, want %d", c.name, verb, w.Code, w.Body, c.status)
			}
		}
	}
	if e.Verifier.Verify(fakeobjects.AliceKey, e.Time()).Accepted() {
		t.Error("the session has not rotated its key")
	}
}

func TestRotateOwn_StartsTTLAgain(t *testing.T) {
	e := newEnv(t)
	key := renewingKey
	for range 3 {
		e.Pass(20 * time.Hour)
		got := e.ownKey(t, key, http.MethodPost, ownRotation, "")
		end := e.Time().Add(48 * time.Hour).Format(time.RFC3339)
		checkFields(t, got, map[string]any{
			"id": "uid-of-renewing", "expires_at": end, "current": true, "previous_ends_at": e.Time().Format(time.RFC3339),
		})
		if e.Verifier.Verify(key, e.Time()).Accepted() {
			t.Error("the former key is accepted")
		}
		key = got["token"].(string)
		checkFields(t, e.ownKey(t, key, http.MethodGet, "/apiv1/self", ""), map[string]any{"expires_at": end})
	}
}

// An overlapping key knows its end, and what came after it is not its own to rotate.
func TestRotateOwn_KeepsFormerKeyForOverlap(t *testing.T) {
	e := newEnv(t)
	next := e.ownKey(t, renewingKey, http.MethodPost, ownRotation, `{"overlap_seconds":600}`)
	end := e.Time().Add(10 * time.Minute).Format(time.RFC3339)
	checkFields(t, next, map[string]any{"previous_ends_at": end})
	checkFields(t, e.ownKey(t, renewingKey, http.MethodGet, "/apiv1/self", ""), map[string]any{
		"current": false, "expires_at": end, "key_prefix": renewingKey[:4],
	})
	got := e.ask(t, renewingKey, http.MethodPost, ownRotation, "")
	if got.status != http.StatusForbidden || got.text != lacks+": another key has succeeded the caller's" {
		t.Errorf("%d %s", got.status, got.body)
	}
	e.Pass(10 * time.Minute)
	if got := e.ask(t, renewingKey, http.MethodGet, "/apiv1/self", ""); got.status != http.StatusUnauthorized {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestRotateOwn_OfAdmin(t *testing.T) {
	e := newEnv(t)
	got := e.ownKey(t, danaKey, http.MethodPost, ownRotation, "{}")
	checkFields(t, got, map[string]any{"kind": "AdminUser", "name": "dana", "expires_at": nil})
	next := e.ownKey(t, got["token"].(string), http.MethodGet, "/apiv1/self", "")
	checkFields(t, next, map[string]any{"key_id": got["key_id"], "key_prefix": got["key_prefix"], "id": got["id"]})
	if e.Verifier.Verify(danaKey, e.Time()).Accepted() {
		t.Error("the former key is accepted")
	}
}

// rotateNow rotates a key as another caller does at the same time.
func rotateNow(tb testing.TB, e *env, o objects.Object) {
	tb.Helper()
	k, err := e.Generate()
	if err != nil {
		tb.Fatal(err)
	}
	if key, is := o.(*v1alpha1.APIKey); is {
		k.Owner = key.OwnerID()
	}
	if err := e.Store.Record(tb.Context(), o.DeepCopyObject().(objects.Object), k, 0); err != nil {
		tb.Fatal(err)
	}
}

// What happens between the check and the write decides, and a token that would be refused is not returned.
func TestRotateOwn_MeetsOtherChanges(t *testing.T) {
	const key = renewingKey
	for name, c := range map[string]struct {
		key       string
		meanwhile func(testing.TB, *env, objects.Object)
		status    int
		text      string
	}{
		"a rotation":               {key, rotateNow, http.StatusConflict, "API key renewing was rotated at"},
		"a rotation of an admin's": {danaKey, rotateNow, http.StatusConflict, "The key of 'dana' was rotated at"},
		"a revocation": {key, func(_ testing.TB, e *env, o objects.Object) {
			k := o.(*v1alpha1.APIKey).DeepCopy()
			k.Spec.State = v1alpha1.StateRevoked
			k.Status.RevokedAt = &metav1.Time{Time: e.Time()}
			e.Put(k)
		}, http.StatusConflict, "API key renewing is revoked for good"},
		"a deletion": {key, func(tb testing.TB, e *env, o objects.Object) {
			tb.Helper()
			if err := e.Store.Delete(tb.Context(), o); err != nil {
				tb.Fatal(err)
			}
		}, http.StatusNotFound, "API key not found"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.BeforeRecord = func(o objects.Object) { e.BeforeRecord = nil; c.meanwhile(t, e, o) }
			got := e.ask(t, c.key, http.MethodPost, ownRotation, "")
			if got.status != c.status || !strings.HasPrefix(got.text, c.text) || strings.Contains(got.body, "token") {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// A server whose view is behind does not describe a key that has ended.
func TestOwnKey_RefusesKeyThatIsNotRecorded(t *testing.T) {
	e := newEnv(t)
	k, err := e.Key(t.Context(), objects.ID{Kind: "APIKey", Namespace: "team", Name: "renewing"})
	if err != nil {
		t.Fatal(err)
	}
	stale, _ := convert.KeyObject(k)
	k.Status.Keys = []v1alpha1.KeyStatus{e.recorded("a-key-that-has-succeeded-it")}
	e.Put(k)
	e.Index.Put(verify.ID{Kind: "APIKey", Namespace: "team", Name: "renewing"}, stale)
	for _, verb := range []string{"GET /apiv1/self", "POST " + ownRotation} {
		method, path, _ := strings.Cut(verb, " ")
		want := map[string]int{http.MethodGet: http.StatusUnauthorized, http.MethodPost: http.StatusForbidden}[method]
		if got := e.ask(t, renewingKey, method, path, ""); got.status != want {
			t.Errorf("%s: %d %s", verb, got.status, got.body)
		}
	}
}
