package apikeys

import (
	"context"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
)

// findOwn finds a key that the API made. Others are changed where they are kept.
func (d *deed) findOwn(ctx context.Context, id string) (*v1alpha1.APIKey, error) {
	k, err := d.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if objects.FromManifest(k) {
		return nil, &Error{Kind: Conflict, Text: "API key " + nameOf(k) + " comes from a manifest: change it where that is kept (" +
			k.Namespace + "/" + k.Name + ")"}
	}
	return k, nil
}

func (d *deed) change(ctx context.Context, id string, read Read[Change]) (*v1alpha1.APIKey, error) {
	k, err := d.findOwn(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := read()
	if err != nil {
		return nil, err
	}
	d.detail += c.named()
	if err := d.checkChange(ctx, c); err != nil {
		return nil, err
	}
	if err := d.write(ctx, k, func(k *v1alpha1.APIKey) error { return d.apply(c, k) }); err != nil {
		return nil, err
	}
	d.tell(k, v1alpha1.EventChanged, "Changed")
	return k, nil
}

func (d *deed) checkChange(ctx context.Context, c *Change) error {
	for _, rule := range []func() error{
		func() error { return ifNamed(c.Name, checkName) },
		func() error {
			return ifNamed(c.Description, func(text string) error { return checkText(FieldDescription, text) })
		},
		func() error {
			return ifNamed(c.Scopes, func(scopes []string) error { return checkTwice(FieldScopes, scopes) })
		},
		func() error {
			return ifNamed(c.Roles, func(names []string) error { return checkTwice(FieldRoles, names) })
		},
		func() error { return checkEnd(c.ExpiresAt, d.Now()) },
		func() error { return checkTTL(c.EndsIn) },
		func() error {
			return ifNamed(c.Roles, func(names []string) error { return d.checkRoles(ctx, names) })
		},
	} {
		if err := rule(); err != nil {
			return err
		}
	}
	return nil
}

func ifNamed[T any](value *T, check func(T) error) error {
	if value == nil {
		return nil
	}
	return check(*value)
}

// write writes what apply makes of a key. It asks apply of each state that it may come to write to: somebody else may be
// changing the key too.
func (d *deed) write(ctx context.Context, k *v1alpha1.APIKey, apply func(*v1alpha1.APIKey) error) error {
	if err := apply(k.DeepCopy()); err != nil {
		return err
	}
	var refused error
	err := d.Registry.Change(ctx, k, func(o objects.Object) {
		now := o.(*v1alpha1.APIKey)
		before := now.DeepCopy()
		if refused = apply(now); refused != nil {
			*now = *before
		}
	})
	if err != nil {
		return err
	}
	return refused
}

// apply changes what is named. Whoever widens what a key lets its bearer do answers for all that it lets do then.
func (d *deed) apply(c *Change, k *v1alpha1.APIKey) error {
	c.describe(&k.Spec)
	if !c.widens() {
		c.enable(&k.Spec)
		return nil
	}
	if k.Spec.Revoked {
		return revoked(k)
	}
	before := d.endNow(k)
	c.give(&k.Spec)
	c.enable(&k.Spec)
	d.setEnd(c, &k.Spec)
	given := convert.Given(k)
	if err := d.mayGive(d.by, &given, k.Spec.Subject); err != nil {
		return err
	}
	if after := d.endNow(k); c.ends() || outlasts(after, before) {
		return mayEnd(d.by, after)
	}
	return nil
}

// endNow is the end of a key, and if none has been issued, that of one that were issued now. Roles set ends, too, and to
// take away such a role takes away its end.
func (d *deed) endNow(k *v1alpha1.APIKey) time.Time {
	issued := d.Now()
	if current := currentOf(k); current != nil {
		issued = current.IssuedAt
	}
	return d.endIf(k, issued)
}

func revoked(k *v1alpha1.APIKey) error {
	return &Error{Kind: Conflict, Text: "API key " + nameOf(k) + " is revoked, and stays so: create another"}
}

// widens is false for a change that only describes or disables a key.
func (c *Change) widens() bool {
	enables := c.Enabled != nil && *c.Enabled
	gives := c.Scopes != nil || c.Roles != nil || c.Policy != nil || c.NoPolicy
	return enables || gives || c.ends()
}

func (c *Change) ends() bool { return c.ExpiresAt != nil || c.EndsIn > 0 || c.NoEnd }

// named says for the trail which fields are named, and how a flag is set.
func (c *Change) named() string {
	var named strings.Builder
	for _, field := range []struct {
		name string
		is   bool
	}{
		{FieldName, c.Name != nil}, {FieldDescription, c.Description != nil},
		{FieldScopes, c.Scopes != nil}, {FieldRoles, c.Roles != nil}, {"policy", c.Policy != nil || c.NoPolicy},
		{FieldExpiresAt, c.ends()},
		{"enabled", c.Enabled != nil && *c.Enabled}, {"disabled", c.Enabled != nil && !*c.Enabled},
	} {
		if field.is {
			named.WriteString(" " + field.name)
		}
	}
	return named.String()
}

func (c *Change) describe(spec *v1alpha1.APIKeySpec) {
	if c.Name != nil {
		spec.DisplayName = *c.Name
	}
	if c.Description != nil {
		spec.Description = *c.Description
	}
}

func (c *Change) enable(spec *v1alpha1.APIKeySpec) {
	if c.Enabled != nil {
		enabled := *c.Enabled
		spec.Enabled = &enabled
	}
}

func (c *Change) give(spec *v1alpha1.APIKeySpec) {
	if c.Scopes != nil {
		spec.Scopes = typed[v1alpha1.Scope](*c.Scopes)
	}
	if c.Roles != nil {
		spec.Roles = typed[v1alpha1.RoleName](*c.Roles)
	}
	if c.Policy != nil || c.NoPolicy {
		spec.Policy = c.Policy.DeepCopy()
	}
}

func (d *deed) setEnd(c *Change, spec *v1alpha1.APIKeySpec) {
	if !c.ends() {
		return
	}
	spec.ExpiresAt, spec.TTL = nil, nil
	switch {
	case c.ExpiresAt != nil:
		spec.ExpiresAt = instant(*c.ExpiresAt)
	case c.EndsIn > 0:
		spec.ExpiresAt = instant(d.Now().Add(c.EndsIn))
	}
}
