package convert_test

import (
	"slices"
	"strconv"
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

func newRing(t *testing.T) *pepper.Keyring {
	t.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: []byte(strings.Repeat("p", pepper.MinLength))})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func keyOf(digest pepper.Digest) lifecycle.Key {
	return lifecycle.Key{
		ID: digest.KeyID(), Prefix: "ak_0", Digest: digest.String(), IssuedAt: noon, State: lifecycle.StateCurrent,
	}
}

func TestKeys_ReadWhatKeyStatusesWrites(t *testing.T) {
	ring := newRing(t)
	current, pending, ending := keyOf(ring.Digest("one")), keyOf(ring.Digest("two")), keyOf(ring.Digest("three"))
	pending.State = lifecycle.StatePending
	ending.State, ending.ExpiresAt = lifecycle.StateOverlapping, noon.Add(time.Hour)
	keys := []lifecycle.Key{current, pending, ending}
	if got := convert.Keys(convert.KeyStatuses(keys)); !slices.Equal(got, keys) {
		t.Fatalf("got %+v, want %+v", got, keys)
	}
	if convert.KeyStatuses(nil) != nil || convert.KeyStatuses([]lifecycle.Key{}) != nil {
		t.Fatal("no keys are not written as nil")
	}
}

func TestKeyStatuses_RoundToWholeSeconds(t *testing.T) {
	for _, c := range []struct{ fraction, issued, ends time.Duration }{
		{0, 0, 0},
		{1, 0, time.Second},
		{time.Second / 2, 0, time.Second},
		{time.Second - 1, 0, time.Second},
		{time.Second, time.Second, time.Second},
	} {
		k := lifecycle.Key{IssuedAt: noon.Add(c.fraction), ExpiresAt: noon.Add(c.fraction)}
		got := convert.KeyStatuses([]lifecycle.Key{k})[0]
		if !got.IssuedAt.Time.Equal(noon.Add(c.issued)) {
			t.Errorf("%v: issued at %v: never later than it was", c.fraction, got.IssuedAt)
		}
		if !got.ExpiresAt.Time.Equal(noon.Add(c.ends)) {
			t.Errorf("%v: ends at %v: never earlier than promised", c.fraction, got.ExpiresAt)
		}
	}
}

// The spec sets the end of the current key of an APIKey, whatever is recorded. What is recorded of other keys counts.
func TestKeyObject_EndOfCurrentKeyIsThatOfTheSpec(t *testing.T) {
	ring := newRing(t)
	current, pending, overlapping := keyOf(ring.Digest("one")), keyOf(ring.Digest("two")), keyOf(ring.Digest("three"))
	pending.State, overlapping.State = lifecycle.StatePending, lifecycle.StateOverlapping
	keys := []lifecycle.Key{current, pending, overlapping}
	for i := range keys {
		keys[i].ExpiresAt = noon.Add(time.Hour)
	}
	apiKey := &v1alpha1.APIKey{}
	apiKey.Status.Keys = convert.KeyStatuses(keys)
	indexed, _ := convert.KeyObject(apiKey)
	for i, want := range []time.Time{{}, noon.Add(time.Hour), noon.Add(time.Hour)} {
		if got := indexed.Keys[i].ExpiresAt; !got.Equal(want) {
			t.Errorf("key %d ends at %v, want %v", i, got, want)
		}
	}
	user := &v1alpha1.AdminUser{}
	user.Status.Keys = apiKey.Status.Keys
	indexed, _ = convert.KeyObject(user)
	if got := indexed.Keys[0].ExpiresAt; !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("the key of an AdminUser, whose spec sets no end, ends at %v", got)
	}
}

// Whatever the order of the entries, the same one of each key counts.
func TestKeys_OrderHasNoMeaning(t *testing.T) {
	ring := newRing(t)
	rapid.Check(t, func(t *rapid.T) {
		var recorded []v1alpha1.KeyStatus
		states := []v1alpha1.KeyState{v1alpha1.KeyPending, v1alpha1.KeyCurrent, v1alpha1.KeyOverlapping, ""}
		for i := range rapid.IntRange(0, 8).Draw(t, "entries") {
			k := v1alpha1.KeyStatus{
				ID: strconv.Itoa(i), Digest: ring.Digest(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")).String(),
				State:    rapid.SampledFrom(states).Draw(t, "state"),
				IssuedAt: metav1.NewTime(noon.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "issued")) * time.Hour)),
			}
			if hours := rapid.IntRange(0, 2).Draw(t, "end"); hours > 0 {
				k.ExpiresAt = &metav1.Time{Time: noon.Add(time.Duration(hours) * time.Hour)}
			}
			recorded = append(recorded, k)
		}
		want := sortedByID(convert.Keys(recorded))
		shuffled := rapid.Permutation(recorded).Draw(t, "order")
		if got := sortedByID(convert.Keys(shuffled)); !slices.Equal(got, want) {
			t.Fatalf("%+v\n%+v", got, want)
		}
	})
}

func sortedByID(keys []lifecycle.Key) []lifecycle.Key {
	return slices.SortedFunc(slices.Values(keys), func(a, b lifecycle.Key) int { return strings.Compare(a.ID, b.ID) })
}

func TestKeys_IgnoresUnreadableAndRepeatedEntries(t *testing.T) {
	ring := newRing(t)
	good := ring.Digest("good")
	recorded := []v1alpha1.KeyStatus{
		{
			ID: "0000000000000000", Digest: good.String(), Prefix: "ak_0", IssuedAt: metav1.NewTime(noon),
			State: v1alpha1.KeyCurrent,
		},
		{ID: "garbage", Digest: "garbage"},
		{ID: "upper", Digest: strings.ToUpper(good.String())},
		{ID: good.KeyID(), Digest: good.String(), State: v1alpha1.KeyPending},
	}
	got := convert.Keys(recorded)
	if len(got) != 1 || got[0] != keyOf(good) {
		t.Fatalf("got %+v: want the first alone, with the id of its digest", got)
	}
}
