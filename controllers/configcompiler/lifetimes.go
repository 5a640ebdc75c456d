package configcompiler

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// warnOfEnds reports how many keys an edit of MAX_TTL or DEFAULT_TTL has ended at once, because they are older. Each
// APIKey has an event of its own; this one is for the author of the edit.
func (r *Reconciler) warnOfEnds(ctx context.Context, in inputs, p publication) error {
	before, _ := config.ParseRuntime(p.before)
	after, _ := config.ParseRuntime(p.document)
	was, is := before.Limits(), after.Limits()
	if was == is || is == (lifecycle.Limits{}) || in.config.UID == "" {
		return nil
	}
	now, ended := r.Clock.Now(), []string{}
	err := r.Scope.Each(ctx, r.Client, func(o keyholder.Object) error {
		if k, isKey := o.(*v1alpha1.APIKey); isKey && endsBy(is, k, now) && !endsBy(was, k, now) {
			ended = append(ended, k.Namespace+"/"+k.Name)
		}
		return nil
	})
	if err != nil || len(ended) == 0 {
		return err
	}
	r.Events.Eventf(in.config, in.secret, corev1.EventTypeWarning, v1alpha1.EventKeysEnded, "Apply",
		"%s: APIKeys with a key that is older, and refused from now on: %s. Rotate them, or raise the setting.",
		strings.Join(config.Changes(config.Runtime{MaxTTL: was.MaxTTL, DefaultTTL: was.DefaultTTL},
			config.Runtime{MaxTTL: is.MaxTTL, DefaultTTL: is.DefaultTTL}), ", "),
		config.Cut(fmt.Sprintf("%d (%s)", len(ended), strings.Join(ended, ", ")), maxNote/2))
	return nil
}

// endsBy reports whether an APIKey has a current key that has ended with these limits, apart from its roles.
func endsBy(limits lifecycle.Limits, k *v1alpha1.APIKey, now time.Time) bool {
	current := lifecycle.Current(convert.Keys(k.Status.Keys))
	if current == nil {
		return false
	}
	spec := convert.Spec(k)
	spec.Limits = limits
	end, _ := spec.Bounds().End(current.Since())
	return lifecycle.Ended(end, now)
}
