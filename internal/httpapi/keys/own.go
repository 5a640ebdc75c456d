package keys

import (
	"encoding/json"
	"net/http"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/ownkey"
)

// own describes the key that the caller presents. The bootstrap key has no object.
type own struct {
	Kind        string  `json:"kind"`
	ID          *string `json:"id"`
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Subject     string  `json:"subject"`
	IsAdmin     bool    `json:"is_admin"`
	KeyID       string  `json:"key_id"`
	KeyPrefix   *string `json:"key_prefix"`
	// Current is false for a key that another has succeeded.
	Current      bool              `json:"current"`
	Scopes       []string          `json:"scopes"`
	Roles        []string          `json:"roles"`
	Policy       *v1alpha1.Policy  `json:"policy"`
	Budgets      []v1alpha1.Budget `json:"budgets"`
	CreatedAt    *string           `json:"created_at"`
	IssuedAt     *string           `json:"issued_at"`
	ExpiresAt    *string           `json:"expires_at"`
	ExpiresFrom  *string           `json:"expires_from"`
	LastUsedAt   *string           `json:"last_used_at"`
	LastUsedFrom *string           `json:"last_used_from"`
	Source       string            `json:"source"`
	Object       *reference        `json:"object"`
	Secret       *reference        `json:"secret"`
	// Token and PreviousEndsAt are in the reply to a rotation.
	Token          string  `json:"token,omitempty"`
	PreviousEndsAt *string `json:"previous_ends_at,omitempty"`
}

func ownOf(k *ownkey.Key) own {
	return own{
		Kind: string(k.Kind), ID: httpapi.OrNull(k.ID), Name: k.Name, Description: k.Description, Subject: k.Subject,
		IsAdmin: k.Admin, KeyID: k.KeyID, KeyPrefix: httpapi.OrNull(k.Prefix), Current: k.Current,
		Scopes: k.Scopes, Roles: k.Roles, Policy: k.Policy, Budgets: k.Budgets,
		CreatedAt: httpapi.TimeOrNull(k.CreatedAt), IssuedAt: httpapi.TimeOrNull(k.IssuedAt),
		ExpiresAt: httpapi.TimeOrNull(k.ExpiresAt), ExpiresFrom: httpapi.OrNull(k.ExpiresFrom),
		LastUsedAt:   httpapi.TimeOrNull(k.LastUsedAt),
		LastUsedFrom: httpapi.OrNull(k.LastUsedFrom), Source: string(k.Source),
		Object: referenceOf(k.Object), Secret: referenceOf(k.Secret),
	}
}

func referenceOf(r *apikeys.Ref) *reference {
	if r == nil {
		return nil
	}
	return &reference{r.Namespace, r.Name}
}

type ownRoutes struct {
	*ownkey.Service
}

// Own serves /apiv1/self.
func Own(service *ownkey.Service) httpapi.Group {
	h := &ownRoutes{service}
	return httpapi.Group{API: API, Routes: []httpapi.Route{
		{Method: http.MethodGet, Path: "self", Serve: h.get},
		{Method: http.MethodPost, Path: "self/rotate", Serve: h.rotate},
	}}
}

func (h *ownRoutes) get(c *httpapi.Call) {
	k, err := h.Get(c.R.Context(), c.Manager())
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, http.StatusOK, ownOf(k))
}

// rotate takes no body, or an object.
func (h *ownRoutes) rotate(c *httpapi.Call) {
	rotated, err := h.Rotate(c.R.Context(), c.Manager(), func() (*apikeys.Rotation, error) {
		var b struct {
			Overlap json.RawMessage `json:"overlap_seconds"`
		}
		if err := read(c, &b, jsonbody.Optional); err != nil {
			return nil, err
		}
		return (&rotation{Overlap: b.Overlap}).wanted()
	})
	if err != nil {
		fail(c, err)
		return
	}
	data := ownOf(&rotated.Key)
	data.Token, data.PreviousEndsAt = rotated.Token.Plaintext(), httpapi.TimeOrNull(rotated.PreviousEnds)
	reply(c, http.StatusOK, data)
}
