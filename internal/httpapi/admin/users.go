package admin

import (
	"net/http"
	"net/url"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/users"
)

// user is an entry of GET /api/admin/users.
type user struct {
	ID         string  `json:"id"`
	Username   string  `json:"username"`
	Role       string  `json:"role"`
	CreatedAt  *string `json:"created_at"`
	LastSeen   *string `json:"last_seen"`
	Source     string  `json:"source"`
	KeyPrefix  *string `json:"key_prefix"`
	KeyID      *string `json:"key_id"`
	LastUsedAt *string `json:"last_used_at"`
	Enabled    bool    `json:"enabled"`
}

type userRoutes struct {
	*users.Service
}

// Users serves /api/admin/users.
func Users(service *users.Service) httpapi.Group {
	h := &userRoutes{service}
	route := func(method, path string, serve func(*httpapi.Call)) httpapi.Route {
		return httpapi.Route{Method: method, Path: "admin/users" + path, Identification: httpapi.Lenient, Serve: serve}
	}
	return httpapi.Group{API: API, Routes: []httpapi.Route{
		route(http.MethodGet, "", h.list),
		route(http.MethodPost, "", h.create),
		route(http.MethodDelete, "/{username}", h.delete),
		route(http.MethodPatch, "/{username}", h.setEnabled),
		route(http.MethodPut, "/{username}/role", h.setRole),
		route(http.MethodPost, "/{username}/rotate-key", h.rotateKey),
	}}
}

// username returns the user that the path names.
func username(c *httpapi.Call) string { return c.Param("username") }

func userOf(u *users.User) user {
	return user{
		ID: u.ID, Username: u.Username, Role: string(u.Role), CreatedAt: httpapi.TimeOrNull(u.CreatedAt),
		LastSeen: httpapi.TimeOrNull(u.LastSeen), Source: string(u.Source), KeyPrefix: httpapi.OrNull(u.KeyPrefix),
		KeyID:      httpapi.OrNull(u.KeyID),
		LastUsedAt: httpapi.TimeOrNull(u.LastUsedAt), Enabled: u.Enabled,
	}
}

func (h *userRoutes) list(c *httpapi.Call) {
	page, err := h.Service.List(c.R.Context(), c.Manager(), func() (*users.Query, error) {
		return readUserQuery(c.R.URL.RawQuery)
	})
	if err != nil {
		fail(c, err)
		return
	}
	shown := make([]user, 0, len(page.Items))
	for i := range page.Items {
		shown = append(shown, userOf(&page.Items[i]))
	}
	reply(c, struct {
		Users []user `json:"users"`
		Total int    `json:"total"`
	}{shown, page.Total})
}

func (h *userRoutes) create(c *httpapi.Call) {
	issued, err := h.Service.Create(c.R.Context(), c.Manager(), func() (users.Wanted, error) {
		once, err := c.IdempotencyKey()
		if err != nil {
			return users.Wanted{}, err
		}
		var body struct {
			Username string `json:"username"`
		}
		err = read(c, &body)
		return users.Wanted{Username: body.Username, Once: once}, err
	})
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, struct {
		Username string `json:"username"`
		APIKey   string `json:"api_key"`
		Role     string `json:"role"`
	}{issued.Username, issued.Key.Plaintext(), string(issued.Role)})
}

func (h *userRoutes) delete(c *httpapi.Call) {
	refused, err := h.Service.Delete(
		c.R.Context(), c.Manager(), username(c), func() (bool, error) { return readForget(c) },
	)
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, struct {
		Deleted string `json:"deleted"`
		APIKeys int    `json:"api_keys"`
	}{username(c), refused})
}

func (h *userRoutes) setEnabled(c *httpapi.Call) {
	enabled, err := h.Service.SetEnabled(
		c.R.Context(), c.Manager(), username(c), func() (bool, error) { return readEnabled(c) },
	)
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, struct {
		Username string `json:"username"`
		Enabled  bool   `json:"enabled"`
	}{username(c), enabled})
}

func readEnabled(c *httpapi.Call) (bool, error) {
	var body struct {
		Enabled any `json:"enabled"`
	}
	if err := read(c, &body); err != nil {
		return false, err
	}
	enabled, is := body.Enabled.(bool)
	if !is {
		return false, manage.Errorf(manage.Invalid, "enabled must be true or false")
	}
	return enabled, nil
}

func readForget(c *httpapi.Call) (bool, error) {
	query, err := url.ParseQuery(c.R.URL.RawQuery)
	values := query["forget"]
	switch {
	case err != nil || len(values) > 1:
	case len(values) == 0 || values[0] == "false":
		return false, nil
	case values[0] == "true":
		return true, nil
	}
	return false, manage.Errorf(manage.Invalid, "forget must be true or false")
}

// secretRef names the Secret in which the operator delivers a key that is not in the reply.
type secretRef struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func secretOf(issued *users.Issued) *secretRef {
	if issued.Secret == nil {
		return nil
	}
	return &secretRef{issued.Secret.Namespace, issued.Secret.Name}
}

func (h *userRoutes) setRole(c *httpapi.Call) {
	issued, err := h.Service.SetRole(c.R.Context(), c.Manager(), username(c), func() (string, error) {
		var body struct {
			Role string `json:"role"`
		}
		err := read(c, &body)
		return body.Role, err
	})
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, struct {
		Username string     `json:"username"`
		Role     string     `json:"role"`
		APIKey   string     `json:"api_key,omitempty"`
		Secret   *secretRef `json:"secret,omitempty"`
	}{issued.Username, string(issued.Role), issued.Key.Plaintext(), secretOf(issued)})
}

func (h *userRoutes) rotateKey(c *httpapi.Call) {
	issued, err := h.Service.RotateKey(c.R.Context(), c.Manager(), username(c), func() (users.Rotation, error) {
		var body struct {
			NewKey string `json:"new_key"`
			KeyID  string `json:"key_id"`
		}
		err := read(c, &body, jsonbody.Optional)
		return users.Rotation{NewKey: body.NewKey, KeyID: body.KeyID}, err
	})
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, struct {
		Username string     `json:"username"`
		NewKey   string     `json:"new_api_key,omitempty"`
		Secret   *secretRef `json:"secret,omitempty"`
	}{issued.Username, issued.Key.Plaintext(), secretOf(issued)})
}
