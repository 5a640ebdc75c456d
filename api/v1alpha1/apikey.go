package v1alpha1

import "strings"

// String returns <kind>/<name>, as in header X-Auth-Subject: User/alice.
func (s Subject) String() string { return string(s.Kind) + "/" + s.Name }

// ParseSubject parses what Subject.String returns. It does not check the name, apart from an empty one.
func ParseSubject(text string) (subject Subject, ok bool) {
	kind, name, _ := strings.Cut(text, "/")
	subject = Subject{Kind: SubjectKind(kind), Name: name}
	switch subject.Kind {
	case SubjectUser, SubjectAccount, SubjectIntegration:
		return subject, name != ""
	}
	return Subject{}, false
}

// HolderStatus returns the part of the status that all key objects have.
func (k *APIKey) HolderStatus() *KeyHolderStatus { return &k.Status.KeyHolderStatus }

// IsDisabled reports whether spec.state is Disabled.
func (k *APIKey) IsDisabled() bool { return k.Spec.State == StateDisabled }

// IsRevoked reports whether spec.state is Revoked, or was: without the admission policy it could be changed back.
func (k *APIKey) IsRevoked() bool {
	return k.Spec.State == StateRevoked || k.Status.RevokedAt != nil
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

// OwnerID returns status.owner.id, or "" if the key belongs to no AdminUser, as all keys of other subjects do.
func (k *APIKey) OwnerID() string {
	if k.Status.Owner == nil || k.Owner() == "" {
		return ""
	}
	return k.Status.Owner.ID
}
