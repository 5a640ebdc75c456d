package admin

import (
	"net/url"

	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage/users"
)

// user is one of GET /api/admin/users.
type user struct {
	ID         string  `json:"id"`
	Username   string  `json:"username"`
	Role       string  `json:"role"`
	CreatedAt  *string `json:"created_at"`
	LastSeen   *string `json:"last_seen"`
	Source     string  `json:"source"`
	KeyPrefix  *string `json:"key_prefix"`
	LastUsedAt *string `json:"last_used_at"`
	Enabled    bool    `json:"enabled"`
}

func userOf(u *users.User) user {
	shown := user{
		ID: u.ID, Username: u.Username, Role: string(u.Role), CreatedAt: written(u.CreatedAt), LastSeen: written(u.LastSeen),
		Source: string(u.Source), LastUsedAt: written(u.LastUsedAt), Enabled: u.Enabled,
	}
	if u.KeyPrefix != "" {
		shown.KeyPrefix = &u.KeyPrefix
	}
	return shown
}

func (c *call) listUsers() {
	all, err := c.Users.List(c.r.Context(), c.by())
	if err != nil {
		c.fail(err)
		return
	}
	shown := make([]user, 0, len(all))
	for i := range all {
		shown = append(shown, userOf(&all[i]))
	}
	reply(c.w, map[string]any{"users": shown})
}

func (c *call) createUser() {
	issued, err := c.Users.Create(c.r.Context(), c.by(), func() (string, error) {
		var body struct {
			Username string `json:"username"`
		}
		err := c.read(&body)
		return body.Username, err
	})
	if err != nil {
		c.fail(err)
		return
	}
	reply(c.w, struct {
		Username string `json:"username"`
		APIKey   string `json:"api_key"`
		Role     string `json:"role"`
	}{issued.Username, issued.Key, string(issued.Role)})
}

func (c *call) deleteUser() {
	err := c.Users.Delete(c.r.Context(), c.by(), c.name(), c.readForget)
	if err != nil {
		c.fail(err)
		return
	}
	reply(c.w, map[string]string{"deleted": c.name()})
}

func (c *call) readForget() (bool, error) {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	values := query["forget"]
	switch {
	case err != nil || len(values) > 1:
	case len(values) == 0 || values[0] == "false":
		return false, nil
	case values[0] == "true":
		return true, nil
	}
	return false, users.Refusal("forget must be true or false")
}

// secretRef is where a key is delivered that is not in the reply.
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

func (c *call) setRole() {
	issued, err := c.Users.SetRole(c.r.Context(), c.by(), c.name(), func() (string, error) {
		var body struct {
			Role string `json:"role"`
		}
		err := c.read(&body)
		return body.Role, err
	})
	if err != nil {
		c.fail(err)
		return
	}
	reply(c.w, struct {
		Username string     `json:"username"`
		Role     string     `json:"role"`
		APIKey   string     `json:"api_key,omitempty"`
		Secret   *secretRef `json:"secret,omitempty"`
	}{issued.Username, string(issued.Role), issued.Key, secretOf(issued)})
}

func (c *call) rotateKey() {
	issued, err := c.Users.RotateKey(c.r.Context(), c.by(), c.name(), func() (string, error) {
		var body struct {
			NewKey string `json:"new_key"`
		}
		err := c.read(&body, jsonbody.Optional)
		return body.NewKey, err
	})
	if err != nil {
		c.fail(err)
		return
	}
	reply(c.w, struct {
		Username string     `json:"username"`
		NewKey   string     `json:"new_api_key,omitempty"`
		Secret   *secretRef `json:"secret,omitempty"`
	}{issued.Username, issued.Key, secretOf(issued)})
}
