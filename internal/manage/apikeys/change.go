package apikeys

import (
	"context"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// Change is what to change of a key. Fields that are nil stay as they are.
type Change struct {
	Name, Description *string
	// Scopes and Roles replace the present ones.
	Scopes, Roles *[]string
	// Policy replaces the present policy; NoPolicy removes it.
	Policy   *v1alpha1.Policy
	NoPolicy bool
	// Budgets replace the present ones.
	Budgets *[]v1alpha1.Budget
	// ExpiresAt and TTL replace expiresAt and ttl of the spec; NoEnd removes them. As in Wanted, TTL counts from each
	// issue. The maxTTL of roles stays in force.
	ExpiresAt *time.Time
	TTL       time.Duration
	NoEnd     bool
	Enabled   *bool
	// Revoke refuses the key for good, as Service.Revoke does. It excludes every other change.
	Revoke bool
}

// findOwn authorizes the caller and returns the key if it was created through the API.
func (op *operation) findOwn(ctx context.Context, id string) (*v1alpha1.APIKey, error) {
	if err := op.authorize(); err != nil {
		return nil, err
	}
	if err := op.caller.BadReason; err != nil {
		return nil, err
	}
	k, err := op.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return k, checkSource(k)
}

// checkSource refuses to change a key that comes from a manifest.
func checkSource(k *v1alpha1.APIKey) error {
	if !objects.FromManifest(k) {
		return nil
	}
	return manage.Errorf(manage.Conflict, "API key %s comes from a manifest: change it where that is kept (%s/%s)",
		nameOf(k), k.Namespace, k.Name)
}

func (op *operation) change(ctx context.Context, id string, read manage.Read[*Change]) (*v1alpha1.APIKey, error) {
	if err := op.authorize(); err != nil {
		return nil, err
	}
	c, err := read.By(op.Gate, op.caller, errUnauthorized)
	if err != nil {
		return nil, err
	}
	if err := op.checkChange(ctx, c); err != nil {
		return nil, err
	}
	if c.Revoke {
		op.action = audit.KeyRevoke
		return op.revoke(ctx, id)
	}
	k, err := op.find(ctx, id)
	if err != nil {
		return nil, err
	}
	op.detail += c.named()
	if err := op.write(ctx, k, func(k *v1alpha1.APIKey) error { return op.apply(c, k) }); err != nil {
		return nil, err
	}
	op.event(k, v1alpha1.EventChanged, "Changed")
	return k, nil
}

func (op *operation) checkChange(ctx context.Context, c *Change) error {
	for _, rule := range []func() error{
		c.checkRevocation,
		func() error { return ifNamed(c.Name, checkName) },
		func() error {
			return ifNamed(c.Description, func(text string) error { return checkText(FieldDescription, text) })
		},
		func() error {
			return ifNamed(c.Scopes, func(scopes []string) error { return checkUnique(FieldScopes, scopes) })
		},
		func() error {
			return ifNamed(c.Roles, func(names []string) error { return checkUnique(FieldRoles, names) })
		},
		func() error { return ifNamed(c.Budgets, checkBudgets) },
		func() error { return op.checkNoKeys(c.texts()) },
		func() error { return checkEnd(c.ExpiresAt, op.Now()) },
		func() error { return checkTTL(c.TTL) },
		func() error { return op.checkLimits(c.ExpiresAt, c.TTL) },
		func() error {
			return ifNamed(c.Roles, func(names []string) error { return op.checkRoles(ctx, names) })
		},
	} {
		if err := rule(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Change) checkRevocation() error {
	if c.Revoke && c.named() != "" {
		return manage.InvalidField(FieldRevoked, "excludes other changes: a revoked key stays as it is")
	}
	return nil
}

// texts returns the texts that change.
func (c *Change) texts() *texts {
	return &texts{
		name: orZero(c.Name), description: orZero(c.Description), scopes: orZero(c.Scopes), roles: orZero(c.Roles),
	}
}

func orZero[T any](value *T) (v T) {
	if value != nil {
		v = *value
	}
	return v
}

func ifNamed[T any](value *T, check func(T) error) error {
	if value == nil {
		return nil
	}
	return check(*value)
}

// write applies a change and writes the key. It applies the change again to a newer version that another client
// wrote meanwhile.
func (op *operation) write(ctx context.Context, k *v1alpha1.APIKey, apply func(*v1alpha1.APIKey) error) error {
	if err := apply(k.DeepCopy()); err != nil {
		return err
	}
	var refused error
	err := op.Store.Change(ctx, k, func(o objects.Object) {
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

// apply changes the key. A caller may widen it only if all that the key may do then, and its end, are within the
// caller's own.
func (op *operation) apply(c *Change, k *v1alpha1.APIKey) error {
	before := k.DeepCopy()
	c.describe(&k.Spec)
	c.enable(&k.Spec)
	c.give(&k.Spec)
	c.setEnd(&k.Spec)
	if c.widens() {
		if err := op.checkIssue(k, op.issueOf(k)); err != nil {
			return err
		}
	}
	if err := checkSource(before); err != nil {
		return err
	}
	if c.widens() && before.IsRevoked() {
		return errRevoked(before)
	}
	return op.checkTTLHasRoom(c, k)
}

// checkTTLHasRoom refuses a ttl that is over already, as an expiry in the past is.
func (op *operation) checkTTLHasRoom(c *Change, k *v1alpha1.APIKey) error {
	issued := op.issueOf(k)
	if c.TTL == 0 || !lifecycle.Ended(issued.Add(c.TTL), op.Now()) {
		return nil
	}
	return manage.InvalidField(FieldExpiresIn, "counts from the issue of the key, at "+issued.UTC().Format(time.RFC3339)+
		", and is over: give expires_at, or rotate the key first")
}

// issueOf returns when the current key was issued, or now when none has been.
func (op *operation) issueOf(k *v1alpha1.APIKey) time.Time {
	if current := currentOf(k); current != nil {
		return current.Since()
	}
	return op.Now()
}

func errRevoked(k *v1alpha1.APIKey) error {
	return manage.Errorf(manage.Conflict, "API key %s is revoked for good: create another", nameOf(k))
}

// widens reports whether the change may give the key rights or time. One that only describes or disables it does not.
func (c *Change) widens() bool {
	enables := c.Enabled != nil && *c.Enabled
	gives := c.Scopes != nil || c.Roles != nil || c.Policy != nil || c.NoPolicy || c.Budgets != nil
	return enables || gives || c.ends()
}

func (c *Change) ends() bool { return c.ExpiresAt != nil || c.TTL > 0 || c.NoEnd }

// named lists the changed fields for the audit trail.
func (c *Change) named() string {
	var named strings.Builder
	for _, field := range []struct {
		name string
		is   bool
	}{
		{FieldName, c.Name != nil}, {FieldDescription, c.Description != nil},
		{FieldScopes, c.Scopes != nil}, {FieldRoles, c.Roles != nil}, {"policy", c.Policy != nil || c.NoPolicy},
		{FieldBudgets, c.Budgets != nil}, {FieldExpiresAt, c.ends()},
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
	if c.Enabled != nil && spec.State != v1alpha1.StateRevoked {
		spec.State = stateOf(*c.Enabled)
	}
}

func stateOf(enabled bool) v1alpha1.State {
	if enabled {
		return v1alpha1.StateActive
	}
	return v1alpha1.StateDisabled
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
	if c.Budgets != nil {
		spec.Budgets = budgetsOf(*c.Budgets)
	}
}

func (c *Change) setEnd(spec *v1alpha1.APIKeySpec) {
	if c.ends() {
		spec.ExpiresAt, spec.TTL = endOfSpec(c.ExpiresAt, c.TTL)
	}
}

func (op *operation) revoke(ctx context.Context, id string) (*v1alpha1.APIKey, error) {
	k, err := op.findOwn(ctx, id)
	if err != nil || k.IsRevoked() {
		return k, err
	}
	revoke := func(k *v1alpha1.APIKey) error {
		k.Spec.State = v1alpha1.StateRevoked
		return nil
	}
	if err := op.write(ctx, k, revoke); err != nil {
		return nil, err
	}
	op.event(k, v1alpha1.EventKeyRevoked, "Revoked")
	return k, nil
}

func (op *operation) remove(ctx context.Context, id string) error {
	k, err := op.findOwn(ctx, id)
	if err != nil {
		return err
	}
	if err := op.Store.Delete(ctx, k); err != nil {
		return err
	}
	op.event(k, v1alpha1.EventDeleted, "Deleted")
	return nil
}
