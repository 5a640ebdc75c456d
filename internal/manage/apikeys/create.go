package apikeys

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/kube/convert"
)

func (d *deed) create(ctx context.Context, read Read[Wanted]) (*Issued, error) {
	subject := d.subject
	if err := d.mayAsk(d.by, subject, ActionWrite); err != nil {
		return nil, err
	}
	wanted, err := read()
	if err != nil {
		return nil, err
	}
	if err := d.check(ctx, subject, wanted); err != nil {
		return nil, err
	}
	k := &v1alpha1.APIKey{Spec: wanted.spec(subject)}
	given := convert.Given(k)
	if err := d.mayGive(d.by, &given, subject); err != nil {
		return nil, err
	}
	if err := mayEnd(d.by, d.endIf(k, d.Now())); err != nil {
		return nil, err
	}
	secret, err := d.Registry.Generate()
	if err != nil {
		return nil, err
	}
	if err := d.Registry.Create(ctx, k, secret); err != nil {
		return nil, err
	}
	d.found(k)
	d.tell(k, v1alpha1.EventCreated, "Created")
	return &Issued{Key: d.viewOf(k), Token: secret.Plaintext}, nil
}

// check goes from what costs nothing to what the API server is asked for.
func (d *deed) check(ctx context.Context, subject v1alpha1.Subject, w *Wanted) error {
	for _, rule := range []func() error{
		func() error { return checkSubject(subject) },
		func() error { return checkName(w.Name) },
		func() error { return checkText(FieldDescription, w.Description) },
		func() error { return checkText(FieldCategory, w.Category) },
		func() error { return checkTwice(FieldScopes, w.Scopes) },
		func() error { return checkTwice(FieldRoles, w.Roles) },
		func() error { return checkEnd(w.ExpiresAt, d.Now()) },
		func() error { return checkTTL(w.TTL) },
		func() error { return d.mayOwnKeys(subject) },
		func() error { return d.checkRoles(ctx, w.Roles) },
	} {
		if err := rule(); err != nil {
			return err
		}
	}
	return nil
}

func (w *Wanted) spec(subject v1alpha1.Subject) v1alpha1.APIKeySpec {
	spec := v1alpha1.APIKeySpec{
		DisplayName: w.Name, Description: w.Description, Category: w.Category, Subject: subject,
		Scopes: typed[v1alpha1.Scope](w.Scopes), Roles: typed[v1alpha1.RoleName](w.Roles), Policy: w.Policy,
	}
	if w.Everything {
		spec.Policy = everything()
	}
	if w.ExpiresAt != nil {
		spec.ExpiresAt = instant(*w.ExpiresAt)
	}
	if w.TTL > 0 {
		ttl := v1alpha1.Duration(w.TTL.Truncate(time.Second).String())
		spec.TTL = &ttl
	}
	enabled := !w.Disabled
	spec.Enabled = &enabled
	return spec
}

// everything is a policy that says no more than that the key's user is the limit.
func everything() *v1alpha1.Policy {
	return &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
		Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{access.Any}, Resources: []v1alpha1.Resource{access.Any},
	}}}
}

func typed[S ~string](plain []string) []S {
	if len(plain) == 0 {
		return nil
	}
	out := make([]S, 0, len(plain))
	for _, s := range plain {
		out = append(out, S(s))
	}
	return out
}

// instant cuts off what an object does not keep: no key is accepted longer than was asked for.
func instant(t time.Time) *metav1.Time { return &metav1.Time{Time: t.UTC().Truncate(time.Second)} }
