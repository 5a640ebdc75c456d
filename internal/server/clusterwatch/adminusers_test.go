package clusterwatch

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/test/kit"
)

func newHandler(log *kit.Log) *keyObjects {
	return newAdminUsers(&verify.Index{}, namespace, slog.New(slog.NewJSONHandler(log, nil)))
}

func (h *keyObjects) verify(tb testing.TB, presented string) verify.Verdict {
	tb.Helper()
	return verify.NewVerifier(h.index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, keyring(tb)).Verify(presented,
		time.Now())
}

func TestAdminUser_SpeaksAsUsernameOrObjectName(t *testing.T) {
	handler := newHandler(&kit.Log{})
	named := user("object-name", alicesKey)
	named.Spec.Username = "Alice"
	handler.put(named)
	handler.put(user("bob", bobsKey))
	for presented, want := range map[string]string{alicesKey: "Alice", bobsKey: "bob"} {
		got := handler.verify(t, presented).Identity()
		if want := (verify.Identity{Username: want, Subject: "User/" + want, Admin: true}); got != want {
			t.Errorf("speaks as %+v, want %+v", got, want)
		}
	}
}

func TestAdminUser_UnreadableDigestIsIgnored(t *testing.T) {
	log := &kit.Log{}
	handler := newHandler(log)
	u := user("alice", alicesKey)
	// A plaintext in place of a digest must not be logged.
	u.Status.Keys = append([]v1alpha1.KeyStatus{{Digest: bobsKey}, {}}, u.Status.Keys...)
	handler.put(u)
	if got := handler.verify(t, alicesKey); !got.Accepted() {
		t.Errorf("the good key is %s", got.Reason)
	}
	if got := handler.verify(t, bobsKey); got.Accepted() {
		t.Error("a plaintext in the status is a key")
	}
	if n := len(log.Lines("unreadable")); n != 2 || len(log.Lines(bobsKey)) > 0 {
		t.Errorf("%d lines logged, with the plaintext: %v", n, log.Lines(bobsKey))
	}
}

func TestAdminUser_OfAnotherNamespaceHasNoKeys(t *testing.T) {
	handler := newHandler(&kit.Log{})
	elsewhere := user("alice", alicesKey)
	elsewhere.Namespace = "default"
	elsewhere.CreationTimestamp = metav1.Unix(1, 0)
	handler.put(elsewhere)
	if got := handler.verify(t, alicesKey); got.Reason != verify.Unknown {
		t.Errorf("the key in another namespace is %s", got.Reason)
	}
	handler.put(user("alice", bobsKey))
	if got := handler.verify(t, bobsKey); got.Reason != verify.Accepted {
		t.Errorf("the key in the system namespace is %s", got.Reason)
	}
}

func TestAdminUser_PendingKeyIsAccepted(t *testing.T) {
	handler := newHandler(&kit.Log{})
	u := user("alice", alicesKey)
	u.Status.Keys[0].State = v1alpha1.KeyPending
	handler.put(u)
	if got := handler.verify(t, alicesKey); !got.Accepted() {
		t.Errorf("got %s: a key that may be in a Secret already must be accepted", got.Reason)
	}
}

// The CRD refuses most of this, but a status can be written with almost any content.
func FuzzAdminUser(f *testing.F) {
	f.Add("alice", "Alice", "uid", keyring(f).Digest(alicesKey).String(), int64(0), "admin")
	f.Add("", "", "", "", int64(-1), "")
	f.Fuzz(func(t *testing.T, name, username, uid, digest string, expiresAt int64, role string) {
		handler := newHandler(&kit.Log{})
		u := user(name)
		u.Spec.Username, u.UID, u.Spec.Role = username, types.UID(uid), v1alpha1.Role(role)
		u.Status.Keys = []v1alpha1.KeyStatus{{Digest: digest, ExpiresAt: &metav1.Time{Time: time.Unix(expiresAt, 0)}},
			{Digest: digest}}
		trimmed, err := handler.trim(u)
		if err != nil {
			t.Fatal(err)
		}
		handler.put(u)
		handler.replace([]any{trimmed})
		_, err = pepper.ParseDigest(digest)
		if got, valid := handler.index.Len(), err == nil; valid != (got == 1) {
			t.Fatalf("%d keys, digest valid: %t", got, valid)
		}
		handler.remove(trimmed)
		if handler.index.Len() != 0 {
			t.Fatal("the key outlives its object")
		}
	})
}

// BenchmarkMemory measures the memory of an index of 100,000 AdminUsers.
func BenchmarkMemory(b *testing.B) {
	const users, most = 100_000, 1024
	ring := keyring(b)
	for b.Loop() {
		handler := newHandler(&kit.Log{})
		before := heap()
		for i := range users {
			u := user(fmt.Sprintf("user-%06d", i))
			u.UID = types.UID(strings.Clone("01234567-89ab-cdef-0123-456789abcdef"))
			u.Status.Keys = []v1alpha1.KeyStatus{{Digest: ring.Digest(strings.Repeat("k", 20) + u.Name).String()}}
			handler.put(u)
		}
		perKey := float64(heap()-before) / users
		b.ReportMetric(perKey, "B/key")
		if handler.index.Len() != users || perKey > most {
			b.Fatalf("%d keys take %.0f bytes each, more than %d", handler.index.Len(), perKey, most)
		}
	}
}

// BenchmarkMemoryOfAPIKeys measures the memory of an index of 100,000 APIKeys of 10,000 users, each with scopes, a
// role, a policy and a ttl. While they are listed, the reflector also has a trimmed object of each.
func BenchmarkMemoryOfAPIKeys(b *testing.B) {
	const keys, most = 100_000, 1024
	for b.Loop() {
		before := heap()
		index := &verify.Index{}
		handler := newAPIKeys(index, "", newPool(), slog.New(slog.DiscardHandler))
		records := make([]any, 0, keys)
		for i := range keys {
			record, _ := handler.trim(manyKeys(i))
			records = append(records, record)
		}
		handler.replace(records)
		atMost := float64(heap()-before) / keys
		clear(records)
		records = nil
		perKey := float64(heap()-before) / keys
		b.ReportMetric(perKey, "B/key")
		b.ReportMetric(atMost, "B/key-while-listed")
		if index.Len() != keys || perKey > most {
			b.Fatalf("%d keys take %.0f bytes each, more than %d", index.Len(), perKey, most)
		}
		runtime.KeepAlive(handler)
		runtime.KeepAlive(records)
	}
}

// manyKeys returns an APIKey that shares no memory with another, as decoded from the API server.
func manyKeys(i int) *v1alpha1.APIKey {
	name := fmt.Sprintf("key-%06d", i)
	k := apiKeyObject(name, v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: fmt.Sprint("user-", i%10_000)},
		strings.Repeat("k", 20)+name)
	k.Namespace = fmt.Sprint("team-", i%100)
	k.UID = types.UID(strings.Clone("01234567-89ab-cdef-0123-456789abcdef"))
	k.Spec.Scopes = []v1alpha1.Scope{v1alpha1.Scope(strings.Clone("certs.read")),
		v1alpha1.Scope(fmt.Sprint("certs.write", i%20))}
	k.Spec.Roles = []v1alpha1.RoleName{v1alpha1.RoleName(strings.Clone("reader"))}
	k.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{permission(v1alpha1.EffectDeny, "certs.delete")}}
	k.Spec.TTL = new(v1alpha1.Duration("2160h"))
	return k
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
