package v1alpha1

// String is <kind>/<name>, as in header X-Auth-Subject: User/alice.
func (s Subject) String() string { return string(s.Kind) + "/" + s.Name }

// HolderStatus is the part of the status that every kind with a key has.
func (k *APIKey) HolderStatus() *KeyHolderStatus { return &k.Status.KeyHolderStatus }

// IsEnabled is false only where spec.enabled says so.
func (k *APIKey) IsEnabled() bool {
	return k.Spec.Enabled == nil || *k.Spec.Enabled
}

// Owner is the username of the person the key speaks as, or "" when it speaks as none.
func (k *APIKey) Owner() string {
	if k.Spec.Subject.Kind == SubjectUser {
		return k.Spec.Subject.Name
	}
	return ""
}

// EffectiveSecretName is the name of the Secret the key is delivered in.
func (k *APIKey) EffectiveSecretName() string {
	if k.Spec.Secret != nil && k.Spec.Secret.Name != "" {
		return k.Spec.Secret.Name
	}
	return k.Name + "-api-key"
}
