package verify_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
)

// Limits of the cost of verification, measured in one run.
const (
	mostOfHMAC = 2.0 // times the cost of one HMAC of the same key, with 100,000 keys
	mostOfFew  = 1.3 // times the cost with 100 keys
)

// numbered returns a generated key that depends on the number alone.
func numbered(number uint64) string { return string(appendNumbered(nil, number)) }

func appendNumbered(dst []byte, number uint64) []byte {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	start := len(dst)
	dst = append(dst, keyformat.DefaultPrefix...)
	random := rand.NewPCG(number, 0)
	for range 4 {
		for bits, i := random.Uint64(), 0; i < 10; i++ {
			dst = append(dst, alphabet[bits%62])
			bits /= 62
		}
	}
	sum := crc32.ChecksumIEEE(dst[start:])
	dst = append(dst, "000000"...)
	for i := len(dst) - 1; sum > 0; i-- {
		dst[i] = alphabet[sum%62]
		sum /= 62
	}
	return dst
}

// batch is how many keys a presenter makes at a time.
const batch = 256

// presenter presents random keys to a verifier. It makes each key shortly before, like a server that reads it
// from a connection. Keeping 100,000 keys in memory would measure how long the presenter takes to fetch them.
type presenter struct {
	verifier *verify.Verifier
	from, to uint64 // the numbers of the keys
	buffer   []byte
	accepted int
}

// present makes batches of keys and returns how long their verification took.
func (c *presenter) present(batches int) (spent time.Duration) {
	var keys [batch]string
	for range batches {
		c.makeBatch(&keys)
		start := time.Now()
		for _, k := range keys {
			if v := c.verifier.Verify(k, now); v.Accepted() {
				c.accepted++
			}
		}
		spent += time.Since(start)
	}
	return spent
}

func (c *presenter) makeBatch(keys *[batch]string) {
	c.buffer = c.buffer[:0]
	for range keys {
		c.buffer = appendNumbered(c.buffer, c.from+rand.Uint64N(c.to-c.from))
	}
	length := len(c.buffer) / batch
	for i := range keys {
		// The strings are not used after the buffer changes. They share it so that no garbage is made.
		keys[i] = unsafe.String(&c.buffer[i*length], length)
	}
}

// filled returns a verifier of that many keys, each of a different user.
func filled(tb testing.TB, keys uint64) *verify.Verifier {
	tb.Helper()
	ring, index := keyring(tb), &verify.Index{}
	for i := range keys {
		name := fmt.Sprint("user-", i)
		index.Put(id(name), admin(name, ring.Digest(numbered(i))))
	}
	return verify.NewVerifier(index, format, ring)
}

// ending returns a verifier of that many APIKeys with an end, whose entries have to be fetched from memory.
func ending(tb testing.TB, keys uint64) *verify.Verifier {
	tb.Helper()
	ring, index := keyring(tb), &verify.Index{}
	rights := access.Rights{Scopes: []string{"certs.read"}}
	for i := range keys {
		name := fmt.Sprint("key-", i)
		h := apiKey(fmt.Sprint("user-", i), rights, ring.Digest(numbered(i)))
		h.UID, h.TTL = name, time.Hour
		index.Put(apiKeyID(name), h)
	}
	return verify.NewVerifier(index, format, ring)
}

// floor measures the least cost of verifying a key: an HMAC of it with a prepared state.
func floor() func(batches int) time.Duration {
	mac := hmac.New(sha256.New, bytes.Repeat([]byte{'p'}, 32))
	input, out := []byte(numbered(1)), make([]byte, 0, sha256.Size)
	return func(batches int) time.Duration {
		start := time.Now()
		for range batches * batch {
			mac.Reset()
			mac.Write(input)
			mac.Sum(out)
		}
		return time.Since(start)
	}
}

func perKey(spent time.Duration, batches int) float64 {
	return float64(spent.Nanoseconds()) / float64(batches*batch)
}

func BenchmarkHMAC(b *testing.B) { run(b, floor()) }

func BenchmarkVerify(b *testing.B) {
	for _, keys := range []uint64{100, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			c := &presenter{verifier: filled(b, keys), to: keys}
			run(b, c.present)
			if c.accepted == 0 {
				b.Fatal("no key was accepted")
			}
		})
	}
	b.Run("keys=100000,ending", func(b *testing.B) {
		c := &presenter{verifier: ending(b, 100_000), to: 100_000}
		run(b, c.present)
		if c.accepted == 0 {
			b.Fatal("no key was accepted")
		}
	})
	b.Run("unknown", func(b *testing.B) {
		c := &presenter{verifier: filled(b, 100_000), from: 100_000, to: 200_000}
		run(b, c.present)
		if c.accepted != 0 {
			b.Fatalf("%d unknown keys were accepted", c.accepted)
		}
	})
}

func run(b *testing.B, measure func(batches int) time.Duration) {
	b.ReportAllocs()
	b.ResetTimer()
	batches := b.N/batch + 1
	b.ReportMetric(perKey(measure(batches), batches), "ns/op")
}

// BenchmarkRatios measures everything in turns and compares the best turns, because other load can only add to
// a time. It fails if verification exceeds its limits.
func BenchmarkRatios(b *testing.B) {
	few := &presenter{verifier: filled(b, 100), to: 100}
	many := &presenter{verifier: filled(b, 100_000), to: 100_000}
	unknown := &presenter{verifier: many.verifier, from: 100_000, to: 200_000}
	for b.Loop() {
		best := bestOf(100, floor(), few.present, many.present, unknown.present)
		b.ReportMetric(best[0], "ns/hmac")
		b.ReportMetric(best[2]/best[0], "x-hmac")
		b.ReportMetric(best[2]/best[1], "x-100-keys")
		b.ReportMetric(best[3]/best[0], "unknown-x-hmac")
		if best[2] > mostOfHMAC*best[0] || best[2] > mostOfFew*best[1] {
			b.Errorf("with 100,000 keys: %.0f ns, want at most %.1f times %.0f ns (HMAC) and %.1f times %.0f ns (100 keys)",
				best[2], mostOfHMAC, best[0], mostOfFew, best[1])
		}
	}
}

// BenchmarkEnding measures verification of 100,000 keys with an end: one more fetch from memory. A caller that
// reads the identity next finds it in the same cache line.
func BenchmarkEnding(b *testing.B) {
	few := &presenter{verifier: filled(b, 100), to: 100}
	many := &presenter{verifier: ending(b, 100_000), to: 100_000}
	for b.Loop() {
		best := bestOf(100, floor(), few.present, many.present)
		b.ReportMetric(best[2]/best[0], "x-hmac")
		b.ReportMetric(best[2]/best[1], "x-100-keys")
	}
}

// BenchmarkRoleChange measures the change of a role that 100,000 keys use: each gets another end.
func BenchmarkRoleChange(b *testing.B) {
	ring, index := keyring(b), &verify.Index{}
	rights := access.Rights{Roles: []string{"role"}}
	for i := range uint64(100_000) {
		h := apiKey(fmt.Sprint("user-", i%1000), rights, ring.Digest(numbered(i)))
		index.Put(apiKeyID(fmt.Sprint("key-", i)), h)
	}
	ttl := time.Hour
	for b.Loop() {
		ttl += time.Hour
		index.PutRole("role", access.Role{MaxTTL: ttl})
	}
}

// bestOf returns the lowest nanoseconds per key of each measurement.
func bestOf(rounds int, measurements ...func(batches int) time.Duration) []float64 {
	return bestOfBatches(40, rounds, measurements...)
}

// bestOfBatches is bestOf for turns of that many batches.
func bestOfBatches(batches, rounds int, measurements ...func(batches int) time.Duration) []float64 {
	best := make([]float64, len(measurements))
	for range rounds {
		for i, measure := range measurements {
			if took := perKey(measure(batches), batches); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	return best
}
