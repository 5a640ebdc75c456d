package v1alpha1

// EffectiveUsername is the name the key speaks as: spec.username, or metadata.name where that is not set.
func (u *AdminUser) EffectiveUsername() string {
	if u.Spec.Username != "" {
		return u.Spec.Username
	}
	return u.Name
}

// HolderStatus is the part of the status that every kind with a key has.
func (u *AdminUser) HolderStatus() *KeyHolderStatus { return &u.Status.KeyHolderStatus }

// IsEnabled is false only where spec.enabled says so.
func (u *AdminUser) IsEnabled() bool {
	return u.Spec.Enabled == nil || *u.Spec.Enabled
}

// IsAdmin is true unless the role says otherwise.
func (u *AdminUser) IsAdmin() bool {
	return u.Spec.Role != RoleUser
}

// EffectiveSecretName is the name of the Secret the key is delivered in.
func (u *AdminUser) EffectiveSecretName() string {
	if u.Spec.Secret != nil && u.Spec.Secret.Name != "" {
		return u.Spec.Secret.Name
	}
	return u.Name + "-admin-key"
}
