package apikeys

import (
	"context"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/lastuse"
)

// reasonNoKey is the reason of a key object for which no key has been issued.
const reasonNoKey = "no_key"

// shown returns one key as replies describe it.
func (s *Service) shown(ctx context.Context, k *v1alpha1.APIKey) (*Key, error) {
	views, err := s.view(ctx, []v1alpha1.APIKey{*k})
	if err != nil {
		return nil, s.toError(ctx, err)
	}
	return &views[0], nil
}

func (s *Service) view(ctx context.Context, keys []v1alpha1.APIKey) ([]Key, error) {
	uses, err := s.lastUses(ctx, keys)
	if err != nil {
		return nil, err
	}
	views := make([]Key, len(keys))
	for i := range keys {
		views[i] = s.viewOf(&keys[i])
		views[i].setLastUse(lastUseOf(&keys[i], uses))
	}
	return views, nil
}

// lastUses returns the last uses of keys by uid, as the database has them.
func (s *Service) lastUses(ctx context.Context, keys []v1alpha1.APIKey) (map[string]lastuse.Use, error) {
	uids := make([]string, len(keys))
	for i := range keys {
		uids[i] = string(keys[i].UID)
	}
	uses, err := s.Uses.LastUses(ctx, uids)
	if err != nil {
		return nil, &manage.Error{Kind: manage.Unavailable, Text: "The database is unavailable", Cause: err}
	}
	return uses, nil
}

// viewOf returns everything but the last use.
func (s *Service) viewOf(k *v1alpha1.APIKey) Key {
	v := Key{
		ID: string(k.UID), Object: Ref{k.Namespace, k.Name},
		Name: nameOf(k), Description: k.Spec.Description, Category: k.Spec.Category, Subject: k.Spec.Subject,
		Scopes: append([]string{}, convert.Plain(k.Spec.Scopes)...),
		Roles:  append([]string{}, convert.Plain(k.Spec.Roles)...),
		Policy: k.Spec.Policy, Budgets: append([]v1alpha1.Budget{}, k.Spec.Budgets...),
		Enabled: !k.IsDisabled() && !k.IsRevoked(), Revoked: k.IsRevoked(),
		CreatedAt: k.CreationTimestamp.UTC(), Source: FromAPI, Reason: reasonNoKey,
	}
	v.ExpiresAt, v.ExpiresFrom = s.endOf(k)
	if v.Revoked {
		// The operator drops the keys of a revoked object a moment later.
		v.Reason = verify.Revoked.String()
	}
	if objects.FromManifest(k) {
		v.Source = FromManifest
	}
	if k.Spec.Delivery != v1alpha1.DeliveryResponse {
		v.Secret = &Ref{k.Namespace, k.EffectiveSecretName()}
	}
	if current := currentOf(k); current != nil {
		v.KeyID, v.Prefix, v.IssuedAt = current.ID, current.Prefix, current.IssuedAt.UTC()
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

// currentOf returns the current key, or nil.
func currentOf(k *v1alpha1.APIKey) *lifecycle.Key {
	return lifecycle.Current(convert.Keys(k.Status.Keys))
}

// standing returns what this server would decide if the key were presented now.
func (s *Service) standing(current *lifecycle.Key) (active bool, reason string) {
	digest, err := pepper.ParseDigest(current.Digest)
	if err != nil {
		return false, reasonNoKey
	}
	verdict := s.Verifier.VerifyDigest(&digest, s.Now())
	return verdict.Accepted(), verdict.Reason.String()
}

// endOf returns the end that the spec, the roles of the key and the instance set now, and which of them it comes from.
// The operator updates the recorded end later.
func (s *Service) endOf(k *v1alpha1.APIKey) (at *time.Time, from string) {
	bounds := s.boundsOf(k)
	end, source := bounds.ExpiresAt, lifecycle.FromExpiresAt
	if current := currentOf(k); current != nil {
		end, source = bounds.End(current.Since())
	}
	if end.IsZero() {
		return nil, ""
	}
	end = end.UTC()
	return &end, bounds.Named(source)
}

// endIf returns the end of a key issued at that time, or zero.
func (s *Service) endIf(k *v1alpha1.APIKey, issued time.Time) time.Time {
	end, _ := s.boundsOf(k).End(issued)
	return end
}

func (s *Service) boundsOf(k *v1alpha1.APIKey) *lifecycle.Bounds {
	end, ttl := convert.Instant(k.Spec.ExpiresAt), convert.Duration(k.Spec.TTL)
	return s.Verifier.Bounds(end, ttl, convert.Plain(k.Spec.Roles))
}

// setLastUse sets the last use, if there is one.
func (k *Key) setLastUse(last lastuse.Use) {
	if last.At.IsZero() {
		return
	}
	at := last.At.UTC()
	k.LastUsedAt, k.LastUsedFrom = &at, last.From
}
