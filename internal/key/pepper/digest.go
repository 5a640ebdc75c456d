package pepper

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
)

const (
	algorithm = "hmac-sha256"
	plainHash = "sha256"
	idLength  = 8
	// keyIDLength is the length of a key id in hex characters.
	keyIDLength = 16
)

// Plain stands for the id of a pepper in a digest without one: the SHA-256 of a key that was imported.
const Plain = ""

// ErrDigest is wrapped by every error of ParseDigest.
var ErrDigest = errors.New(
	"not a digest of the form hmac-sha256:<pepper id>:<64 hex characters> or sha256:<64 hex characters>")

// Sum is the HMAC-SHA-256 of a key, or its SHA-256 in a plain digest.
type Sum [sha256.Size]byte

// Digest is the stored form of a key.
type Digest struct {
	// PepperID is the id of the pepper of Sum: 8 hex characters, or Plain.
	PepperID string
	Sum      Sum
}

// String returns the stored form, hmac-sha256:<pepper id>:<hex> or sha256:<hex>.
func (d Digest) String() string {
	sum := hex.EncodeToString(d.Sum[:])
	if d.PepperID == Plain {
		return plainHash + ":" + sum
	}
	return algorithm + ":" + d.PepperID + ":" + sum
}

// KeyID returns the id of the key: the first 16 hex characters of the sum.
func (d Digest) KeyID() string {
	return hex.EncodeToString(d.Sum[:keyIDLength/2])
}

// IsKeyID reports whether a text has the form of a key id.
func IsKeyID(text string) bool { return isLowerHex(text, keyIDLength) }

// ParseDigest reads the stored form. It accepts lower-case hex only, so that a digest has one form.
func ParseDigest(s string) (Digest, error) {
	id, sum, found := split(s)
	if !found || !isLowerHex(sum, 2*sha256.Size) {
		return Digest{}, fmt.Errorf("%.100q is %w", s, ErrDigest)
	}
	d := Digest{PepperID: id}
	_, err := hex.Decode(d.Sum[:], []byte(sum))
	return d, err
}

// split returns the parts of a stored form, and whether it begins as one.
func split(s string) (id, sum string, found bool) {
	name, rest, _ := strings.Cut(s, ":")
	if name == plainHash {
		return Plain, rest, true
	}
	id, sum, _ = strings.Cut(rest, ":")
	return id, sum, name == algorithm && isLowerHex(id, idLength)
}

func isLowerHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

// hasher computes HMACs with one pepper, or hashes without one. It pools keyed states, because creating one costs as
// much as the HMAC of a key.
type hasher struct {
	id     string
	states sync.Pool
}

// state is a reusable hash with its buffers.
type state struct {
	hash  hash.Hash
	input []byte
	out   []byte
}

func newHasher(pepper []byte) *hasher {
	return hasherOf(IDOf(pepper), func() hash.Hash { return hmac.New(sha256.New, pepper) })
}

func hasherOf(id string, create func() hash.Hash) *hasher {
	h := &hasher{id: id}
	h.states.New = func() any {
		return &state{hash: create(), input: make([]byte, 0, 256), out: make([]byte, 0, sha256.Size)}
	}
	return h
}

func (h *hasher) sum(key string) Sum {
	s := h.states.Get().(*state)
	s.input = append(s.input[:0], key...)
	s.hash.Reset()
	s.hash.Write(s.input)
	sum := Sum(s.hash.Sum(s.out))
	// The pool must not keep plaintext.
	clear(s.input)
	h.states.Put(s)
	return sum
}
