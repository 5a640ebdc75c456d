package clusterwatch

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
)

// apiKeyObject is an APIKey in namespace default with one key for each plaintext.
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

func newKeySink() *holders {
	return newAPIKeys(&verify.Index{}, "", newPool(), slog.New(slog.DiscardHandler))
}

func TestAnAPIKeySpeaksAsItsSubjectAndIsNoAdmin(t *testing.T) {
	for kind, want := range map[v1alpha1.SubjectKind]verify.Identity{
		v1alpha1.SubjectUser:        {Username: "x.1", Subject: "User/x.1"},
		v1alpha1.SubjectAccount:     {Subject: "Account/x.1"},
		v1alpha1.SubjectIntegration: {Subject: "Integration/x.1"},
	} {
		sink := newKeySink()
		sink.put(apiKeyObject("k", v1alpha1.Subject{Kind: kind, Name: "x.1"}, alicesKey))
		if got := sink.verify(t, alicesKey); !got.Accepted() || got.Identity() != want || got.Rights() == nil {
			t.Errorf("%s as %+v, want %+v", got.Reason, got.Identity(), want)
		}
	}
}

// A key that speaks for nobody would be limited by nobody. The CRD lets none through.
func TestAnAPIKeyOfNobodyIsRefused(t *testing.T) {
	for _, subject := range []v1alpha1.Subject{{}, {Kind: v1alpha1.SubjectUser}, {Name: "alice"}} {
		sink := newKeySink()
		sink.put(apiKeyObject("k", subject, alicesKey))
		if got := sink.verify(t, alicesKey); got.Accepted() {
			t.Errorf("%+v: accepted as %+v", subject, got.Identity())
		}
	}
}

// Deletion first, and revoked before disabled: what can't be undone is what is said.
func TestWhyAnAPIKeyIsRefused(t *testing.T) {
	off, gone := false, metav1.Unix(1_900_000_000, 0)
	k := apiKeyObject("k", ci, alicesKey)
	for _, step := range []struct {
		change func()
		want   verify.Reason
	}{
		{func() {}, verify.Accepted},
		{func() { k.Spec.ExpiresAt = &metav1.Time{Time: time.Unix(1, 0)} }, verify.Expired},
		{func() { k.Spec.Enabled = &off }, verify.Disabled},
		{func() { k.Spec.Revoked = true }, verify.Revoked},
		{func() { k.DeletionTimestamp = &gone }, verify.Deleted},
	} {
		sink := newKeySink()
		step.change()
		sink.put(k)
		if got := sink.verify(t, alicesKey).Reason; got != step.want {
			t.Errorf("got %s, want %s", got, step.want)
		}
	}
}

func TestWhatKeysHaveInCommonIsKeptOnce(t *testing.T) {
	p := newPool()
	grant := func(i int) access.Rights { return access.Rights{Scopes: []string{fmt.Sprint("certs.read", i)}} }
	one := p.given(grant(1))
	if p.given(grant(1)) != one || p.given(grant(2)) == one {
		t.Error("what says the same is not the same, or the reverse")
	}
	for _, other := range []access.Rights{
		{Roles: []string{"certs.read1"}}, {Scopes: []string{"certs.read1", ""}}, {Scopes: []string{`certs.read1" "`}},
		{Scopes: []string{"\xff"}}, {Scopes: []string{"\xfe"}}, {Scopes: []string{"a b"}}, {Scopes: []string{"a", "b"}},
		{Permissions: []access.Permission{{StringEquals: map[string]string{"a": "b"}}}},
		{Permissions: []access.Permission{{StringEquals: map[string]string{"b": "a"}}}},
		{Permissions: []access.Permission{{Actions: []string{"a"}}}}, {Permissions: []access.Permission{{Resources: []string{"a"}}}},
	} {
		if got := p.given(other); fmt.Sprintf("%q", *got) != fmt.Sprintf("%q", other) {
			t.Errorf("%q became %q", other, *got)
		}
	}
	// What nothing uses any more is forgotten in time.
	for round := range 4 {
		for i := range 2 * fewestSwept {
			p.given(grant(round*1_000_000 + i))
		}
		runtime.GC()
	}
	if n := len(p.grants); n > 5*fewestSwept {
		t.Errorf("%d grants are remembered", n)
	}
	if p.given(grant(1)) != one {
		t.Error("what is in use was forgotten")
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
		k.Status.Keys = []v1alpha1.KeyStatus{{Digest: digest, NotAfter: &when, IssuedAt: when}, {Digest: digest}}
		sink := newKeySink()
		condensed, err := sink.condense(k)
		if err != nil {
			t.Fatal(err)
		}
		sink.put(k)
		sink.replace([]any{condensed})
		_, err = pepper.ParseDigest(digest)
		if got, valid := sink.index.Len(), err == nil; valid != (got == 1) {
			t.Fatalf("%d keys, digest valid: %t", got, valid)
		}
		if v := sink.verify(t, alicesKey); v.Accepted() && at <= time.Now().Unix() && convert.Duration(k.Spec.TTL) >= 0 {
			t.Fatal("accepted after its end")
		}
		sink.remove(condensed)
		if sink.index.Len() != 0 {
			t.Fatal("it stays when the object goes")
		}
	})
}
