package keyformat_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/key/keyformat"
)

var format = keyformat.Format{Prefix: keyformat.DefaultPrefix}

func generate(t testing.TB) string {
	t.Helper()
	k, err := format.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestGenerate_DocumentedForm(t *testing.T) {
	k := generate(t)
	if len(k) != 49 || !strings.HasPrefix(k, "ak_") {
		t.Fatalf("want 49 characters that begin with ak_, got %d beginning %q", len(k), k[:3])
	}
	if err := format.Check(k); err != nil {
		t.Fatal(err)
	}
	if got := format.Shown(k); got != k[:12] {
		t.Fatalf("shown %d characters, want 12", len(got))
	}
}

// The checksum is part of the contract: a scanner outside this program relies on it.
func TestGenerate_ChecksumIsCRC32InBase62(t *testing.T) {
	// Bytes 0 map to '0': crc32("ak_" + 40 zeros) = 3810572530 = base62 49slzG.
	k, err := format.Generate(bytes.NewReader(make([]byte, 50)))
	if err != nil {
		t.Fatal(err)
	}
	if want := "ak_" + strings.Repeat("0", 40) + "49slzG"; k != want {
		t.Fatalf("got %s, want %s", k, want)
	}
}

func TestCheck_DetectsEveryChangeOfOneCharacter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := generateRapid(t)
		at := rapid.IntRange(3, len(k)-1).Draw(t, "at")
		c := rapid.SampledFrom([]byte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")).Draw(t, "c")
		changed := k[:at] + string(c) + k[at+1:]
		if changed != k && !errors.Is(format.Check(changed), keyformat.ErrMistyped) {
			t.Fatalf("a change at %d was not detected", at)
		}
	})
}

func generateRapid(t *rapid.T) string {
	seed := rapid.SliceOfN(rapid.ByteRange(0, 247), 50, 50).Draw(t, "random")
	k, err := format.Generate(bytes.NewReader(seed))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestCheck(t *testing.T) {
	good := generate(t)
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"generated":                 {good, nil},
		"brought":                   {"correct-horse-battery", nil},
		"brought, shortest":         {strings.Repeat("x", 16), nil},
		"brought, longest":          {strings.Repeat("x", 256), nil},
		"generated, other prefix":   {"kw_" + good[3:], nil},
		"empty":                     {"", keyformat.ErrEmpty},
		"short":                     {strings.Repeat("x", 15), keyformat.ErrTooShort},
		"long":                      {strings.Repeat("x", 257), keyformat.ErrTooLong},
		"huge":                      {strings.Repeat("x", 1<<20), keyformat.ErrTooLong},
		"space":                     {"correct horse battery", keyformat.ErrCharacter},
		"line end":                  {"correct-horse-battery\n", keyformat.ErrCharacter},
		"NUL":                       {"correct-horse\x00-battery", keyformat.ErrCharacter},
		"not ASCII":                 {"correct-hörse-battery", keyformat.ErrCharacter},
		"invalid UTF-8":             {"correct-horse-\xff\xfe\xfd", keyformat.ErrCharacter},
		"truncated":                 {good[:48], keyformat.ErrMistyped},
		"one more":                  {good + "0", keyformat.ErrMistyped},
		"prefix alone, long enough": {"ak_0123456789012345", keyformat.ErrMistyped},
		"punctuation in the body":   {good[:20] + "-" + good[21:], keyformat.ErrMistyped},
		"twice":                     {good + good, keyformat.ErrMistyped},
	} {
		t.Run(name, func(t *testing.T) {
			if err := format.Check(c.in); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestShown_FourCharactersOfABroughtKey(t *testing.T) {
	for in, want := range map[string]string{
		"correct-horse-battery": "corr", "abc": "abc", "": "", "ak_0123456789012345": "ak_0",
	} {
		if got := format.Shown(in); got != want {
			t.Errorf("Shown(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestIsPrefix(t *testing.T) {
	for s, want := range map[string]bool{
		"ak_": true, "a_": true, "acme123_": true, "k8s_": true,
		"": false, "_": false, "ak": false, "1a_": false, "Ak_": false, "a-_": false, "a_b_": false,
		"acme1234_": false, "é_": false, "ak_\n": false,
	} {
		if got := keyformat.IsPrefix(s); got != want {
			t.Errorf("IsPrefix(%q) = %t", s, got)
		}
	}
}

func TestIsGenerated_AnyPrefix(t *testing.T) {
	for _, prefix := range []string{"a_", "acme_", "acme123_"} {
		other, err := keyformat.Format{Prefix: prefix}.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if format.Check(other) != nil || !keyformat.IsGenerated(other) || format.Shown(other) != other[:12] {
			t.Errorf(
				"a key with prefix %s is refused, not recognized or shown with %d characters", prefix,
				len(format.Shown(other)),
			)
		}
		shorter, longer := other[:len(other)-1], other+"0"
		if keyformat.IsGenerated(shorter) || keyformat.IsGenerated(longer) || len(format.Shown(longer)) != 4 {
			t.Errorf("a mistyped key with prefix %s counts as generated", prefix)
		}
	}
	for _, s := range []string{"", "correct-horse-battery", strings.Repeat("x", 49), "kw_" + generate(t)[3:]} {
		if keyformat.IsGenerated(s) {
			t.Errorf("a key of %d characters counts as generated", len(s))
		}
	}
}

func TestGenerate_FailsWithItsRandomSource(t *testing.T) {
	k, err := format.Generate(io.LimitReader(rand.Reader, 10))
	if err == nil || k != "" {
		t.Fatalf("got a key of %d characters and error %v", len(k), err)
	}
}

// A biased generator would make keys easier to guess. The statistic is chi-squared of 62 cells over 400,000
// characters.
func TestGenerate_CharactersAreEvenlyDistributed(t *testing.T) {
	counts := map[byte]int{}
	const keys = 10_000
	for range keys {
		k := generate(t)
		for i := 3; i < 43; i++ {
			counts[k[i]]++
		}
	}
	expected := float64(keys*40) / 62
	var chi float64
	for _, n := range counts {
		chi += math.Pow(float64(n)-expected, 2) / expected
	}
	// With 61 degrees of freedom, chance exceeds 150 once in 10^9 runs; b%62 of all bytes gives thousands.
	if len(counts) != 62 || chi > 150 {
		t.Fatalf("%d characters in use, chi-squared %.0f", len(counts), chi)
	}
}

func TestCheck_DoesNotAllocate(t *testing.T) {
	k := generate(t)
	if n := testing.AllocsPerRun(100, func() { _ = format.Check(k) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(generate(f))
	f.Add("")
	f.Add("ak_")
	f.Add(strings.Repeat("é", 20))
	f.Fuzz(func(t *testing.T, s string) {
		err := format.Check(s)
		shown := format.Shown(s)
		if !strings.HasPrefix(s, shown) || len(shown) > 12 {
			t.Fatalf("shown %q of %q", shown, s)
		}
		if err == nil && (len(s) < 16 || len(s) > 256) {
			t.Fatalf("accepted %d characters", len(s))
		}
		if err == nil && strings.HasPrefix(s, "ak_") && len(s) != 49 {
			t.Fatalf("accepted a malformed generated key of %d characters", len(s))
		}
	})
}

func TestRedact(t *testing.T) {
	onRecord := func(key string) bool { return key == "correct-horse-battery" }
	generated := generate(t)
	for text, want := range map[string]string{
		"": "", "alice": "alice", " alice ": " alice ", generated: keyformat.Redacted,
		" " + generated + "\n": keyformat.Redacted,
		generated[:48]:         generated[:48], "correct-horse-battery": keyformat.Redacted,
		" correct-horse-battery": keyformat.Redacted,
	} {
		if got := keyformat.Redact(text, onRecord); got != want {
			t.Errorf("a text of %d characters became %q", len(text), got)
		}
		if got := keyformat.IsKey(text, onRecord); got != (want == keyformat.Redacted) {
			t.Errorf("IsKey of a text of %d characters: %t", len(text), got)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	k := generate(b)
	for b.Loop() {
		if err := format.Check(k); err != nil {
			b.Fatal(err)
		}
	}
}
