package peppersecret

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/pepper"
)

// assess reads a pepper Secret and says whether it may be used: digested are the ids of the peppers that recorded
// keys were digested with.
func assess(secret *corev1.Secret, digested map[string]bool) state {
	ring, err := pepper.Load(secret.Data)
	if err != nil {
		return state{err: fmt.Errorf("Secret %s is broken: %w. Nothing is issued until it is restored", v1alpha1.PepperSecret, err)} //nolint:staticcheck // begins with the name of a kind
	}
	if foreign(ring, digested) && secret.Annotations[v1alpha1.AnnotationAcceptNewPepper] != "true" {
		return state{err: fmt.Errorf( //nolint:staticcheck // begins with the name of a kind
			"Secret %s holds another pepper than the recorded keys were digested with: no key can be verified and nothing is issued. Restore the Secret, "+
				"or give the keys up with annotation %s: \"true\" on it and ask for new ones", v1alpha1.PepperSecret, v1alpha1.AnnotationAcceptNewPepper)}
	}
	return state{ring: ring}
}

// lost is the state when keys are recorded and no pepper exists.
func lost() state {
	return state{err: fmt.Errorf( //nolint:staticcheck // begins with the name of a kind
		"Secret %s is lost: keys are recorded that were digested with it. Nothing is issued until it is restored from a backup; "+
			"to give the keys up, create one with a new pepper and annotation %s: \"true\"", v1alpha1.PepperSecret, v1alpha1.AnnotationAcceptNewPepper)}
}

// foreign: keys are recorded and none of them can be verified. Where some can, the pepper is the right one and the
// objects of the others are stopped one by one.
func foreign(ring *pepper.Keyring, digested map[string]bool) bool {
	for id := range digested {
		if ring.Has(id) {
			return false
		}
	}
	return len(digested) > 0
}
