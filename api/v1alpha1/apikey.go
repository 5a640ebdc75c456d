package v1alpha1

// String returns <kind>/<name>, as in header X-Auth-Subject: User/alice.
func (s Subject) String() string { return string(s.Kind) + "/" + s.Name }

// HolderStatus returns the part of the status that all key objects have.
func (k *APIKey) HolderStatus() *KeyHolderStatus { return &k.Status.KeyHolderStatus }

// IsEnabled reports whether spec.enabled is true, its default.
func (k *APIKey) IsEnabled() bool {
	return k.Spec.Enabled == nil || *k.Spec.Enabled
}

// Owner returns the username of a subject of kind User, or "" for other subjects.
func (k *APIKey) Owner() string {
	if k.Spec.Subject.Kind == SubjectUser {
		return k.Spec.Subject.Name
	}
	return ""
}

// EffectiveSecretName returns the name of the Secret that the key is delivered in.
func (k *APIKey) EffectiveSecretName() string {
	if k.Spec.Secret != nil && k.Spec.Secret.Name != "" {
		return k.Spec.Secret.Name
	}
	return k.Name + "-api-key"
}
