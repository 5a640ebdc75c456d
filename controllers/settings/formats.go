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

// set says whether somebody has asked in vain before.
func (f *Formats) set(format key.Format) (missed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.format, f.known = format, true
	return f.missed
}

func (f *Formats) caughtUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.missed = false
}

// setFormat has new keys begin as this configuration says. A change rotates nothing: only who waited is asked to look
// again.
func (r *Reconciler) setFormat(ctx context.Context, runtime *settings.Runtime) error {
	if !r.Formats.set(runtime.Format()) {
		return nil
	}
	if err := r.Scope.Ask(ctx, r.Client, r.Ask); err != nil {
		return err
	}
	r.Formats.caughtUp()
	return nil
}
