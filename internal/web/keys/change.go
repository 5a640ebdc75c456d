package keys

import (
	"net/http"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/manifest"
	"keywright.dev/keywright/internal/web"
)

// Names of actions, which are the last part of their paths.
const (
	rotate  = "rotate"
	disable = "disable"
	enable  = "enable"
	revoke  = "revoke"
	remove  = "delete"
)

// overlaps are how long the current key is accepted after a rotation, by the values of the form.
var overlaps = map[string]*time.Duration{
	"": nil, "0": new(time.Duration(0)), "1h": new(time.Hour), "24h": new(apikeys.MaxOverlap),
}

// actionsFor returns the changes of a key, with why one is not possible as far as that is known. The use case decides.
func (p *keyPages) actionsFor(caller manage.Caller, f *apikeys.Facts) (all []web.Action, err error) {
	all = []web.Action{rotation(f)}
	if f.Enabled {
		all = append(all, web.Action{
			Name: disable, Title: "Disable", Icon: "pause", Button: "Disable",
			Text: "Every request with the key is refused at once. It can be enabled again.",
		})
	} else {
		all = append(all, web.Action{
			Name: enable, Title: "Enable", Icon: "play", Button: "Enable",
			Text: "The key is accepted again, unless it has ended.",
		})
	}
	all = append(all, web.Action{
		Name: revoke, Title: "Revoke", Icon: "ban", Button: "Revoke for good", IsDangerous: true, Confirm: f.Name,
		Text: "The key is refused for good, at once. The object stays as the record. This can't be undone.",
	}, web.Action{
		Name: remove, Title: "Delete", Icon: "trash-2", Button: "Delete for good", IsDangerous: true, Confirm: f.Name,
		Text: "The key is refused for good, at once, and its object is deleted. This can't be undone.",
	})
	for i := range all {
		a := &all[i]
		a.Path, a.WhyNot = keyPath(f.ID)+"/"+a.Name, p.whyNot(caller, f, a.Name)
		if !p.MayWrite(caller, f.Subject) {
			continue
		}
		if a.Change, err = p.changeOf(f, a.Name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// whyRevoked is why nothing but deletion is possible.
const whyRevoked = "It is revoked"

// stateAfter is the state that an action gives a key.
var stateAfter = map[string]v1alpha1.State{
	disable: v1alpha1.StateDisabled, enable: v1alpha1.StateActive, revoke: v1alpha1.StateRevoked,
}

// changeOf returns an action as Git and kubectl do it.
func (p *keyPages) changeOf(f *apikeys.Facts, action string) (manifest.Change, error) {
	switch {
	case action == remove:
		return manifest.Deleted(f.Record), nil
	case f.Revoked, action == rotate && f.Secret == nil:
		return manifest.Change{}, nil
	case action == rotate:
		return manifest.Rotated(f.Record, p.Now())
	}
	changed := f.Record.DeepCopy()
	changed.Spec.State = stateAfter[action]
	return manifest.Changed(f.Record, changed)
}

func (p *keyPages) whyNot(caller manage.Caller, f *apikeys.Facts, action string) string {
	switch {
	case !p.MayWrite(caller, f.Subject):
		return "Needs the right " + apikeys.ActionWrite
	case f.Source == apikeys.FromManifest && action != rotate:
		return "It comes from a manifest"
	case f.Revoked && action != remove:
		return whyRevoked
	}
	return ""
}

func rotation(f *apikeys.Facts) web.Action {
	a := web.Action{
		Name: rotate, Title: "Rotate", Icon: "rotate-cw", Button: "Rotate", Shown: f.KeyID,
		Text: "A new key is issued and shown once. The lifetime of the key starts again.",
	}
	if f.Secret != nil {
		ends := "at once"
		if f.Overlap != "" {
			ends = "after its overlap of " + string(f.Overlap)
		}
		a.Text = "The operator issues a new key into Secret " + f.Secret.String() + ", and the current one ends " + ends + "."
		return a
	}
	a.Choice, a.ChoiceLabel = "overlap", "When does the current key end?"
	a.Choices = []web.Choice{
		{Value: "0", Text: "At once: callers with the current key fail at once", IsChosen: f.Overlap == ""},
	}
	for _, choice := range []web.Choice{{Value: "1h", Text: "In an hour"}, {Value: "24h", Text: "In a day"}} {
		if *overlaps[choice.Value] <= f.MostOverlap {
			a.Choices = append(a.Choices, choice)
		}
	}
	if f.Overlap != "" {
		a.Choices = append(a.Choices, web.Choice{
			Text: "As the key's settings say (" + string(f.Overlap) + ")", IsChosen: true,
		})
	}
	return a
}

// find returns an action of a key by the name in the path.
func (p *keyPages) find(c *httpapi.Call, caller manage.Caller) (*apikeys.Facts, *web.Action, error) {
	id, subject := p.subject(c, caller)
	facts, err := p.Facts(c.R.Context(), caller, subject, id)
	if err != nil {
		return nil, nil, err
	}
	// Both of disable and enable may be asked for by a page that is not up to date.
	other := *facts
	other.Enabled = !facts.Enabled
	for _, state := range []*apikeys.Facts{facts, &other} {
		all, err := p.actionsFor(caller, state)
		if err != nil {
			return nil, nil, err
		}
		for i := range all {
			if all[i].Name == c.Param("action") {
				return facts, &all[i], nil
			}
		}
	}
	return nil, nil, manage.Errorf(manage.NotFound, "This address has no page")
}

// ask shows the form of an action on a page of its own.
func (p *keyPages) ask(c *httpapi.Call) {
	facts, action, err := p.find(c, c.Manager())
	if err != nil {
		web.Fail(c, err)
		return
	}
	web.RenderAction(c, web.Keys, action, facts.Name, keyPath(facts.ID), 0)
}

// act does an action.
func (p *keyPages) act(c *httpapi.Call) {
	form := web.ReadForm(c)
	caller := web.Manager(c, form)
	facts, offered, err := p.find(c, caller)
	if err != nil {
		web.Fail(c, err)
		return
	}
	action := offered.TypedIn(form)
	if form.Err == nil && action.WhyNot == "" && !action.IsConfirmed() {
		web.RenderAction(c, web.Keys, &action, facts.Name, keyPath(facts.ID), http.StatusBadRequest)
		return
	}
	issued, err := p.do(c, caller, facts, &action, form)
	if refused := web.RefusalOf(err); refused != nil {
		action.Problem, action.Field = refused.Text, ""
		if refused.Field == apikeys.FieldOverlap {
			action.Field = action.Choice
		}
		web.RenderAction(c, web.Keys, &action, facts.Name, keyPath(facts.ID), httpapi.Status(refused.Kind))
		return
	}
	if err != nil {
		web.Fail(c, err)
		return
	}
	p.done(c, facts, action.Name, issued)
}

// do returns the new key of a rotation.
func (p *keyPages) do(
	c *httpapi.Call, caller manage.Caller, f *apikeys.Facts, a *web.Action, form *web.Form,
) (*apikeys.Issued, error) {
	ctx, change := c.R.Context(), func(enabled bool) error {
		_, err := p.Change(c.R.Context(), caller, f.Subject, f.ID, func() (*apikeys.Change, error) {
			return &apikeys.Change{Enabled: &enabled}, form.Err
		})
		return err
	}
	switch a.Name {
	case rotate:
		return p.Rotate(ctx, caller, f.Subject, f.ID, func() (*apikeys.Rotation, error) { return readRotation(form) })
	case disable:
		return nil, change(false)
	case enable:
		return nil, change(true)
	case revoke:
		if form.Err != nil {
			return nil, form.Err
		}
		_, err := p.Revoke(ctx, caller, f.Subject, f.ID)
		return nil, err
	}
	if form.Err != nil {
		return nil, form.Err
	}
	return nil, p.Delete(ctx, caller, f.Subject, f.ID)
}

func readRotation(form *web.Form) (*apikeys.Rotation, error) {
	if form.Err != nil {
		return nil, form.Err
	}
	overlap, known := overlaps[form.Get("overlap")]
	if !known {
		return nil, manage.InvalidField(apikeys.FieldOverlap, "Choose one of these")
	}
	return &apikeys.Rotation{KeyID: form.Get("shown"), Overlap: overlap}, nil
}

func (*keyPages) done(c *httpapi.Call, f *apikeys.Facts, action string, issued *apikeys.Issued) {
	path := keyPath(f.ID)
	switch {
	case issued != nil && issued.Token.Plaintext() != "":
		web.Render(c, web.Page{Title: "Rotated " + f.Name, Section: web.Keys, View: rotatedView, Data: issued})
	case action == rotate:
		web.SeeOther(c, path, web.RotationSoon)
	case action == remove:
		web.SeeOther(c, "/keys", web.Deleted)
	default:
		web.SeeOther(c, path, map[string]web.Notice{
			disable: web.Disabled, enable: web.Enabled, revoke: web.Revoked,
		}[action])
	}
}
