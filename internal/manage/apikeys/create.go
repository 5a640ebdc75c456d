package apikeys

import (
	"context"
	"errors"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/idempotency"
	"keywright.dev/keywright/internal/manage/idempotency/creation"
)

// Wanted is a key to create.
type Wanted struct {
	Name, Description, Category string
	Scopes, Roles               []string
	Policy                      *v1alpha1.Policy
	Budgets                     []v1alpha1.Budget
	// Everything stands for a policy that allows everything that the key's user may do.
	Everything bool
	// ExpiresAt is the end of the key, without fractions of a second. It is nil for a key without an end.
	ExpiresAt *time.Time
	// TTL is the lifetime after each issue, in whole seconds; 0 sets none. It excludes ExpiresAt.
	TTL time.Duration
	// Disabled keys are refused until they are enabled.
	Disabled bool
	// Once is an idempotency key (package idempotency). It may be empty.
	Once string
	// Faults are those that the surface found while it read the input. Create reports them with those of its rules.
	Faults []*manage.Error
}

func (op *operation) create(ctx context.Context, read manage.Read[*Wanted]) (*Issued, error) {
	k, err := op.wanted(ctx, read)
	if err != nil {
		return nil, err
	}
	if err := op.checkFirst(ctx); err != nil {
		return nil, err
	}
	secret, err := op.Store.Generate()
	if err != nil {
		return nil, err
	}
	secret.Owner = op.owner
	if err := op.Store.Create(ctx, k, secret); err != nil {
		return nil, createdBefore(err)
	}
	if err := op.Creations.Keep(ctx, op.caller.Subject, op.once, string(k.UID)); err != nil {
		op.Store.Discard(ctx, k)
		return nil, err
	}
	op.setTarget(k)
	op.event(k, v1alpha1.EventCreated, "Created")
	return issuedKey(op.viewOf(k), secret.Plaintext), nil
}

// wanted returns the object to create. The caller may have its key.
func (op *operation) wanted(ctx context.Context, read manage.Read[*Wanted]) (*v1alpha1.APIKey, error) {
	op.subject = op.spelled(op.subject)
	if err := op.authorize(); err != nil {
		return nil, err
	}
	if err := op.checkMayOwnKeys(op.subject); err != nil {
		return nil, err
	}
	wanted, err := read.By(op.Gate, op.caller, errUnauthorized)
	if err != nil {
		return nil, err
	}
	if err := op.check(ctx, wanted); err != nil {
		return nil, err
	}
	k := &v1alpha1.APIKey{Spec: wanted.spec(op.subject)}
	if op.once = wanted.Once; op.once != "" {
		k.Name = objects.OnceName(wanted.Name, creation.DigestOf(op.caller.Subject, op.once))
	}
	return k, op.checkIssue(k, op.Now())
}

// checkFirst refuses a creation whose idempotency key has created something before.
func (op *operation) checkFirst(ctx context.Context) error {
	return op.Creations.Check(ctx, op.caller.Subject, op.once)
}

// createdBefore names the key that was created with the same idempotency key.
func createdBefore(err error) error {
	var existing *objects.Exists
	if !errors.As(err, &existing) {
		return err
	}
	return idempotency.Conflict(existing.UID)
}

// check applies the rules of the body, and then those of the subject, which may be a reserved name. It returns every
// fault of the input.
func (op *operation) check(ctx context.Context, w *Wanted) error {
	faults := slices.Clone(w.Faults)
	for _, rule := range []func() error{
		func() error { return idempotency.CheckKey(w.Once) },
		func() error { return checkName(w.Name) },
		func() error { return checkText(FieldDescription, w.Description) },
		func() error { return checkText(FieldCategory, w.Category) },
		func() error { return checkUnique(FieldScopes, w.Scopes) },
		func() error { return checkUnique(FieldRoles, w.Roles) },
		func() error { return checkBudgets(w.Budgets) },
		func() error { return op.checkNoKeys(op.textsOf(w)) },
		func() error { return checkEnd(w.ExpiresAt, op.Now()) },
		func() error { return checkTTL(w.TTL) },
		func() error { return op.checkLimits(w.ExpiresAt, w.TTL) },
		func() error { return op.checkRoles(ctx, w.Roles) },
		func() error { return op.checkSubject(op.subject) },
	} {
		var fault *manage.Error
		switch err := rule(); {
		case err == nil:
		case errors.As(err, &fault) && fault.Kind == manage.Invalid:
			faults = append(faults, fault)
		case len(faults) == 0:
			return err
		}
	}
	return manage.Faults(faults)
}

// textsOf leaves out a name that is the subject's: checkSubject refuses that.
func (op *operation) textsOf(w *Wanted) *texts {
	t := &texts{w.Name, w.Description, w.Category, w.Scopes, w.Roles}
	if t.name == op.subject.Name {
		t.name = ""
	}
	return t
}

func (w *Wanted) spec(subject v1alpha1.Subject) v1alpha1.APIKeySpec {
	spec := v1alpha1.APIKeySpec{
		DisplayName: w.Name, Description: w.Description, Category: w.Category, Subject: subject,
		Delivery: v1alpha1.DeliveryResponse,
		Scopes:   typed[v1alpha1.Scope](w.Scopes), Roles: typed[v1alpha1.RoleName](w.Roles), Policy: w.Policy,
		Budgets: budgetsOf(w.Budgets),
	}
	if w.Everything {
		spec.Policy = everything()
	}
	spec.ExpiresAt, spec.TTL = endOfSpec(w.ExpiresAt, w.TTL)
	spec.State = stateOf(!w.Disabled)
	return spec
}

// everything returns a policy that leaves the ceiling of the key's user as the only limit.
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

// endOfSpec returns expiresAt and ttl of a spec. The caller gives one of them at most.
func endOfSpec(end *time.Time, ttl time.Duration) (*metav1.Time, *v1alpha1.Duration) {
	switch {
	case end != nil:
		return instant(*end), nil
	case ttl > 0:
		return nil, new(convert.DurationOf(ttl.Truncate(time.Second)))
	}
	return nil, nil
}

// instant drops the fraction of a second, which objects do not keep, so that no key is accepted for too long.
func instant(t time.Time) *metav1.Time { return &metav1.Time{Time: t.UTC().Truncate(time.Second)} }
