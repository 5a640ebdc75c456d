package feed

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
	"keywright.dev/keywright/internal/key"
	"keywright.dev/keywright/internal/pepper"
	"keywright.dev/keywright/internal/verify"
)

func newSink(log *lines) *adminUsers {
	return &adminUsers{index: &verify.Index{}, namespace: namespace, log: slog.New(slog.NewJSONHandler(log, nil))}
}

func (a *adminUsers) verify(tb testing.TB, presented string) verify.Verdict {
	tb.Helper()
	return verify.NewVerifier(a.index, key.Format{Prefix: key.DefaultPrefix}, keyring(tb)).Verify(presented, time.Now())
}

func TestAKeySpeaksAsTheUsernameOrElseTheName(t *testing.T) {
	sink := newSink(&lines{})
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
	log := &lines{}
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
	if n := len(log.with("can't be read")); n != 2 || len(log.with(bobsKey)) > 0 {
		t.Errorf("%d lines logged, with the plaintext: %v", n, log.with(bobsKey))
	}
}

func TestInAnotherNamespaceAnAdminUserIsNobody(t *testing.T) {
	sink := newSink(&lines{})
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
	sink := newSink(&lines{})
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
		sink := newSink(&lines{})
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
		sink := newSink(&lines{})
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

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
