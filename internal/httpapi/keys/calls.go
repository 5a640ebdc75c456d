package keys

import (
	"net/http"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage/apikeys"
)

func (c *call) list(subject v1alpha1.Subject) {
	page, err := c.Keys.List(c.r.Context(), c.by(), subject, func() (*apikeys.Query, error) { return readQuery(c.r.URL.RawQuery) })
	if err != nil {
		c.fail(err)
		return
	}
	items := make([]metadata, len(page.Items))
	for i := range page.Items {
		items[i] = metadataOf(&page.Items[i])
	}
	answer(c.w, http.StatusOK, list{Items: items, Total: page.Total})
}

func (c *call) get(subject v1alpha1.Subject) {
	k, err := c.Keys.Get(c.r.Context(), c.by(), subject, c.id())
	c.tell(k, err)
}

func (c *call) create(subject v1alpha1.Subject) {
	issued, err := c.Keys.Create(c.r.Context(), c.by(), subject, func() (*apikeys.Wanted, error) {
		var d document
		if err := c.read(&d); err != nil {
			return nil, err
		}
		return d.wanted()
	})
	c.tellIssued(http.StatusCreated, issued, err)
}

func (c *call) change(subject v1alpha1.Subject) {
	k, err := c.Keys.Change(c.r.Context(), c.by(), subject, c.id(), func() (*apikeys.Change, error) {
		var d document
		if err := c.read(&d); err != nil {
			return nil, err
		}
		return d.change()
	})
	c.tell(k, err)
}

// rotate takes no body, or an empty object.
func (c *call) rotate(subject v1alpha1.Subject) {
	issued, err := c.Keys.Rotate(c.r.Context(), c.by(), subject, c.id(), func() error { return c.read(&struct{}{}, jsonbody.Optional) })
	c.tellIssued(http.StatusOK, issued, err)
}

func (c *call) remove(subject v1alpha1.Subject) {
	if err := c.Keys.Delete(c.r.Context(), c.by(), subject, c.id()); err != nil {
		c.fail(err)
		return
	}
	answer(c.w, http.StatusOK, deleted{c.id()})
}

func (c *call) catalog() {
	known, err := c.Keys.Catalog(c.r.Context(), c.by())
	if err != nil {
		c.fail(err)
		return
	}
	roles := make([]role, len(known.Roles))
	for i := range known.Roles {
		r := &known.Roles[i]
		roles[i] = role{Name: r.Name, Description: r.Description, Permissions: r.Permissions}
	}
	answer(c.w, http.StatusOK, catalog{Actions: known.Actions, Scopes: known.Scopes, Roles: roles})
}

func (c *call) tell(k *apikeys.Key, err error) {
	if err != nil {
		c.fail(err)
		return
	}
	answer(c.w, http.StatusOK, metadataOf(k))
}

// tellIssued is the one reply with a token in it.
func (c *call) tellIssued(status int, issued *apikeys.Issued, err error) {
	if err != nil {
		c.fail(err)
		return
	}
	answer(c.w, status, withToken{metadataOf(&issued.Key), issued.Token})
}
