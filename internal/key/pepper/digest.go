package pepper

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	algorithm = "hmac-sha256"
	idLength  = 8
	// keyIDLength is how many hex characters of the sum name a key in status, logs and headers.
	keyIDLength = 16
)

// ErrDigest is wrapped by every error of ParseDigest.
var ErrDigest = errors.New("not a digest of the form hmac-sha256:<pepper id>:<64 hex characters>")

// Sum is the HMAC-SHA-256 of a key.
type Sum [sha256.Size]byte

// Digest is what is stored of a key.
type Digest struct {
	// PepperID is the id of the pepper the sum was made with: 8 hex characters.
	PepperID string
	Sum      Sum
}

// String is the stored form, hmac-sha256:<pepper id>:<hex>.
func (d Digest) String() string {
	return algorithm + ":" + d.PepperID + ":" + hex.EncodeToString(d.Sum[:])
}

// KeyID names the key: the first 16 hex characters of the sum.
func (d Digest) KeyID() string {
	return hex.EncodeToString(d.Sum[:keyIDLength/2])
}

// ParseDigest reads the stored form. Only lower case hex is taken, so that a digest has one form.
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
