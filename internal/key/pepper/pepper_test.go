package pepper_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/key/pepper"
)

const apiKey = "correct-horse-battery-staple"

func ring(t testing.TB, entries map[string][]byte) *pepper.Keyring {
	t.Helper()
	r, err := pepper.Load(entries)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bytesOf(c byte) []byte { return bytes.Repeat([]byte{c}, 32) }

func TestDigest_IsHMACWithTheActivePepper(t *testing.T) {
	mac := hmac.New(sha256.New, bytesOf('a'))
	mac.Write([]byte(apiKey))
	sum := hex.EncodeToString(mac.Sum(nil))
	id := sha256.Sum256(bytesOf('a'))

	d := ring(t, map[string][]byte{"active": bytesOf('a'), "2024": bytesOf('b')}).Digest(apiKey)

	if want := "hmac-sha256:" + hex.EncodeToString(id[:4]) + ":" + sum; d.String() != want {
		t.Fatalf("got %s, want %s", d, want)
	}
	if d.KeyID() != sum[:16] {
		t.Fatalf("key id %s, want %s", d.KeyID(), sum[:16])
	}
}

func TestParseDigest_ReadsString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := pepper.Digest{PepperID: rapid.StringMatching(`[0-9a-f]{8}`).Draw(t, "id")}
		copy(d.Sum[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "sum"))
		got, err := pepper.ParseDigest(d.String())
		if err != nil || got != d {
			t.Fatalf("got %v, %v, want %v", got, err, d)
		}
	})
}

func TestParseDigest_ReadsPlain(t *testing.T) {
	r, sum := ring(t, map[string][]byte{"active": bytesOf('a')}), sha256.Sum256([]byte(apiKey))
	stored := "sha256:" + hex.EncodeToString(sum[:])

	d, err := pepper.ParseDigest(stored)

	if err != nil || d.PepperID != pepper.Plain || d.Sum != sum || d.String() != stored {
		t.Fatalf("got %v, %v", d, err)
	}
	if form := r.Form(r.Len(), apiKey); form != d || r.Forms() != r.Len()+1 || !r.Has(pepper.Plain) {
		t.Fatalf("the last of %d forms is %s", r.Forms(), form)
	}
}

func TestParseDigest_Refuses(t *testing.T) {
	good := ring(t, map[string][]byte{"active": bytesOf('a')}).Digest(apiKey).String()
	for name, in := range map[string]string{
		"nothing":         "",
		"words":           "not a digest",
		"other algorithm": strings.Replace(good, "sha256", "sha512", 1),
		"no pepper id":    "hmac-sha256::" + good[21:],
		"plain with id":   good[5:],
		"plain, short":    "sha256:" + strings.Repeat("0", 63),
		"plain, long":     "sha256:" + strings.Repeat("0", 65),
		"plain, upper":    "sha256:" + strings.Repeat("A", 64),
		"plain, colon":    "sha256::" + strings.Repeat("0", 64),
		"short":           good[:len(good)-1],
		"long":            good + "0",
		"upper case":      strings.ToUpper(good),
		"huge":            strings.Repeat("f", 1<<20),
		"not UTF-8":       "hmac-sha256:\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pepper.ParseDigest(in)
			if !errors.Is(err, pepper.ErrDigest) {
				t.Fatalf("got %v", err)
			}
			if len(err.Error()) > 500 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestLoad_ErrorNamesTheEntryWithoutItsContent(t *testing.T) {
	short, old := []byte("short-and-secret"), []byte("shorter-secret!")
	for name, c := range map[string]struct {
		entries map[string][]byte
		text    string
	}{
		"nothing":   {nil, "is empty"},
		"no active": {map[string][]byte{"old": bytesOf('a')}, `no entry "active"`},
		"short":     {map[string][]byte{"active": short}, `"active" has 16 bytes`},
		"one short": {map[string][]byte{"active": bytesOf('a'), "old": old}, `"old" has 15 bytes, it must have 16`},
		"no bytes":  {map[string][]byte{"active": {}}, `"active" has 0 bytes`},
		"huge":      {map[string][]byte{"active": make([]byte, 1<<20)}, "32 to 1024"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pepper.Load(c.entries)
			if err == nil || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), string(short)) ||
				strings.Contains(err.Error(), string(old)) {
				t.Fatalf("got %v, want one with %q", err, c.text)
			}
		})
	}
}

func TestLoad_KeepsOldPeppersOnce(t *testing.T) {
	before := ring(t, map[string][]byte{"active": bytesOf('a')})
	after := ring(t, map[string][]byte{"active": bytesOf('b'), "old": bytesOf('a'), "again": bytesOf('a')})
	if after.Len() != 2 || !after.Has(before.ActiveID()) || after.Has("00000000") {
		t.Fatalf("%d peppers", after.Len())
	}
	if after.Sum(1, apiKey) != before.Digest(apiKey).Sum || after.ID(1) != before.ActiveID() {
		t.Fatal("the old pepper gives another sum than before")
	}
}

func TestLoad_TakesShortSecretOfAnotherSystemToVerify(t *testing.T) {
	secret := []byte("short-and-secret")
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(apiKey))
	r := ring(t, map[string][]byte{"active": bytesOf('a'), "imported": secret})
	if got := r.Form(1, apiKey); !bytes.Equal(got.Sum[:], mac.Sum(nil)) || got.PepperID != pepper.IDOf(secret) {
		t.Fatalf("got %s", got)
	}
}

func TestNew_RandomAndUsable(t *testing.T) {
	a, errA := pepper.New()
	b, errB := pepper.New()
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Fatal(errA, errB)
	}
	ring(t, map[string][]byte{"active": a})
}

func TestDigest_ConcurrentUse(t *testing.T) {
	r := ring(t, map[string][]byte{"active": bytesOf('a')})
	var wg sync.WaitGroup
	for i := range 8 {
		key := strings.Repeat(string(rune('a'+i)), 40)
		want := r.Digest(key)
		wg.Go(func() {
			for range 1000 {
				if r.Digest(key) != want {
					t.Error("a digest changed under concurrent use")
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzParseDigest(f *testing.F) {
	f.Add("hmac-sha256:0a1b2c3d:" + strings.Repeat("0f", 32))
	f.Add("sha256:" + strings.Repeat("0f", 32))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := pepper.ParseDigest(s); err == nil && d.String() != s {
			t.Fatalf("%q was read as %q", s, d)
		}
	})
}
