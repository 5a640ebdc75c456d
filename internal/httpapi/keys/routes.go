package keys

import (
	"net/http"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// owners are the kinds of subjects and the paths of their keys. The wildcard is the kind in lower case.
var owners = []struct {
	path string
	kind v1alpha1.SubjectKind
}{
	{"users/{user}/apikeys", v1alpha1.SubjectUser},
	{"accounts/{account}/apikeys", v1alpha1.SubjectAccount},
	{"integrations/{integration}/apikeys", v1alpha1.SubjectIntegration},
}

// me stands for the caller's own username in a path.
const me = "me"

type routes struct {
	*apikeys.Service
}

// New serves /apiv1.
func New(service *apikeys.Service) httpapi.Group {
	h := &routes{service}
	all := []httpapi.Route{{Method: http.MethodGet, Path: "permissions/catalog", Serve: h.catalog}}
	for _, owner := range owners {
		add := func(method, path string, serve func(*httpapi.Call, v1alpha1.Subject)) {
			all = append(all, httpapi.Route{Method: method, Path: owner.path + path, Serve: func(c *httpapi.Call) {
				serve(c, subjectOf(c, owner.kind))
			}})
		}
		add(http.MethodGet, "", h.list)
		add(http.MethodPost, "", h.create)
		add(http.MethodGet, "/{id}", h.get)
		add(http.MethodPatch, "/{id}", h.change)
		add(http.MethodDelete, "/{id}", h.delete)
		add(http.MethodPost, "/{id}/rotate", h.rotate)
	}
	return httpapi.Group{API: API, Routes: append(all, h.byID()...)}
}

// byID returns the routes of keys whose subject is not in the path.
func (h *routes) byID() []httpapi.Route {
	named := func(serve func(*httpapi.Call, v1alpha1.Subject)) func(*httpapi.Call) {
		return func(c *httpapi.Call) { serve(c, h.SubjectOf(c.Manager(), id(c))) }
	}
	return []httpapi.Route{
		{Method: http.MethodGet, Path: "apikeys", Serve: h.listVisible},
		{Method: http.MethodGet, Path: "apikeys/{id}", Serve: named(h.get)},
		{Method: http.MethodPatch, Path: "apikeys/{id}", Serve: named(h.change)},
		{Method: http.MethodDelete, Path: "apikeys/{id}", Serve: named(h.delete)},
		{Method: http.MethodPost, Path: "apikeys/{id}/rotate", Serve: named(h.rotate)},
		{Method: http.MethodGet, Path: "apikeys/{id}/uses", Serve: named(h.uses)},
		{Method: http.MethodGet, Path: "apikeys/{id}/explain", Serve: named(h.explain)},
	}
}

// subjectOf returns the subject that the path names.
func subjectOf(c *httpapi.Call, kind v1alpha1.SubjectKind) v1alpha1.Subject {
	name := c.Param(strings.ToLower(string(kind)))
	if kind == v1alpha1.SubjectUser && name == me && c.Caller.Username != "" {
		name = c.Caller.Username
	}
	return v1alpha1.Subject{Kind: kind, Name: name}
}

// id returns the id of the key that the path names.
func id(c *httpapi.Call) string { return c.Param("id") }

func (h *routes) list(c *httpapi.Call, subject v1alpha1.Subject) {
	h.listPage(c, subject, func() (*apikeys.Query, error) { return readQuery(c.R.URL.RawQuery) })
}

// listVisible lists the keys of every subject that the caller may see, or of the one that the query names.
func (h *routes) listVisible(c *httpapi.Call) {
	rest, subject, err := takeSubject(c.R.URL.RawQuery)
	if subject == (v1alpha1.Subject{}) {
		subject = h.Visible(c.Manager())
	}
	h.listPage(c, subject, func() (*apikeys.Query, error) {
		if err != nil {
			return nil, err
		}
		return readQuery(rest)
	})
}

func (h *routes) listPage(c *httpapi.Call, subject v1alpha1.Subject, read manage.Read[*apikeys.Query]) {
	page, err := h.List(c.R.Context(), c.Manager(), subject, read)
	if err != nil {
		fail(c, err)
		return
	}
	items := make([]metadata, len(page.Items))
	for i := range page.Items {
		items[i] = metadataOf(&page.Items[i])
	}
	reply(c, http.StatusOK, list{Items: items, Total: page.Total})
}

func (h *routes) get(c *httpapi.Call, subject v1alpha1.Subject) {
	k, err := h.Get(c.R.Context(), c.Manager(), subject, id(c))
	replyKey(c, k, err)
}

func (h *routes) create(c *httpapi.Call, subject v1alpha1.Subject) {
	issued, err := h.Create(c.R.Context(), c.Manager(), subject, func() (*apikeys.Wanted, error) {
		once, err := c.IdempotencyKey()
		if err != nil {
			return nil, err
		}
		var b body
		if err := read(c, &b); err != nil {
			return nil, err
		}
		wanted, err := b.wanted()
		if err == nil {
			wanted.Once = once
		}
		return wanted, err
	})
	replyIssued(c, http.StatusCreated, issued, err)
}

func (h *routes) change(c *httpapi.Call, subject v1alpha1.Subject) {
	k, err := h.Change(c.R.Context(), c.Manager(), subject, id(c), func() (*apikeys.Change, error) {
		var b body
		if err := read(c, &b); err != nil {
			return nil, err
		}
		return b.change()
	})
	replyKey(c, k, err)
}

// rotate takes no body, or an object.
func (h *routes) rotate(c *httpapi.Call, subject v1alpha1.Subject) {
	issued, err := h.Rotate(c.R.Context(), c.Manager(), subject, id(c), func() (*apikeys.Rotation, error) {
		var b rotation
		if err := read(c, &b, jsonbody.Optional); err != nil {
			return nil, err
		}
		return b.wanted()
	})
	replyIssued(c, http.StatusOK, issued, err)
}

func (h *routes) delete(c *httpapi.Call, subject v1alpha1.Subject) {
	if err := h.Delete(c.R.Context(), c.Manager(), subject, id(c)); err != nil {
		fail(c, err)
		return
	}
	reply(c, http.StatusOK, deleted{id(c)})
}

func (h *routes) catalog(c *httpapi.Call) {
	found, err := h.Catalog(c.R.Context(), c.Manager())
	if err != nil {
		fail(c, err)
		return
	}
	roles := make([]role, len(found.Roles))
	for i := range found.Roles {
		r := &found.Roles[i]
		roles[i] = role{Name: r.Name, Description: r.Description, Permissions: r.Permissions}
	}
	reply(c, http.StatusOK, catalog{Actions: found.Actions, Scopes: found.Scopes, Roles: roles})
}

func replyKey(c *httpapi.Call, k *apikeys.Key, err error) {
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, http.StatusOK, metadataOf(k))
}

// replyIssued writes the one reply that carries a token.
func replyIssued(c *httpapi.Call, status int, issued *apikeys.Issued, err error) {
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, status, withToken{
		metadataOf(&issued.Key), issued.Token.Plaintext(), httpapi.TimeOrNull(issued.PreviousEnds),
	})
}
