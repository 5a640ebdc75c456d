package keys

import (
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// metadata describes a key.
type metadata struct {
	ID          string           `json:"id"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	KeyPrefix   *string          `json:"key_prefix"`
	KeyID       *string          `json:"key_id"`
	Subject     string           `json:"subject"`
	Scopes      []string         `json:"scopes"`
	Roles       []string         `json:"roles"`
	Policy      *v1alpha1.Policy `json:"policy"`
	// Budgets are those of the key itself, without those of its roles.
	Budgets []v1alpha1.Budget `json:"budgets"`
	Enabled bool              `json:"enabled"`
	// Revoked keys are refused for good.
	Revoked bool `json:"revoked"`
	// Active is true when the key would be accepted now. Reason is why not.
	Active       bool    `json:"active"`
	Reason       string  `json:"reason"`
	CreatedAt    string  `json:"created_at"`
	ExpiresAt    *string `json:"expires_at"`
	ExpiresFrom  *string `json:"expires_from"`
	LastUsedAt   *string `json:"last_used_at"`
	LastUsedFrom *string `json:"last_used_from"`
	Source       string  `json:"source"`
	// Object is the key object, for kubectl. Secret is where the operator delivers the key, or null.
	Object reference  `json:"object"`
	Secret *reference `json:"secret"`
}

type reference struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func metadataOf(k *apikeys.Key) metadata {
	m := metadata{
		ID: k.ID, Name: k.Name, Description: k.Description,
		KeyPrefix: httpapi.OrNull(k.Prefix), KeyID: httpapi.OrNull(k.KeyID), Subject: k.Subject.String(),
		Scopes: k.Scopes, Roles: k.Roles, Policy: k.Policy, Budgets: k.Budgets,
		Enabled: k.Enabled, Revoked: k.Revoked, Active: k.Active, Reason: k.Reason,
		CreatedAt: k.CreatedAt.Format(time.RFC3339), ExpiresAt: timeOrNull(k.ExpiresAt),
		ExpiresFrom: httpapi.OrNull(k.ExpiresFrom),
		LastUsedAt:  timeOrNull(k.LastUsedAt), LastUsedFrom: httpapi.OrNull(k.LastUsedFrom), Source: string(k.Source),
		Object: reference(k.Object),
	}
	if k.Secret != nil {
		m.Secret = &reference{k.Secret.Namespace, k.Secret.Name}
	}
	return m
}

// withToken adds the token, unless the operator delivers it.
type withToken struct {
	metadata
	Token string `json:"token,omitempty"`
	// PreviousEndsAt is when the key that a rotation has replaced ends.
	PreviousEndsAt *string `json:"previous_ends_at,omitempty"`
}

type list struct {
	Items []metadata `json:"items"`
	Total int        `json:"total"`
}

type deleted struct {
	Deleted string `json:"deleted"`
}

type catalog struct {
	Actions []string `json:"actions"`
	Scopes  []string `json:"scopes"`
	Roles   []role   `json:"roles"`
}

type role struct {
	Name        string                `json:"name"`
	Description string                `json:"description"`
	Permissions []v1alpha1.Permission `json:"permissions"`
}

func timeOrNull(t *time.Time) *string {
	if t == nil {
		return nil
	}
	return httpapi.TimeOrNull(*t)
}
