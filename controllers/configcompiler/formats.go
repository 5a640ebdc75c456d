package configcompiler

import (
	"context"
	"sync"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/operator/keysource"
)

// Formats is the form of new keys as it stands, for everybody who issues them. Its zero value does not know it
// yet. It is safe for concurrent use.
type Formats struct {
	mu     sync.Mutex
	format keyformat.Format
	known  bool
	// missed is true when somebody has asked in vain.
	missed bool
}

// Format is the present one; see keysource.Formats.
func (f *Formats) Format() (keyformat.Format, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.known {
		f.missed = true
		return keyformat.Format{}, keysource.ErrFormatPending
	}
	return f.format, nil
}

// set does not ask those again who have asked in vain: see askWhoWaited.
func (f *Formats) set(format keyformat.Format) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.format, f.known = format, true
}

func (f *Formats) hasMissed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.missed
}

func (f *Formats) caughtUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.missed = false
}

// setFormat has new keys begin as this configuration says.
func (r *Reconciler) setFormat(ctx context.Context, runtime *config.Runtime) error {
	r.Formats.set(runtime.Format())
	return r.askWhoWaited(ctx)
}

// askWhoWaited has those look again who wanted a key before it was known how one begins. Nobody else: a change
// rotates nothing.
func (r *Reconciler) askWhoWaited(ctx context.Context) error {
	if !r.Formats.hasMissed() {
		return nil
	}
	if err := r.Scope.Ask(ctx, r.Client, r.Ask); err != nil {
		return err
	}
	r.Formats.caughtUp()
	return nil
}
