package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/keys"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/claims/link"
)

type claimRoutes struct {
	*claims.Service
}

// Claims serves /api/admin/claims and /api/claim.
func Claims(service *claims.Service) httpapi.Group {
	h := &claimRoutes{service}
	route := func(method, path string, serve func(*httpapi.Call)) httpapi.Route {
		return httpapi.Route{Method: method, Path: "admin/claims" + path, Identification: httpapi.Lenient, Serve: serve}
	}
	return httpapi.Group{API: API, Routes: []httpapi.Route{
		route(http.MethodGet, "", h.list),
		route(http.MethodPost, "", h.create),
		route(http.MethodDelete, "/{id}", h.withdraw),
		{Method: http.MethodPost, Path: "claim", Identification: httpapi.Unidentified, Serve: h.claim},
	}}
}

// claimLink is a claim link, without its token.
type claimLink struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Subject   string    `json:"subject"`
	Name      *string   `json:"name"`
	Object    objectRef `json:"object"`
	Creator   string    `json:"creator"`
	CreatedAt *string   `json:"created_at"`
	EndsAt    *string   `json:"ends_at"`
	State     string    `json:"state"`
	EndedAt   *string   `json:"ended_at"`
}

// objectRef names the AdminUser or APIKey of a link.
type objectRef struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func claimLinkOf(l *link.Link) claimLink {
	return claimLink{
		ID: l.ID, Kind: string(l.Kind), Subject: l.Subject, Name: httpapi.OrNull(l.Name),
		Object: objectRef{l.Namespace, l.Object}, Creator: l.Creator, CreatedAt: httpapi.TimeOrNull(l.CreatedAt),
		EndsAt: httpapi.TimeOrNull(l.EndsAt), State: string(l.State), EndedAt: httpapi.TimeOrNull(l.EndedAt),
	}
}

func (h *claimRoutes) list(c *httpapi.Call) {
	all, err := h.List(c.R.Context(), c.Manager())
	if err != nil {
		fail(c, err)
		return
	}
	shown := make([]claimLink, 0, len(all))
	for i := range all {
		shown = append(shown, claimLinkOf(&all[i]))
	}
	reply(c, map[string]any{"claims": shown})
}

// wantedClaim is the body that creates a link.
type wantedClaim struct {
	Kind string `json:"kind"`
	// Username is for kinds user and user-rotation, Subject and Key for kind key, ID for kind key-rotation, and Rotation
	// for both rotations.
	Username  string          `json:"username"`
	Subject   string          `json:"subject"`
	Key       json.RawMessage `json:"key"`
	ID        string          `json:"id"`
	Rotation  json.RawMessage `json:"rotation"`
	ExpiresIn *int64          `json:"expires_in_seconds"`
}

func (h *claimRoutes) create(c *httpapi.Call) {
	created, err := h.Create(c.R.Context(), c.Manager(), func() (*claims.Wanted, error) {
		once, err := c.IdempotencyKey()
		if err != nil {
			return nil, err
		}
		var body wantedClaim
		if err := read(c, &body); err != nil {
			return nil, err
		}
		wanted, err := body.wanted()
		if err == nil {
			wanted.Once = once
		}
		return wanted, err
	})
	if err != nil {
		fail(c, err)
		return
	}
	token := created.Token.Plaintext()
	reply(c, struct {
		Claim claimLink `json:"claim"`
		Token string    `json:"token"`
		Path  string    `json:"path"`
	}{claimLinkOf(&created.Link), token, link.Path(token)})
}

func (b *wantedClaim) wanted() (*claims.Wanted, error) {
	lifetime, err := b.lifetime()
	if err != nil {
		return nil, err
	}
	wanted := &claims.Wanted{}
	switch link.Kind(b.Kind) {
	case link.User:
		wanted.Username, err = b.Username, b.takesNo("user", "subject", "key", "id", "rotation")
	case link.Key:
		wanted, err = b.key()
	case link.UserRotation:
		wanted, err = b.userRotation()
	case link.KeyRotation:
		wanted, err = b.keyRotation()
	default:
		err = manage.InvalidField("kind", "must be user, key, user-rotation or key-rotation")
	}
	if err != nil {
		return nil, err
	}
	wanted.Lifetime = lifetime
	return wanted, nil
}

// takesNo refuses fields that are for other kinds.
func (b *wantedClaim) takesNo(kind string, fields ...string) error {
	given := map[string]bool{
		"username": b.Username != "", "subject": b.Subject != "", "key": b.Key != nil, "id": b.ID != "",
		"rotation": b.Rotation != nil,
	}
	for _, field := range fields {
		if given[field] {
			return manage.InvalidField("kind", kind+" takes no "+strings.Join(fields, " and no "))
		}
	}
	return nil
}

func (b *wantedClaim) key() (*claims.Wanted, error) {
	if err := b.takesNo("key", "username", "id", "rotation"); err != nil {
		return nil, err
	}
	subject, err := apikeys.ParseSubject(b.Subject)
	if err != nil {
		return nil, err
	}
	if b.Key == nil {
		return nil, manage.InvalidField("key", "is required")
	}
	wanted, err := keys.ParseWanted("key", b.Key)
	if err != nil {
		return nil, err
	}
	return &claims.Wanted{Subject: subject, Key: wanted}, nil
}

func (b *wantedClaim) userRotation() (*claims.Wanted, error) {
	if err := b.takesNo("user-rotation", "subject", "key", "id"); err != nil {
		return nil, err
	}
	rotation, err := keys.ParseRotation("rotation", b.Rotation)
	switch {
	case err != nil:
		return nil, err
	case b.Username == "":
		return nil, manage.InvalidField("username", "is required")
	case rotation.Overlap != nil:
		return nil, manage.InvalidField(apikeys.FieldOverlap, "is for API keys: the spec of an admin decides on the overlap")
	}
	return &claims.Wanted{Rotates: true, Username: b.Username, Rotation: *rotation}, nil
}

func (b *wantedClaim) keyRotation() (*claims.Wanted, error) {
	if err := b.takesNo("key-rotation", "username", "subject", "key"); err != nil {
		return nil, err
	}
	rotation, err := keys.ParseRotation("rotation", b.Rotation)
	switch {
	case err != nil:
		return nil, err
	case b.ID == "":
		return nil, manage.InvalidField("id", "is required")
	}
	return &claims.Wanted{Rotates: true, ID: b.ID, Rotation: *rotation}, nil
}

// lifetime leaves the bounds to the use case, and refuses what no duration holds.
func (b *wantedClaim) lifetime() (time.Duration, error) {
	switch {
	case b.ExpiresIn == nil:
		return 0, nil
	case *b.ExpiresIn <= 0 || *b.ExpiresIn > int64(claims.MaxLifetime/time.Second):
		return 0, claims.InvalidLifetime()
	}
	return time.Duration(*b.ExpiresIn) * time.Second, nil
}

func (h *claimRoutes) withdraw(c *httpapi.Call) {
	if err := h.Withdraw(c.R.Context(), c.Manager(), c.Param("id")); err != nil {
		fail(c, err)
		return
	}
	reply(c, map[string]string{"withdrawn": c.Param("id")})
}

func (h *claimRoutes) claim(c *httpapi.Call) {
	claimed, err := h.Claim(c.R.Context(), c.Manager(), func() (string, error) {
		var body struct {
			Token string `json:"token"`
		}
		err := read(c, &body)
		return body.Token, err
	})
	if err != nil {
		fail(c, err)
		return
	}
	var ends time.Time
	if claimed.ExpiresAt != nil {
		ends = *claimed.ExpiresAt
	}
	reply(c, struct {
		Kind      string  `json:"kind"`
		Subject   string  `json:"subject"`
		ID        *string `json:"id"`
		Name      *string `json:"name"`
		APIKey    string  `json:"api_key"`
		ExpiresAt *string `json:"expires_at"`
		// PreviousEndsAt is when the API key that a rotation has replaced ends.
		PreviousEndsAt *string `json:"previous_ends_at"`
	}{
		string(claimed.Kind), claimed.Subject, httpapi.OrNull(claimed.ID), httpapi.OrNull(claimed.Name),
		claimed.Key.Plaintext(), httpapi.TimeOrNull(ends), httpapi.TimeOrNull(claimed.PreviousEnds),
	})
}
