package peppersecret

import (
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/operator/keysource"
)

// Source provides the keyring. Its zero value has none yet. It is safe for concurrent use.
type Source struct {
	state atomic.Pointer[state]
}

// state is a keyring, or the error for which nothing may be issued.
type state struct {
	ring *pepper.Keyring
	err  error
}

// Keyring implements keysource.Peppers.
func (s *Source) Keyring() (*pepper.Keyring, error) {
	current := s.state.Load()
	if current == nil {
		return nil, keysource.ErrPepperPending
	}
	return current.ring, current.err
}

// set reports whether the state changed: reading the Secret again may give the same keyring.
func (s *Source) set(next state) (changed bool) {
	before := s.state.Swap(&next)
	return before == nil || !same(*before, next)
}

func same(a, b state) bool {
	if a.err != nil || b.err != nil {
		return a.err != nil && b.err != nil && a.err.Error() == b.err.Error()
	}
	if a.ring.Len() != b.ring.Len() {
		return false
	}
	for i := range a.ring.Len() {
		if a.ring.ID(i) != b.ring.ID(i) {
			return false
		}
	}
	return true
}

// recheckAfter returns when to check again although the Secret did not change. 0: never.
func (s state) recheckAfter() time.Duration {
	if s.err != nil {
		return recheck
	}
	return 0
}

// assess decides whether a pepper Secret may be used. digested has the ids of the peppers that recorded keys were
// digested with.
func assess(secret *corev1.Secret, digested map[string]bool) state {
	ring, err := pepper.Load(secret.Data)
	if err != nil {
		return state{err: fmt.Errorf( //nolint:staticcheck // begins with the name of a kind
			"Secret %s is broken: %w. Nothing is issued until it is restored", v1alpha1.PepperSecret, err)}
	}
	if verifiesNone(ring, digested) && secret.Annotations[v1alpha1.AnnotationAcceptNewPepper] != "true" {
		return state{err: fmt.Errorf( //nolint:staticcheck // begins with the name of a kind
			"Secret %s holds another pepper than the one the recorded keys were digested with: no key can be verified and "+
				"nothing is issued. Restore the Secret; or, to give up the keys, set annotation %s: \"true\" on it and "+
				"request new keys", v1alpha1.PepperSecret, v1alpha1.AnnotationAcceptNewPepper)}
	}
	return state{ring: ring}
}

// lost is the state in which keys are recorded and no pepper exists.
func lost() state {
	return state{err: fmt.Errorf( //nolint:staticcheck // begins with the name of a kind
		"Secret %s is lost, but recorded keys were digested with its pepper. Nothing is issued until it is restored from "+
			"a backup; to give up the keys, create a Secret with a new pepper and annotation %s: \"true\"",
		v1alpha1.PepperSecret, v1alpha1.AnnotationAcceptNewPepper)}
}

// verifiesNone reports whether keys are recorded and the keyring verifies none of them. If it verifies some,
// the pepper is the right one, and the issuer stalls the objects of the others one by one.
func verifiesNone(ring *pepper.Keyring, digested map[string]bool) bool {
	for id := range digested {
		if ring.Has(id) {
			return false
		}
	}
	return len(digested) > 0
}
