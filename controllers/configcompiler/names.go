package configcompiler

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/config"
)

// warnOfNames reports doubtful entries of the allow list. They are in force all the same: a user may be created later.
func (r *Reconciler) warnOfNames(ctx context.Context, in inputs, parsed *config.Settings) error {
	if len(parsed.Listed) == 0 || in.config.UID == "" {
		return nil
	}
	known, err := r.knownCallers(ctx)
	if err != nil {
		return err
	}
	problems := parsed.Doubtful(func(name string) bool { return known[name] })
	if len(problems) > 0 {
		r.Events.Eventf(in.config, in.secret, corev1.EventTypeWarning, v1alpha1.EventDoubtfulNames, "Apply",
			"%s: %s. They are in force as written.", config.KeyAllowedUsers, config.Cut(strings.Join(problems, ", "), maxNote))
	}
	return nil
}

// knownCallers returns the usernames and subjects that objects name, in lower case. A user counts with and without its
// kind.
func (r *Reconciler) knownCallers(ctx context.Context) (map[string]bool, error) {
	known := map[string]bool{}
	add := func(kind v1alpha1.SubjectKind, name string) {
		known[username.Fold(string(kind)+"/"+name)] = true
		if kind == v1alpha1.SubjectUser {
			known[username.Fold(name)] = true
		}
	}
	add(v1alpha1.SubjectUser, username.Bootstrap)
	var users v1alpha1.AdminUserList
	if err := r.Client.List(ctx, &users, client.InNamespace(r.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range users.Items {
		add(v1alpha1.SubjectUser, users.Items[i].EffectiveUsername())
	}
	var keys v1alpha1.APIKeyList
	if err := r.Client.List(ctx, &keys, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range keys.Items {
		add(keys.Items[i].Spec.Subject.Kind, keys.Items[i].Spec.Subject.Name)
	}
	var bindings v1alpha1.AccessRoleBindingList
	if err := r.Client.List(ctx, &bindings, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range bindings.Items {
		for _, subject := range bindings.Items[i].Spec.Subjects {
			add(v1alpha1.SubjectKind(subject.Kind), string(subject.Name))
		}
	}
	return known, nil
}
