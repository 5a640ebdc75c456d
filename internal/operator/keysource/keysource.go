// Package keysource declares what the issuer needs before it can create a key: the keyring and the format of
// new keys. The controllers of the pepper and of the configuration provide them.
package keysource

import (
	"errors"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

// Peppers provides the keyring that new keys are digested with.
type Peppers interface {
	// Keyring returns ErrPepperPending until the pepper has been read. Any other error means that the pepper is
	// lost or broken; its text explains how to repair it.
	Keyring() (*pepper.Keyring, error)
}

// ErrPepperPending means that the pepper has not been read yet.
var ErrPepperPending = errors.New("the pepper has not been read yet")

// Formats provides the format of new keys.
type Formats interface {
	// Format returns ErrFormatPending until the configuration has been read.
	Format() (keyformat.Format, error)
}

// ErrFormatPending means that the configuration, which sets the prefix of keys, has not been read yet.
var ErrFormatPending = errors.New("the key format has not been read from the configuration yet")

// Bootstrap knows the bootstrap key, which no object may have.
type Bootstrap interface {
	// IsBootstrap reports whether the digest is that of the present or a former bootstrap key.
	IsBootstrap(digest string) bool
}
