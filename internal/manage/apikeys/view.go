package apikeys

import (
	"context"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
)

// reasonNoKey: nothing has been issued, so there is nothing to accept.
const reasonNoKey = "no_key"

// shown is one key as the caller sees it.
func (s *Service) shown(ctx context.Context, k *v1alpha1.APIKey) (*Key, error) {
	views, err := s.view(ctx, []v1alpha1.APIKey{*k})
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	return &views[0], nil
}

func (s *Service) view(ctx context.Context, keys []v1alpha1.APIKey) ([]Key, error) {
	uids := make([]string, len(keys))
	for i := range keys {
		uids[i] = string(keys[i].UID)
	}
	uses, err := s.Uses.LastUses(ctx, uids)
	if err != nil {
		return nil, &Error{Kind: Unavailable, Text: "The database is unavailable", Cause: err}
	}
	views := make([]Key, len(keys))
	for i := range keys {
		views[i] = s.viewOf(&keys[i])
		views[i].used(keys[i].Status.LastUsedTime.DeepCopy(), uses[uids[i]])
	}
	return views, nil
}

// viewOf is all but the last use.
func (s *Service) viewOf(k *v1alpha1.APIKey) Key {
	v := Key{
		ID: string(k.UID), Object: Ref{k.Namespace, k.Name},
		Name: nameOf(k), Description: k.Spec.Description, Category: k.Spec.Category, Subject: k.Spec.Subject,
		Scopes: append([]string{}, convert.Plain(k.Spec.Scopes)...), Roles: append([]string{}, convert.Plain(k.Spec.Roles)...),
		Policy: k.Spec.Policy, Enabled: k.IsEnabled(), Revoked: k.Spec.Revoked,
		CreatedAt: k.CreationTimestamp.UTC(), ExpiresAt: s.endOf(k), Source: FromAPI, Reason: reasonNoKey,
	}
	if objects.FromManifest(k) {
		v.Source = FromManifest
	}
	if k.Spec.Delivery != v1alpha1.DeliveryResponse {
		v.Secret = &Ref{k.Namespace, k.EffectiveSecretName()}
	}
	if current := currentOf(k); current != nil {
		v.Prefix, v.IssuedAt = current.Prefix, current.IssuedAt.UTC()
		v.Active, v.Reason = s.standing(current)
	}
	return v
}

func nameOf(k *v1alpha1.APIKey) string {
	if k.Spec.DisplayName != "" {
		return k.Spec.DisplayName
	}
	return k.Name
}

// currentOf returns the current key. Nil: there is none.
func currentOf(k *v1alpha1.APIKey) *lifecycle.Key {
	return lifecycle.Current(convert.Keys(k.Status.Keys))
}

// standing is what this server would say to whoever presents the key now.
func (s *Service) standing(current *lifecycle.Key) (active bool, reason string) {
	digest, err := pepper.ParseDigest(current.Digest)
	if err != nil {
		return false, reasonNoKey
	}
	verdict := s.Verifier.VerifyDigest(&digest, s.Now())
	return verdict.Accepted(), verdict.Reason.String()
}

// endOf is the first of the ends that the object and its roles set. The end on record follows these.
func (s *Service) endOf(k *v1alpha1.APIKey) *time.Time {
	end := convert.Instant(k.Spec.ExpiresAt)
	if current := currentOf(k); current != nil {
		end = s.endIf(k, current.IssuedAt)
	}
	if end.IsZero() {
		return nil
	}
	end = end.UTC()
	return &end
}

// endIf returns the end of a key issued then, with what its roles say. Zero: none.
func (s *Service) endIf(k *v1alpha1.APIKey, issued time.Time) time.Time {
	maxTTL := s.Verifier.MaxTTL(convert.Plain(k.Spec.Roles))
	return lifecycle.EndOf(issued, convert.Instant(k.Spec.ExpiresAt), convert.Duration(k.Spec.TTL), maxTTL)
}
