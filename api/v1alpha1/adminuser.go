package v1alpha1

// EffectiveUsername returns spec.username, or metadata.name if that is empty.
func (u *AdminUser) EffectiveUsername() string {
	if u.Spec.Username != "" {
		return u.Spec.Username
	}
	return u.Name
}

// HolderStatus returns the part of the status that all key objects have.
func (u *AdminUser) HolderStatus() *KeyHolderStatus { return &u.Status.KeyHolderStatus }

// IsDisabled reports whether spec.state is Disabled.
func (u *AdminUser) IsDisabled() bool { return u.Spec.State == StateDisabled }

// IsAdmin reports whether the role is admin, its default.
func (u *AdminUser) IsAdmin() bool {
	return u.Spec.Role != RoleUser
}

// EffectiveSecretName returns the name of the Secret that the key is delivered in.
func (u *AdminUser) EffectiveSecretName() string {
	if u.Spec.Secret != nil && u.Spec.Secret.Name != "" {
		return u.Spec.Secret.Name
	}
	return u.Name + "-admin-key"
}

// UserID returns status.id, or metadata.uid until that is set.
func (u *AdminUser) UserID() string {
	if u.Status.ID != "" {
		return u.Status.ID
	}
	return string(u.UID)
}
