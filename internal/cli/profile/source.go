package profile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/zalando/go-keyring"
)

const (
	// keyringService is the name under which keys are in the keyring. The account is the server's URL.
	keyringService = "keywright"
	// keyringTime is how long the keyring may take. It may wait for a person to unlock it, or hang without a desktop.
	keyringTime = 3 * time.Second
)

// KeySource says in a word or two where the key of the profile comes from: "none" without a key.
func (s *Server) KeySource() string {
	switch {
	case s.APIKey != "":
		return "file"
	case s.APIKeyCmd != nil:
		return "command " + s.APIKeyCmd[0]
	case s.Store == StoreKeyring:
		return "keyring"
	}
	return "none"
}

// Key returns the key of the profile, or "". A key from a command or the keyring that can't be had is an error:
// nothing else is tried.
func (s *Server) Key(ctx context.Context) (string, error) {
	switch {
	case s.APIKeyCmd != nil:
		return runKeyCommand(ctx, s.APIKeyCmd)
	case s.Store == StoreKeyring:
		return readKeyring(ctx, s.URL)
	}
	return s.APIKey, nil
}

func runKeyCommand(ctx context.Context, command []string) (string, error) {
	//nolint:gosec // the user's own configuration names the command
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	var out bytes.Buffer
	// The command may ask for a passphrase.
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, &out, os.Stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("api_key_cmd: %s: %w", command[0], err)
	}
	// Commands such as pass print further lines after the secret.
	key, _, _ := strings.Cut(out.String(), "\n")
	if key = strings.TrimSpace(key); key == "" {
		return "", fmt.Errorf("api_key_cmd: %s printed no key", command[0])
	}
	return key, nil
}

// within calls f and stops waiting after keyringTime.
func within[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := f()
		done <- outcome{value, err}
	}()
	ctx, cancel := context.WithTimeout(ctx, keyringTime)
	defer cancel()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return none, fmt.Errorf("no answer within %s", keyringTime)
		}
		return none, ctx.Err()
	}
}

func readKeyring(ctx context.Context, url string) (string, error) {
	key, err := within(ctx, func() (string, error) { return keyring.Get(keyringService, url) })
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return "", fmt.Errorf("the keyring has no key for %s", url)
	case err != nil:
		return "", fmt.Errorf("the keyring can't be read: %w", err)
	}
	return key, nil
}

// UnwritableKeyringError is a keyring that is absent, locked or slow, so that a key was not saved.
type UnwritableKeyringError struct{ cause error }

func (e *UnwritableKeyringError) Error() string {
	return "the keyring can't be written: " + e.cause.Error()
}

// Unwrap returns the cause.
func (e *UnwritableKeyringError) Unwrap() error { return e.cause }

func writeKeyring(ctx context.Context, url, key string) error {
	_, err := within(ctx, func() (struct{}, error) { return struct{}{}, keyring.Set(keyringService, url, key) })
	if err != nil {
		return &UnwritableKeyringError{cause: err}
	}
	return nil
}
