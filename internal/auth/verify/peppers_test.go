package verify_test

import (
	"bytes"
	"maps"
	"testing"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
)

func TestKeysOfAPepperThatIsNotAtHandAreCounted(t *testing.T) {
	ours, lost := ringOf(t, "p"), ringOf(t, "q")
	index := &verify.Index{}
	verifier := verify.NewVerifier(index, format, ours)
	expect := func(what string, want map[string]int) {
		t.Helper()
		if got := verifier.UnknownPeppers(); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	bootstrap := lost.Digest(numbered(9))

	expect("nothing recorded", nil)
	index.Put(id("alice"), admin("alice", ours.Digest(numbered(1)), lost.Digest(numbered(2))))
	index.Put(id("bob"), admin("bob", lost.Digest(numbered(3)), lost.Digest(numbered(4))))
	expect("two objects", map[string]int{lost.ActiveID(): 3})
	index.SetBootstrap(&bootstrap)
	expect("the bootstrap key too", map[string]int{lost.ActiveID(): 4})

	verifier.SetKeyring(lost)
	expect("the other pepper is at hand", map[string]int{ours.ActiveID(): 1})
	verifier.SetKeyring(ringOf(t, "q", "p"))
	expect("both are", nil)
	verifier.SetKeyring(ours)
	expect("as before", map[string]int{lost.ActiveID(): 4})

	index.SetBootstrap(nil)
	index.Put(id("bob"), admin("bob", ours.Digest(numbered(3))))
	expect("a key digested anew", map[string]int{lost.ActiveID(): 1})
	index.Delete(id("alice"))
	index.Delete(id("alice"))
	expect("nobody is left", nil)
}

// ringOf has a pepper of each letter, the first one active.
func ringOf(t *testing.T, letters ...string) *pepper.Keyring {
	t.Helper()
	entries := map[string][]byte{}
	for i, letter := range letters {
		entries[map[bool]string{true: pepper.Active, false: letter}[i == 0]] = bytes.Repeat([]byte(letter), 32)
	}
	ring, err := pepper.Load(entries)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
