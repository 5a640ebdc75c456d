package manage

import (
	"fmt"
	"log/slog"
)

// Secret is the plaintext of a new key. However it is printed, logged or encoded, only its name appears. The
// zero Secret is empty.
type Secret struct {
	name, plaintext string
}

// NewSecret returns the plaintext of a key. The name may be printed: "a key of User/alice".
func NewSecret(name, plaintext string) Secret { return Secret{name, plaintext} }

// Plaintext returns the key itself, for the one reply that carries it. It is empty for the zero Secret.
func (s Secret) Plaintext() string { return s.plaintext }

// String returns the name of the key.
func (s Secret) String() string { return s.name }

// GoString returns the name of the key.
func (s Secret) GoString() string { return s.name }

// Format writes the name of the key, whatever the verb.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(s.name)) }

// LogValue returns the name of the key.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.name) }

// MarshalText returns the name of the key.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.name), nil } //nolint:unparam // the interface has it
