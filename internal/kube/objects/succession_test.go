package objects

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// succession is an APIKey, the key that succeeds, and which keys on record are dead.
type succession struct {
	object *v1alpha1.APIKey
	next   *Key
	now    time.Time
	maxTTL time.Duration
	dead   map[string]bool
}

func drawSuccession(t *rapid.T, ring *pepper.Keyring) *succession {
	fraction := rapid.SampledFrom([]time.Duration{0, 1, 600 * time.Millisecond}).Draw(t, "fraction")
	s := &succession{object: &v1alpha1.APIKey{}, dead: map[string]bool{}, now: noon.Add(fraction)}
	hours := rapid.IntRange(-3, 1).Draw(t, "created")
	s.object.CreationTimestamp = metav1.NewTime(noon.Add(time.Duration(hours) * time.Hour))
	s.object.Spec.Rotation = &v1alpha1.Rotation{Overlap: drawn(t, "overlap"), Every: drawn(t, "every")}
	s.object.Spec.TTL = drawn(t, "ttl")
	if offset := rapid.IntRange(0, 4).Draw(t, "expiresAt"); offset > 0 {
		s.object.Spec.ExpiresAt = &metav1.Time{Time: noon.Add(time.Duration(offset) * 45 * time.Minute)}
	}
	if ttl := drawn(t, "maxTTL"); ttl != nil {
		s.maxTTL = convert.Duration(ttl)
	}
	for i := range rapid.IntRange(0, lifecycle.MaxOverlapping+3).Draw(t, "keys") {
		k := v1alpha1.KeyStatus{Digest: ring.Digest(strings.Repeat("k", 16+i)).String(), Prefix: "ak_0"}
		k.ID = convert.Keys([]v1alpha1.KeyStatus{k})[0].ID
		k.IssuedAt = metav1.NewTime(noon.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "age")) * time.Minute))
		k.State = v1alpha1.KeyCurrent
		if i > 0 {
			k.State = v1alpha1.KeyOverlapping
		}
		if minutes := rapid.IntRange(-10, 100).Draw(t, "end"); i > 0 && minutes > -9 {
			k.ExpiresAt = &metav1.Time{Time: noon.Add(time.Duration(minutes) * time.Minute)}
		}
		if i > 0 && rapid.IntRange(0, 9).Draw(t, "pending") == 0 {
			k.State = v1alpha1.KeyPending
		}
		s.dead[k.ID] = rapid.IntRange(0, 9).Draw(t, "dead") == 0
		if rapid.IntRange(0, 9).Draw(t, "refused") == 0 {
			usage := &s.object.Status.Usage
			usage.Refused = append(usage.Refused, v1alpha1.RefusedKey{ID: k.ID, Reason: v1alpha1.ReasonRevokedKey})
		}
		s.object.Status.Keys = append(s.object.Status.Keys, k)
	}
	s.next = &Key{Digest: ring.Digest("the-key-that-succeeds-all-others"), Prefix: "ak_1"}
	return s
}

func drawn(t *rapid.T, label string) *v1alpha1.Duration {
	d := rapid.SampledFrom([]v1alpha1.Duration{"", "0s", "90s", "30m", "1h", "2h"}).Draw(t, label)
	if d == "" {
		return nil
	}
	return &d
}

// settle has the operator decide until it issues, waits or rests, and returns what is then on record.
func (s *succession) settle(t *rapid.T, keys []lifecycle.Key, holds string) []lifecycle.Key {
	spec := convert.Spec(s.object)
	spec.MaxTTL, spec.Every, spec.RotateRequest = s.maxTTL, 0, ""
	for range 5 {
		keys = slices.Clone(keys)
		for i := range keys {
			keys[i].Dead, keys[i].Refused = "", s.object.Status.RefusalOf(keys[i].ID) != nil
			if s.dead[keys[i].ID] {
				keys[i].Dead = lifecycle.PepperGone
			}
		}
		plan := lifecycle.Decide(lifecycle.Facts{
			Now: s.now, Spec: spec, Status: lifecycle.Status{Keys: keys, SecretName: spec.SecretName},
			Secret: lifecycle.Secret{Owner: lifecycle.Own, Live: true, Intact: true, KeyID: holds},
		})
		switch plan.Step {
		case lifecycle.Drop, lifecycle.Amend, lifecycle.Settle:
			keys = plan.Keys
		default:
			// Their order has no meaning.
			byID := func(a, b lifecycle.Key) int { return strings.Compare(a.ID, b.ID) }
			return slices.SortedFunc(slices.Values(convert.Keys(convert.KeyStatuses(keys))), byID)
		}
	}
	t.Fatal("the operator did not come to rest")
	return nil
}

// A key that the server records and one that the operator delivers leave the same keys on record: with what the
// operator alone knows, which keys are dead and which end roles set, as of its next decision.
func TestOperatorAndServer_AgreeOnSuccession(t *testing.T) {
	ring, err := pepper.Load(map[string][]byte{pepper.Active: []byte(strings.Repeat("p", pepper.MinLength))})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := drawSuccession(t, ring)
		store := &Store{Options: Options{Now: func() time.Time { return s.now }}}
		rested := s.settle(t, convert.Keys(s.object.Status.Keys), "")
		s.object.Status.Keys = convert.KeyStatuses(rested)
		spec := convert.Spec(s.object)
		issued := lifecycle.IssueTime(s.now, s.object.CreationTimestamp.Time)

		written := store.succeed(s.object, s.next, spec.Overlap)
		for _, k := range written {
			if k.State == v1alpha1.KeyOverlapping && s.object.Status.RefusalOf(k.ID) != nil {
				t.Fatalf("key %s is refused and overlaps", k.ID)
			}
		}
		if rapid.Bool().Draw(t, "the write is repeated") {
			s.object.Status.Keys = written
			written = store.succeed(s.object, s.next, spec.Overlap)
		}
		byServer := s.settle(t, convert.Keys(written), s.next.Digest.KeyID())

		spec.MaxTTL = s.maxTTL
		pending := lifecycle.Key{
			ID: s.next.Digest.KeyID(), Prefix: s.next.Prefix, Digest: s.next.Digest.String(),
			IssuedAt: issued, ExpiresAt: spec.RecordedEnd(issued), State: lifecycle.StatePending,
		}
		before := slices.DeleteFunc(rested, func(k lifecycle.Key) bool { return k.State == lifecycle.StatePending })
		byOperator := s.settle(t, append(before, pending), pending.ID)

		if !slices.Equal(byServer, byOperator) {
			t.Fatalf("by the server\n%+v\nby the operator\n%+v", byServer, byOperator)
		}
	})
}
