package issuer

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
)

func ringOf(t *testing.T, letters string) *pepper.Keyring {
	t.Helper()
	entries := map[string][]byte{}
	for i, letter := range letters {
		name := pepper.Active
		if i > 0 {
			name = string(letter)
		}
		entries[name] = []byte(strings.Repeat(string(letter), pepper.MinLength))
	}
	ring, err := pepper.Load(entries)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func keyOf(digest pepper.Digest) lifecycle.Key {
	return lifecycle.Key{ID: digest.KeyID(), Prefix: "ak_0", Digest: digest.String(), IssuedAt: noon}
}

func TestKeysSurviveTheirWrittenForm(t *testing.T) {
	ring := ringOf(t, "p")
	current, pending, ending := keyOf(ring.Digest("one")), keyOf(ring.Digest("two")), keyOf(ring.Digest("three"))
	pending.Pending = true
	ending.NotAfter = noon.Add(time.Hour)
	keys := []lifecycle.Key{current, pending, ending}
	if got := readKeys(writeKeys(keys)); !slices.Equal(got, keys) {
		t.Fatalf("got %+v, want %+v", got, keys)
	}
	if writeKeys(nil) != nil || writeKeys([]lifecycle.Key{}) != nil {
		t.Fatal("no keys are written as something")
	}
}

func TestTimesOfAKeyAreWholeSeconds(t *testing.T) {
	for _, c := range []struct{ fraction, issued, ends time.Duration }{
		{0, 0, 0},
		{1, 0, time.Second},
		{time.Second / 2, 0, time.Second},
		{time.Second - 1, 0, time.Second},
		{time.Second, time.Second, time.Second},
	} {
		k := lifecycle.Key{IssuedAt: noon.Add(c.fraction), NotAfter: noon.Add(c.fraction)}
		got := writeKeys([]lifecycle.Key{k})[0]
		if !got.IssuedAt.Time.Equal(noon.Add(c.issued)) {
			t.Errorf("%v: issued at %v: never later than it was", c.fraction, got.IssuedAt)
		}
		if !got.NotAfter.Time.Equal(noon.Add(c.ends)) {
			t.Errorf("%v: ends at %v: never earlier than promised", c.fraction, got.NotAfter)
		}
	}
}

func TestKeysThatAreNotOursAreNotRead(t *testing.T) {
	ring := ringOf(t, "p")
	good := ring.Digest("good")
	recorded := []v1alpha1.KeyStatus{
		{ID: "0000000000000000", Digest: good.String(), Prefix: "ak_0", IssuedAt: metav1.NewTime(noon)},
		{ID: "garbage", Digest: "garbage"},
		{ID: "upper", Digest: strings.ToUpper(good.String())},
		{ID: good.KeyID(), Digest: good.String(), Pending: true},
	}
	got := readKeys(recorded)
	if len(got) != 1 || got[0] != keyOf(good) {
		t.Fatalf("got %+v: want the first alone, with the id of its digest", got)
	}
}

func TestAKeyOfAnUnknownPepperIsDeadUnlessNoPepperIsKnownAtAll(t *testing.T) {
	b, known, lost := newBench(t), ringOf(t, "p").Digest("a"), ringOf(t, "x").Digest("b")
	h := holderNamed("alice")
	h.status().Keys = writeKeys([]lifecycle.Key{keyOf(known), keyOf(lost)})
	for ring, want := range map[*pepper.Keyring]lifecycle.Death{ringOf(t, "p"): lifecycle.PepperGone, nil: ""} {
		r := &run{Issuer: b.Issuer, holder: h, ring: ring}
		keys, err := r.recordedKeys(t.Context())
		if err != nil || keys[0].Dead != "" || keys[1].Dead != want {
			t.Errorf("got %+v, %v, want the second to be dead of %q", keys, err, want)
		}
	}
}
