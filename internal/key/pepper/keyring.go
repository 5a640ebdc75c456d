package pepper

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Active is the name of the pepper for new digests. Other peppers only verify.
const Active = "active"

// Bounds of a pepper in bytes. The upper bound detects a wrong file.
const (
	MinLength = 32
	MaxLength = 1024
)

// Keyring holds the peppers of an instance. It is immutable and safe for concurrent use.
type Keyring struct {
	// peppers starts with the active one, which finds nearly every key.
	peppers []*hasher
}

// New returns a random pepper.
func New() ([]byte, error) {
	pepper := make([]byte, MinLength)
	_, err := rand.Read(pepper)
	return pepper, err
}

// Load returns a keyring of named peppers. The entry "active" makes new digests; the others only verify. An
// error names the entry and its problem, never its content.
func Load(entries map[string][]byte) (*Keyring, error) {
	if len(entries) == 0 {
		return nil, errors.New("it is empty")
	}
	active, ok := entries[Active]
	if !ok {
		return nil, fmt.Errorf("it has no entry %q", Active)
	}
	if err := checkLengths(entries); err != nil {
		return nil, err
	}
	ring := &Keyring{peppers: []*hasher{newHasher(active)}}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if added := newHasher(entries[name]); ring.find(added.id) == nil {
			ring.peppers = append(ring.peppers, added)
		}
	}
	return ring, nil
}

func checkLengths(entries map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if n := len(entries[name]); n < MinLength || n > MaxLength {
			return fmt.Errorf("entry %q has %d bytes, a pepper has %d to %d", name, n, MinLength, MaxLength)
		}
	}
	return nil
}

// ActiveID returns the id of the active pepper.
func (r *Keyring) ActiveID() string { return r.peppers[0].id }

// Len returns the number of peppers.
func (r *Keyring) Len() int { return len(r.peppers) }

// Has reports whether the keyring has the pepper of this id.
func (r *Keyring) Has(id string) bool { return r.find(id) != nil }

// Digest returns the digest of a key with the active pepper.
func (r *Keyring) Digest(key string) Digest {
	return Digest{PepperID: r.ActiveID(), Sum: r.Sum(0, key)}
}

// Sum returns the HMAC of a key with the i-th pepper; 0 is the active one. It does not allocate.
func (r *Keyring) Sum(i int, key string) Sum { return r.peppers[i].sum(key) }

// ID returns the id of the i-th pepper.
func (r *Keyring) ID(i int) string { return r.peppers[i].id }

func (r *Keyring) find(id string) *hasher {
	for _, p := range r.peppers {
		if p.id == id {
			return p
		}
	}
	return nil
}

// idOf returns the first 8 hex characters of the SHA-256 of a pepper, which are too few to reveal anything
// about it.
func idOf(pepper []byte) string {
	sum := sha256.Sum256(pepper)
	return hex.EncodeToString(sum[:idLength/2])
}
