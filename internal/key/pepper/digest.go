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
	idLength  = 8
	// keyIDLength is the length of a key id in hex characters.
	keyIDLength = 16
)

// ErrDigest is wrapped by every error of ParseDigest.
var ErrDigest = errors.New("not a digest of the form hmac-sha256:<pepper id>:<64 hex characters>")

// Sum is the HMAC-SHA-256 of a key.
type Sum [sha256.Size]byte

// Digest is the stored form of a key.
type Digest struct {
	// PepperID is the id of the pepper of Sum: 8 hex characters.
	PepperID string
	Sum      Sum
}

// String returns the stored form, hmac-sha256:<pepper id>:<hex>.
func (d Digest) String() string {
	return algorithm + ":" + d.PepperID + ":" + hex.EncodeToString(d.Sum[:])
}

// KeyID returns the id of the key: the first 16 hex characters of the sum.
func (d Digest) KeyID() string {
	return hex.EncodeToString(d.Sum[:keyIDLength/2])
}

// IsKeyID reports whether a text has the form of a key id.
func IsKeyID(text string) bool { return isLowerHex(text, keyIDLength) }

// ParseDigest reads the stored form. It accepts lower-case hex only, so that a digest has one form.
func ParseDigest(s string) (Digest, error) {
	name, rest, _ := strings.Cut(s, ":")
	id, sum, _ := strings.Cut(rest, ":")
	if name != algorithm || !isLowerHex(id, idLength) || !isLowerHex(sum, 2*sha256.Size) {
		return Digest{}, fmt.Errorf("%.100q is %w", s, ErrDigest)
	}
	d := Digest{PepperID: id}
	_, err := hex.Decode(d.Sum[:], []byte(sum))
	return d, err
}

func isLowerHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

// hasher computes HMACs with one pepper. It pools keyed states, because creating one costs as much as the
// HMAC of a key.
type hasher struct {
	id     string
	states sync.Pool
}

// state is a reusable HMAC with its buffers.
type state struct {
	mac   hash.Hash
	input []byte
	out   []byte
}

func newHasher(pepper []byte) *hasher {
	h := &hasher{id: idOf(pepper)}
	h.states.New = func() any {
		return &state{
			mac:   hmac.New(sha256.New, pepper),
			input: make([]byte, 0, 256),
			out:   make([]byte, 0, sha256.Size),
		}
	}
	return h
}

func (h *hasher) sum(key string) Sum {
	s := h.states.Get().(*state)
	s.input = append(s.input[:0], key...)
	s.mac.Reset()
	s.mac.Write(s.input)
	sum := Sum(s.mac.Sum(s.out))
	// The pool must not keep plaintext.
	clear(s.input)
	h.states.Put(s)
	return sum
}
