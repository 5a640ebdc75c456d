package configcompiler

import (
	"context"
	"sync"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/operator/keysource"
)

// Formats provides the format of new keys, and knows the bootstrap keys that no object may have. Its zero value has
// neither yet. It is safe for concurrent use.
type Formats struct {
	mu     sync.Mutex
	format keyformat.Format
	known  bool
	// bootstrap has the digests of the bootstrap keys, and nothing else.
	bootstrap config.Runtime
	// waiting is true when Format has returned ErrFormatPending and the objects have not been requeued yet.
	waiting bool
}

// Format implements keysource.Formats.
func (f *Formats) Format() (keyformat.Format, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.known {
		f.waiting = true
		return keyformat.Format{}, keysource.ErrFormatPending
	}
	return f.format, nil
}

// IsBootstrap implements keysource.Bootstrap.
func (f *Formats) IsBootstrap(digest string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bootstrap.IsBootstrap(digest)
}

// setBootstrap takes the bootstrap keys of a configuration.
func (f *Formats) setBootstrap(from *config.Runtime) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bootstrap = config.Runtime{
		BootstrapDigest: from.BootstrapDigest, FormerBootstrapDigests: from.FormerBootstrapDigests,
	}
}

// set does not requeue objects that wait for the format: see requeueWaiting.
func (f *Formats) set(format keyformat.Format) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.format, f.known = format, true
}

func (f *Formats) isWaiting() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting
}

func (f *Formats) clearWaiting() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = false
}

// setFormat makes new keys use the format of this configuration.
func (r *Reconciler) setFormat(ctx context.Context, runtime *config.Runtime) error {
	r.Formats.set(runtime.Format())
	return r.requeueWaiting(ctx)
}

// requeueWaiting requeues every key object if one of them needed the format before it was known. A later change
// of the format requeues nothing: it rotates no key.
func (r *Reconciler) requeueWaiting(ctx context.Context) error {
	if !r.Formats.isWaiting() {
		return nil
	}
	if err := r.Scope.Requeue(ctx, r.Client, r.Requeue); err != nil {
		return err
	}
	r.Formats.clearWaiting()
	return nil
}
