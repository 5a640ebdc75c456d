package settings

import (
	"context"
	"sync"

	"keywright.dev/keywright/internal/issuer"
	"keywright.dev/keywright/internal/key"
	"keywright.dev/keywright/internal/settings"
)

// Formats is the form of new keys as it stands, for everybody who issues them. Its zero value does not know it yet. It is
// safe for concurrent use.
type Formats struct {
	mu     sync.Mutex
	format key.Format
	known  bool
	// missed is true when somebody has asked in vain.
	missed bool
}

// Format is the present one; see issuer.Formats.
func (f *Formats) Format() (key.Format, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.known {
		f.missed = true
		return key.Format{}, issuer.ErrFormatPending
	}
	return f.format, nil
}

// set does not ask those again who have asked in vain: see askWhoWaited.
func (f *Formats) set(format key.Format) {
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
func (r *Reconciler) setFormat(ctx context.Context, runtime *settings.Runtime) error {
	r.Formats.set(runtime.Format())
	return r.askWhoWaited(ctx)
}

// askWhoWaited has those look again who wanted a key before it was known how one begins. Nobody else: a change rotates
// nothing.
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
