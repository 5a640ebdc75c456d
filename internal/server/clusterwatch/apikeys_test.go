package clusterwatch

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/server/endedkeys"
)

// apiKeyObject returns an APIKey in namespace default with one key for each plaintext.
func apiKeyObject(name string, subject v1alpha1.Subject, plaintexts ...string) *v1alpha1.APIKey {
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.Unix(1_800_000_000, 0),
	}}
	k.APIVersion, k.Kind = "keywright.dev/v1alpha1", "APIKey"
	k.Spec.Subject = subject
	for _, plaintext := range plaintexts {
		k.Status.Keys = append(k.Status.Keys, keyStatus(plaintext))
	}
	return k
}

func newAPIKeyHandler() *keyObjects {
	return newAPIKeys(&verify.Index{}, "", newPool(), slog.New(slog.DiscardHandler))
}

func TestAPIKey_SpeaksAsSubjectAndNeverAsAdmin(t *testing.T) {
	for kind, want := range map[v1alpha1.SubjectKind]verify.Identity{
		v1alpha1.SubjectUser:        {Username: "x.1", Subject: "User/x.1"},
		v1alpha1.SubjectAccount:     {Subject: "Account/x.1"},
		v1alpha1.SubjectIntegration: {Subject: "Integration/x.1"},
	} {
		handler := newAPIKeyHandler()
		handler.put(apiKeyObject("k", v1alpha1.Subject{Kind: kind, Name: "x.1"}, alicesKey))
		if got := handler.verify(t, alicesKey); !got.Accepted() || got.Identity() != want || got.Rights() == nil {
			t.Errorf("%s as %+v, want %+v", got.Reason, got.Identity(), want)
		}
	}
}

// Nothing would limit a key without a subject. The CRD refuses such objects.
func TestAPIKey_WithoutSubjectIsRefused(t *testing.T) {
	for _, subject := range []v1alpha1.Subject{{}, {Kind: v1alpha1.SubjectUser}, {Name: "alice"}} {
		handler := newAPIKeyHandler()
		handler.put(apiKeyObject("k", subject, alicesKey))
		if got := handler.verify(t, alicesKey); got.Accepted() {
			t.Errorf("%+v: accepted as %+v", subject, got.Identity())
		}
	}
}

// The reason that can't be undone comes first.
func TestAPIKey_ReasonOfRefusal(t *testing.T) {
	gone := metav1.Unix(1_900_000_000, 0)
	k := apiKeyObject("k", ci, alicesKey)
	for _, step := range []struct {
		change func()
		want   verify.Reason
	}{
		{func() {}, verify.Accepted},
		{func() { k.Spec.ExpiresAt = &metav1.Time{Time: time.Unix(1, 0)} }, verify.Expired},
		{func() { k.Spec.State = v1alpha1.StateDisabled }, verify.Disabled},
		{func() { k.Spec.State = v1alpha1.StateRevoked }, verify.Revoked},
		{func() { k.DeletionTimestamp = &gone }, verify.Deleted},
	} {
		handler := newAPIKeyHandler()
		step.change()
		handler.put(k)
		if got := handler.verify(t, alicesKey).Reason; got != step.want {
			t.Errorf("got %s, want %s", got, step.want)
		}
	}
}

func TestPool_SharesEqualRights(t *testing.T) {
	p := newPool()
	rights := func(i int) access.Rights { return access.Rights{Scopes: []string{fmt.Sprint("certs.read", i)}} }
	one := p.rights(rights(1))
	if p.rights(rights(1)) != one || p.rights(rights(2)) == one {
		t.Error("equal rights are not shared, or different ones are")
	}
	for _, other := range []access.Rights{
		{Roles: []string{"certs.read1"}}, {Scopes: []string{"certs.read1", ""}}, {Scopes: []string{`certs.read1" "`}},
		{Scopes: []string{"\xff"}}, {Scopes: []string{"\xfe"}}, {Scopes: []string{"a b"}}, {Scopes: []string{"a", "b"}},
		{Permissions: []access.Permission{{StringEquals: map[string]string{"a": "b"}}}},
		{Permissions: []access.Permission{{StringEquals: map[string]string{"b": "a"}}}},
		{Permissions: []access.Permission{{Actions: []string{"a"}}}},
		{Permissions: []access.Permission{{Resources: []string{"a"}}}},
	} {
		if got := p.rights(other); fmt.Sprintf("%q", *got) != fmt.Sprintf("%q", other) {
			t.Errorf("%q became %q", other, *got)
		}
	}
	// Unused rights are removed in time.
	for round := range 4 {
		for i := range 2 * minSweep {
			p.rights(rights(round*1_000_000 + i))
		}
		runtime.GC()
	}
	if n := len(p.given); n > 5*minSweep {
		t.Errorf("%d unused rights are left", n)
	}
	if p.rights(rights(1)) != one {
		t.Error("rights in use were removed")
	}
	runtime.KeepAlive(one)
}

func FuzzAPIKey(f *testing.F) {
	f.Add("ci", "User", "alice", keyring(f).Digest(alicesKey).String(), int64(0), "90m", "certs.read", "ALLOW")
	f.Add("", "", "", "", int64(-1), "\xff", "", "")
	f.Fuzz(func(t *testing.T, name, kind, subject, digest string, at int64, ttl, scope, effect string) {
		k := apiKeyObject(name, v1alpha1.Subject{Kind: v1alpha1.SubjectKind(kind), Name: subject})
		when := metav1.Time{Time: time.Unix(at, 0)}
		k.Spec.ExpiresAt, k.Spec.TTL = &when, new(v1alpha1.Duration(ttl))
		k.Spec.Scopes = []v1alpha1.Scope{v1alpha1.Scope(scope)}
		k.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{Effect: v1alpha1.Effect(effect)}}}
		k.Status.Keys = []v1alpha1.KeyStatus{{Digest: digest, ExpiresAt: &when, IssuedAt: when}, {Digest: digest}}
		handler := newAPIKeyHandler()
		trimmed, err := handler.trim(k)
		if err != nil {
			t.Fatal(err)
		}
		handler.put(k)
		handler.replace([]any{trimmed})
		_, err = pepper.ParseDigest(digest)
		if got, valid := handler.index.Len(), err == nil; valid != (got == 1) {
			t.Fatalf("%d keys, digest valid: %t", got, valid)
		}
		if v := handler.verify(t, alicesKey); v.Accepted() && at <= time.Now().Unix() && convert.Duration(k.Spec.TTL) >= 0 {
			t.Fatal("accepted after its end")
		}
		handler.remove(trimmed)
		if handler.index.Len() != 0 {
			t.Fatal("the key outlives its object")
		}
	})
}

func TestHandlers_PublishRevokedKeys(t *testing.T) {
	const former = "the-former-key-of-it"
	formerDigest := keyStatus(former).Digest
	var published []pepper.Digest
	publisher := endedkeys.New(func(keys []pepper.Digest) { published = append(published, keys...) })
	ring := keyring(t)
	admin := func(role v1alpha1.Role, namespace string) *v1alpha1.AdminUser {
		u := user("alice", alicesKey)
		u.Namespace, u.Spec.Role = namespace, role
		return u
	}
	apiKey := func(state v1alpha1.State) *v1alpha1.APIKey {
		k := apiKeyObject("k", ci, alicesKey)
		k.Spec.State = state
		return k
	}
	dropped := apiKey(v1alpha1.StateRevoked)
	dropped.Status.Keys, dropped.Status.RevokedDigests = nil, []string{formerDigest, "not a digest"}
	for name, c := range map[string]struct {
		object any
		want   []string
	}{
		"an active APIKey":             {apiKey(v1alpha1.StateActive), nil},
		"a disabled APIKey":            {apiKey(v1alpha1.StateDisabled), nil},
		"a revoked APIKey":             {apiKey(v1alpha1.StateRevoked), []string{alicesKey}},
		"an APIKey whose key is gone":  {dropped, []string{former}},
		"an admin":                     {admin(v1alpha1.RoleAdmin, namespace), nil},
		"a demoted admin":              {admin(v1alpha1.RoleUser, namespace), []string{alicesKey}},
		"an admin of another instance": {admin(v1alpha1.RoleUser, "another"), nil},
	} {
		for how, take := range map[string]func(*keyObjects){
			"put":     func(h *keyObjects) { h.put(c.object) },
			"replace": func(h *keyObjects) { h.replace([]any{c.object}) },
		} {
			published = nil
			handler := newAPIKeyHandler()
			if _, isUser := c.object.(*v1alpha1.AdminUser); isUser {
				handler = newAdminUsers(&verify.Index{}, namespace, slog.New(slog.DiscardHandler))
			}
			handler.revokedKeys = publisher
			take(handler)
			var want []pepper.Digest
			for _, plaintext := range c.want {
				want = append(want, ring.Digest(plaintext))
			}
			if !slices.Equal(published, want) {
				t.Errorf("%s of %s: published %v, want %v", how, name, published, want)
			}
		}
	}
}
