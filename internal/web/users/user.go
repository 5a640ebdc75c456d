package users

import (
	"fmt"
	"net/http"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/manifest"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/internal/web"
)

// Names of actions, which are the last part of their paths.
const (
	promote = "promote"
	demote  = "demote"
	rotate  = "rotate"
	disable = "disable"
	enable  = "enable"
	remove  = "delete"
	forget  = "forget"
)

// maxKeys bounds the API keys on the page of a user.
const maxKeys = 20

// userPage is the data of the page of a user.
type userPage struct {
	*users.Facts
	Days    []web.AddressDay
	Actions []web.Action
	// Keys are the newest API keys of the user, and nil for a caller who may not read them.
	Keys *apikeys.Page
	// YAML is empty for a seen user.
	YAML string
}

func (p *pages) show(c *httpapi.Call) {
	caller := c.Manager()
	f, err := p.users.Facts(c.R.Context(), caller, c.Param("name"))
	if err != nil {
		web.Fail(c, err)
		return
	}
	page := userPage{Facts: f, Days: web.AddressDays(f.Addresses)}
	if page.Actions, err = p.actionsFor(c, caller, f); err != nil {
		web.Fail(c, err)
		return
	}
	if f.Record != nil {
		if page.YAML, err = manifest.Of(f.Record); err != nil {
			web.Fail(c, err)
			return
		}
	}
	if page.Keys, err = p.keysOf(c, caller, f.Username); err != nil {
		web.Fail(c, err)
		return
	}
	web.Render(c, web.Page{Title: f.Username, Section: web.Users, View: userView, Data: &page})
}

// IsFromManifest reports whether the user is changed where the manifest is kept.
func (page *userPage) IsFromManifest() bool { return page.Source == users.FromManifest }

// keysOf returns nil for a caller who may not read the keys of the user, and for a name that no key can have.
func (p *pages) keysOf(c *httpapi.Call, caller manage.Caller, name string) (*apikeys.Page, error) {
	if !username.Valid(name) {
		return nil, nil
	}
	subject := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: name}
	page, err := p.keys.List(c.R.Context(), caller, subject, func() (*apikeys.Query, error) {
		return &apikeys.Query{Limit: maxKeys}, nil
	})
	if manage.Is(err, manage.Forbidden) || manage.Is(err, manage.Unauthorized) {
		return nil, nil
	}
	return page, err
}

// actionsFor returns the changes of a user, with why one is not possible as far as that is known. The use case decides.
func (p *pages) actionsFor(c *httpapi.Call, caller manage.Caller, f *users.Facts) (all []web.Action, err error) {
	if f.Role == v1alpha1.RoleAdmin {
		all = append(all, rotation(f), web.Action{
			Name: demote, Title: "Demote", Icon: "arrow-down", Button: "Demote",
			Text: "The admin key is revoked, and every session ends. The user stays, as a plain user.",
		})
	} else {
		all = append(all, web.Action{
			Name: promote, Title: "Make admin", Icon: "shield-check", Button: "Make admin",
			Text: "The user becomes an admin, and gets an admin key, which is shown once.",
		})
	}
	if f.Record != nil {
		all = append(all, ability(f))
	}
	if f.Role == v1alpha1.RoleAdmin {
		all = append(all, web.Action{
			Name: remove, Title: "Delete", Icon: "trash-2", Button: "Delete for good", IsDangerous: true, Confirm: f.Username,
			Text: "The admin key and every session end at once" + ending(f.APIKeys) + ". This can't be undone.",
		})
	} else {
		all = append(all, web.Action{
			Name: forget, Title: "Forget", Icon: "trash-2", Button: "Forget", IsDangerous: true, Confirm: f.Username,
			Text: "The name is removed from the list" + ending(f.APIKeys) + ". It comes back when it is seen again.",
		})
	}
	for i := range all {
		a := &all[i]
		a.Path, a.WhyNot = userPath(f.Username)+"/"+a.Name, whyNot(caller, f, a.Name)
		if f.Record == nil {
			a.Change = p.creation(c, caller, f, a.Name)
		} else if a.Change, err = changeOf(f, a.Name, c.Gate.Now()); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// creation returns the manifest that makes an admin of a seen user. It is empty for other actions, and for a name that
// no AdminUser can have.
func (p *pages) creation(c *httpapi.Call, caller manage.Caller, f *users.Facts, action string) manifest.Change {
	if action != promote {
		return manifest.Change{}
	}
	text, err := p.users.Manifest(c.R.Context(), caller, func() (string, error) { return f.Username, nil })
	if err != nil {
		return manifest.Change{}
	}
	return manifest.Change{YAML: text}
}

// changeOf returns an action as Git and kubectl do it.
func changeOf(f *users.Facts, action string, now time.Time) (manifest.Change, error) {
	changed := f.Record.DeepCopy()
	switch action {
	case remove, forget:
		return manifest.Deleted(f.Record), nil
	case rotate:
		if f.Secret == nil {
			return manifest.Change{}, nil
		}
		return manifest.Rotated(f.Record, now)
	case promote:
		changed.Spec.Role = v1alpha1.RoleAdmin
	case demote:
		changed.Spec.Role = v1alpha1.RoleUser
	case disable:
		changed.Spec.State = v1alpha1.StateDisabled
	case enable:
		changed.Spec.State = v1alpha1.StateActive
	}
	return manifest.Changed(f.Record, changed)
}

// ending says how many API keys end with a user.
func ending(keys int) string {
	switch keys {
	case 0:
		return ""
	case 1:
		return ", and so does 1 API key of the user"
	}
	return fmt.Sprintf(", and so do %d API keys of the user", keys)
}

func rotation(f *users.Facts) web.Action {
	a := web.Action{
		Name: rotate, Title: "Rotate key", Icon: "rotate-cw", Button: "Rotate", Shown: f.KeyID,
		Text: "A new admin key is issued and shown once. Callers with the current key fail at once, and " +
			"every session ends.",
	}
	if f.Secret != nil {
		a.Text = "The operator issues a new admin key into Secret " + f.Secret.Namespace + "/" + f.Secret.Name + "."
	}
	return a
}

func ability(f *users.Facts) web.Action {
	if f.Enabled {
		return web.Action{
			Name: disable, Title: "Disable", Icon: "pause", Button: "Disable",
			Text: "Every key of the user is refused at once, API keys included, and every session ends. It can be undone.",
		}
	}
	return web.Action{
		Name: enable, Title: "Enable", Icon: "play", Button: "Enable",
		Text: "The keys of the user are accepted again. Ended sessions stay ended.",
	}
}

// guards are the texts for the caller's own account, and for the last admin.
var guards = map[string]struct{ own, last string }{
	demote:  {users.OwnRole, users.LastDemote},
	promote: {users.OwnRole, ""},
	disable: {users.OwnDisable, users.LastDisable},
	enable:  {users.OwnDisable, ""},
	remove:  {users.OwnDelete, users.LastDelete},
	forget:  {users.OwnDelete, ""},
}

func whyNot(caller manage.Caller, f *users.Facts, action string) string {
	g := guards[action]
	switch {
	case g.own != "" && username.Equal(f.Username, caller.Username):
		return g.own
	case f.Source == users.FromManifest && action != rotate:
		return "It comes from a manifest"
	case f.Last && g.last != "":
		return g.last
	}
	return ""
}

// find returns an action of a user by the name in the path.
func (p *pages) find(c *httpapi.Call, caller manage.Caller) (*users.Facts, *web.Action, error) {
	f, err := p.users.Facts(c.R.Context(), caller, c.Param("name"))
	if err != nil {
		return nil, nil, err
	}
	// A page that is not up to date may ask for what the present state does not offer: the use case answers.
	able, roled := *f, *f
	able.Enabled = !f.Enabled
	roled.Role = map[v1alpha1.Role]v1alpha1.Role{
		v1alpha1.RoleAdmin: v1alpha1.RoleUser, v1alpha1.RoleUser: v1alpha1.RoleAdmin,
	}[f.Role]
	for _, state := range []*users.Facts{f, &able, &roled} {
		all, err := p.actionsFor(c, caller, state)
		if err != nil {
			return nil, nil, err
		}
		for i := range all {
			if all[i].Name == c.Param("action") {
				return f, &all[i], nil
			}
		}
	}
	return nil, nil, manage.Errorf(manage.NotFound, "This address has no page")
}

// ask shows the form of an action on a page of its own.
func (p *pages) ask(c *httpapi.Call) {
	f, action, err := p.find(c, c.Manager())
	if err != nil {
		web.Fail(c, err)
		return
	}
	web.RenderAction(c, web.Users, action, f.Username, userPath(f.Username), 0)
}

// act does an action.
func (p *pages) act(c *httpapi.Call) {
	form := web.ReadForm(c)
	caller := web.Manager(c, form)
	f, offered, err := p.find(c, caller)
	if err != nil {
		web.Fail(c, err)
		return
	}
	action := offered.TypedIn(form)
	if form.Err == nil && action.WhyNot == "" && !action.IsConfirmed() {
		web.RenderAction(c, web.Users, &action, f.Username, userPath(f.Username), http.StatusBadRequest)
		return
	}
	issued, err := p.do(c, caller, f.Username, action.Name, form)
	if refused := web.RefusalOf(err); refused != nil {
		action.Problem, action.Field = refused.Error(), ""
		web.RenderAction(c, web.Users, &action, f.Username, userPath(f.Username), httpapi.Status(refused.Kind))
		return
	}
	if err != nil {
		web.Fail(c, err)
		return
	}
	done(c, f, action.Name, issued)
}

// do returns the new key of a rotation or promotion.
func (p *pages) do(
	c *httpapi.Call, caller manage.Caller, name, action string, form *web.Form,
) (issued *users.Issued, err error) {
	ctx := c.R.Context()
	setRole := func(role v1alpha1.Role) (*users.Issued, error) {
		return p.users.SetRole(ctx, caller, name, func() (string, error) { return string(role), form.Err })
	}
	switch action {
	case promote:
		return setRole(v1alpha1.RoleAdmin)
	case demote:
		return setRole(v1alpha1.RoleUser)
	case rotate:
		return p.users.RotateKey(ctx, caller, name, func() (users.Rotation, error) {
			return users.Rotation{KeyID: form.Get("shown")}, form.Err
		})
	case disable, enable:
		_, err = p.users.SetEnabled(ctx, caller, name, func() (bool, error) { return action == enable, form.Err })
		return nil, err
	}
	_, err = p.users.Delete(ctx, caller, name, func() (bool, error) { return action == forget, form.Err })
	return nil, err
}

func done(c *httpapi.Call, f *users.Facts, action string, issued *users.Issued) {
	path := userPath(f.Username)
	switch {
	case issued != nil && issued.Key.Plaintext() != "":
		title := map[string]string{rotate: "Rotated the key of ", promote: "Made an admin of "}[action]
		showIssued(c, title+f.Username, issued)
	case action == remove, action == forget:
		web.SeeOther(c, "/users", web.Deleted)
	case issued != nil && issued.Secret != nil:
		web.SeeOther(c, path, web.RotationSoon)
	default:
		web.SeeOther(c, path, map[string]web.Notice{
			demote: web.Demoted, disable: web.UserDisabled, enable: web.UserEnabled,
		}[action])
	}
}
