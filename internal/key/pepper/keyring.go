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

// Bounds of a pepper in bytes. The upper bound detects a wrong file. A pepper that only verifies may be the secret of
// another system, whose keys were imported, and as short as MinOldLength.
const (
	MinLength    = 32
	MinOldLength = 16
	MaxLength    = 1024
)

// Keyring holds the peppers of an instance. It is immutable and safe for concurrent use.
type Keyring struct {
	// hashers starts with that of the active pepper, which finds nearly every key. The last is the plain one.
	hashers []*hasher
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
	ring := &Keyring{hashers: []*hasher{newHasher(active)}}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if added := newHasher(entries[name]); ring.find(added.id) == nil {
			ring.hashers = append(ring.hashers, added)
		}
	}
	ring.hashers = append(ring.hashers, hasherOf(Plain, sha256.New))
	return ring, nil
}

func checkLengths(entries map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		least := MinOldLength
		if name == Active {
			least = MinLength
		}
		if n := len(entries[name]); n < least || n > MaxLength {
			return fmt.Errorf("entry %q has %d bytes, it must have %d to %d", name, n, least, MaxLength)
		}
	}
	return nil
}

// ActiveID returns the id of the active pepper.
func (r *Keyring) ActiveID() string { return r.hashers[0].id }

// Len returns the number of peppers.
func (r *Keyring) Len() int { return len(r.hashers) - 1 }

// Forms returns the number of digests in which a key may be recorded: one for each pepper, and the plain one.
func (r *Keyring) Forms() int { return len(r.hashers) }

// Has reports whether the keyring can verify digests with this id of a pepper, or Plain.
func (r *Keyring) Has(id string) bool { return r.find(id) != nil }

// Digest returns the digest of a key with the active pepper.
func (r *Keyring) Digest(key string) Digest {
	return Digest{PepperID: r.ActiveID(), Sum: r.Sum(0, key)}
}

// Sum returns the i-th form of a key: the HMAC with the i-th pepper, where 0 is the active one, or at Len the plain
// hash. It does not allocate.
func (r *Keyring) Sum(i int, key string) Sum { return r.hashers[i].sum(key) }

// Form returns the digest of a key in the i-th form.
func (r *Keyring) Form(i int, key string) Digest {
	return Digest{PepperID: r.ID(i), Sum: r.Sum(i, key)}
}

// ID returns the id of the i-th pepper, or Plain at Len.
func (r *Keyring) ID(i int) string { return r.hashers[i].id }

func (r *Keyring) find(id string) *hasher {
	for _, p := range r.hashers {
		if p.id == id {
			return p
		}
	}
	return nil
}

// IDOf returns the id of a pepper: the first 8 hex characters of its SHA-256, which are too few to reveal anything
// about it.
func IDOf(pepper []byte) string {
	sum := sha256.Sum256(pepper)
	return hex.EncodeToString(sum[:idLength/2])
}
