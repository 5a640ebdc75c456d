package ownkey

import (
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/lastuse"
)

// Kind is what records a key.
type Kind string

// Kinds.
const (
	APIKey    Kind = "APIKey"
	AdminUser Kind = "AdminUser"
	// Bootstrap is the kind of the bootstrap key: the configuration has it, and no object.
	Bootstrap Kind = "Bootstrap"
)

// FromSetting is the source of the bootstrap key. Other keys have those of package apikeys.
const FromSetting apikeys.Source = "setting"

// Key describes the key that a caller presents. It never holds the plaintext.
type Key struct {
	Kind Kind
	// ID is the uid of the object, and Object its name. The bootstrap key has neither.
	ID     string
	Object *apikeys.Ref
	// Name is that of an APIKey, or a username.
	Name, Description string
	Subject           string
	Admin             bool
	// KeyID and Prefix are those of the presented key. Prefix is empty for the bootstrap key.
	KeyID, Prefix string
	// Current is false for a key that another has succeeded.
	Current bool
	// Scopes and Roles are those of an APIKey, and never nil; so are Budgets. Policy may be nil.
	Scopes, Roles []string
	Policy        *v1alpha1.Policy
	Budgets       []v1alpha1.Budget
	// CreatedAt is the creation of the object, and IssuedAt the issue of the presented key. Both are zero for the
	// bootstrap key.
	CreatedAt, IssuedAt time.Time
	// ExpiresAt is the end of the presented key, or zero. ExpiresFrom is what sets it, as in package apikeys. It is empty
	// for an overlapping key.
	ExpiresAt   time.Time
	ExpiresFrom string
	// LastUsedAt and LastUsedFrom are of the object. They are empty if they are unknown.
	LastUsedAt   time.Time
	LastUsedFrom string
	Source       apikeys.Source
	// Secret is where the operator delivers the key. It is nil for a key that a reply returned.
	Secret *apikeys.Ref
}

// Rotated is the key that has taken the place of the presented one.
type Rotated struct {
	Key
	Token manage.Secret
	// PreviousEnds is when the presented key ends, or has ended.
	PreviousEnds time.Time
}

func ofAPIKey(k *apikeys.Key) Key {
	own := Key{
		Kind: APIKey, ID: k.ID, Object: &k.Object, Name: k.Name, Description: k.Description, Subject: k.Subject.String(),
		KeyID: k.KeyID, Prefix: k.Prefix, Current: true,
		Scopes: k.Scopes, Roles: k.Roles, Policy: k.Policy, Budgets: k.Budgets,
		CreatedAt: k.CreatedAt, IssuedAt: k.IssuedAt, LastUsedFrom: k.LastUsedFrom, Source: k.Source, Secret: k.Secret,
	}
	if k.LastUsedAt != nil {
		own.LastUsedAt = *k.LastUsedAt
	}
	if k.ExpiresAt != nil {
		own.ExpiresAt, own.ExpiresFrom = *k.ExpiresAt, k.ExpiresFrom
	}
	return own
}

// ofUser leaves out the last use in the database.
func ofUser(user *v1alpha1.AdminUser) Key {
	own := Key{
		Kind: AdminUser, ID: string(user.UID), Object: &apikeys.Ref{Namespace: user.Namespace, Name: user.Name},
		Name: user.EffectiveUsername(), Admin: true, Current: true,
		Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: user.EffectiveUsername()}.String(),
		Scopes:  []string{}, Roles: []string{}, Budgets: []v1alpha1.Budget{},
		CreatedAt: user.CreationTimestamp.UTC(), LastUsedAt: convert.Instant(user.Status.Usage.LastUsedAt),
		Source: apikeys.FromAPI,
	}
	if objects.FromManifest(user) {
		own.Source = apikeys.FromManifest
	}
	if user.Spec.Delivery != v1alpha1.DeliveryResponse {
		own.Secret = &apikeys.Ref{Namespace: user.Namespace, Name: user.EffectiveSecretName()}
	}
	return own
}

func ofBootstrap(caller manage.Caller) Key {
	return Key{
		Kind: Bootstrap, Name: caller.Username, Subject: caller.Subject, Admin: true, KeyID: caller.KeyID, Current: true,
		Scopes: []string{}, Roles: []string{}, Budgets: []v1alpha1.Budget{}, Source: FromSetting,
	}
}

// present takes what differs between the keys of an object.
func (k *Key) present(recorded *lifecycle.Key, ends time.Time) {
	k.KeyID, k.Prefix, k.IssuedAt = recorded.ID, recorded.Prefix, recorded.IssuedAt.UTC()
	k.Current, k.ExpiresAt = recorded.State != lifecycle.StateOverlapping, ends
	if !k.Current {
		k.ExpiresFrom = ""
	}
}

func (k *Key) setLastUse(last lastuse.Use) { k.LastUsedAt, k.LastUsedFrom = last.At, last.From }
