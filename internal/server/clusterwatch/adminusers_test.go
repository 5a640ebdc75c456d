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

func newSink(log *kit.Log) *holders {
	return newAdminUsers(&verify.Index{}, namespace, slog.New(slog.NewJSONHandler(log, nil)))
}

func (h *holders) verify(tb testing.TB, presented string) verify.Verdict {
	tb.Helper()
	return verify.NewVerifier(h.index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, keyring(tb)).Verify(presented, time.Now())
}

func TestAKeySpeaksAsTheUsernameOrElseTheName(t *testing.T) {
	sink := newSink(&kit.Log{})
	named := user("object-name", alicesKey)
	named.Spec.Username = "Alice"
	sink.put(named)
	sink.put(user("bob", bobsKey))
	for presented, want := range map[string]string{alicesKey: "Alice", bobsKey: "bob"} {
		got := sink.verify(t, presented).Identity()
		if want := (verify.Identity{Username: want, Subject: "User/" + want, Admin: true}); got != want {
			t.Errorf("speaks as %+v, want %+v", got, want)
		}
	}
}

func TestADigestThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	log := &kit.Log{}
	sink := newSink(log)
	u := user("alice", alicesKey)
	// Somebody put a plaintext where a digest belongs: of all things that must not be logged.
	u.Status.Keys = append([]v1alpha1.KeyStatus{{Digest: bobsKey}, {}}, u.Status.Keys...)
	sink.put(u)
	if got := sink.verify(t, alicesKey); !got.Accepted() {
		t.Errorf("the good key is %s", got.Reason)
	}
	if got := sink.verify(t, bobsKey); got.Accepted() {
		t.Error("a plaintext in the status is a key")
	}
	if n := len(log.Lines("can't be read")); n != 2 || len(log.Lines(bobsKey)) > 0 {
		t.Errorf("%d lines logged, with the plaintext: %v", n, log.Lines(bobsKey))
	}
}

func TestInAnotherNamespaceAnAdminUserIsNobody(t *testing.T) {
	sink := newSink(&kit.Log{})
	elsewhere := user("alice", alicesKey)
	elsewhere.Namespace = "default"
	elsewhere.CreationTimestamp = metav1.Unix(1, 0)
	sink.put(elsewhere)
	if got := sink.verify(t, alicesKey); got.Reason != verify.Unknown {
		t.Errorf("its key is %s", got.Reason)
	}
	sink.put(user("alice", bobsKey))
	if got := sink.verify(t, bobsKey); got.Reason != verify.Accepted {
		t.Errorf("the key of the one that counts is %s", got.Reason)
	}
}

func TestPendingKeysAreAccepted(t *testing.T) {
	sink := newSink(&kit.Log{})
	u := user("alice", alicesKey)
	u.Status.Keys[0].Pending = true
	sink.put(u)
	if got := sink.verify(t, alicesKey); !got.Accepted() {
		t.Errorf("it is %s: a key that can be read in a Secret must work already", got.Reason)
	}
}

// The API server keeps most of this from happening; whoever may write a status there can still write anything.
func FuzzAdminUser(f *testing.F) {
	f.Add("alice", "Alice", "uid", keyring(f).Digest(alicesKey).String(), int64(0), "admin")
	f.Add("", "", "", "", int64(-1), "")
	f.Fuzz(func(t *testing.T, name, username, uid, digest string, notAfter int64, role string) {
		sink := newSink(&kit.Log{})
		u := user(name)
		u.Spec.Username, u.UID, u.Spec.Role = username, types.UID(uid), v1alpha1.Role(role)
		u.Status.Keys = []v1alpha1.KeyStatus{{Digest: digest, NotAfter: &metav1.Time{Time: time.Unix(notAfter, 0)}}, {Digest: digest}}
		condensed, err := sink.condense(u)
		if err != nil {
			t.Fatal(err)
		}
		sink.put(u)
		sink.replace([]any{condensed})
		_, err = pepper.ParseDigest(digest)
		if got, valid := sink.index.Len(), err == nil; valid != (got == 1) {
			t.Fatalf("%d keys, digest valid: %t", got, valid)
		}
		sink.remove(condensed)
		if sink.index.Len() != 0 {
			t.Fatal("it stays when the object goes")
		}
	})
}

// BenchmarkMemory takes what the index keeps of 100,000 AdminUsers as they come from the API server.
func BenchmarkMemory(b *testing.B) {
	const users, most = 100_000, 1024
	ring := keyring(b)
	for b.Loop() {
		sink := newSink(&kit.Log{})
		before := heap()
		for i := range users {
			u := user(fmt.Sprintf("user-%06d", i))
			u.UID = types.UID(strings.Clone("01234567-89ab-cdef-0123-456789abcdef"))
			u.Status.Keys = []v1alpha1.KeyStatus{{Digest: ring.Digest(strings.Repeat("k", 20) + u.Name).String()}}
			sink.put(u)
		}
		perKey := float64(heap()-before) / users
		b.ReportMetric(perKey, "B/key")
		if sink.index.Len() != users || perKey > most {
			b.Fatalf("%d keys take %.0f bytes each, at most %d may", sink.index.Len(), perKey, most)
		}
	}
}

// BenchmarkMemoryOfAPIKeys takes the same of 100,000 APIKeys of 10,000 users, each with scopes, a role, a policy and a
// ttl, as some templates would make them. While they are listed, the reflector holds a record of each besides.
func BenchmarkMemoryOfAPIKeys(b *testing.B) {
	const keys, most = 100_000, 1024
	for b.Loop() {
		before := heap()
		index := &verify.Index{}
		sink := newAPIKeys(index, "", newPool(), slog.New(slog.DiscardHandler))
		records := make([]any, 0, keys)
		for i := range keys {
			record, _ := sink.condense(manyKeys(i))
			records = append(records, record)
		}
		sink.replace(records)
		atMost := float64(heap()-before) / keys
		clear(records)
		records = nil
		perKey := float64(heap()-before) / keys
		b.ReportMetric(perKey, "B/key")
		b.ReportMetric(atMost, "B/key-while-listed")
		if index.Len() != keys || perKey > most {
			b.Fatalf("%d keys take %.0f bytes each, at most %d may", index.Len(), perKey, most)
		}
		runtime.KeepAlive(sink)
		runtime.KeepAlive(records)
	}
}

// manyKeys is an APIKey with no memory in common with another, as it comes from the API server.
func manyKeys(i int) *v1alpha1.APIKey {
	name := fmt.Sprintf("key-%06d", i)
	k := apiKeyObject(name, v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: fmt.Sprint("user-", i%10_000)}, strings.Repeat("k", 20)+name)
	k.Namespace = fmt.Sprint("team-", i%100)
	k.UID = types.UID(strings.Clone("01234567-89ab-cdef-0123-456789abcdef"))
	k.Spec.Scopes = []v1alpha1.Scope{v1alpha1.Scope(strings.Clone("certs.read")), v1alpha1.Scope(fmt.Sprint("certs.write", i%20))}
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
