package clusterwatch

import (
	"log/slog"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/convert"
)

const kindAPIKey = "APIKey"

// newAPIKeys puts the APIKeys of a namespace into the index; namespace "": all there are.
func newAPIKeys(index *verify.Index, namespace string, common *pool, log *slog.Logger) *holders {
	return &holders{index: index, kind: kindAPIKey, namespace: namespace, translate: func(object any) *record {
		key := object.(*v1alpha1.APIKey)
		r := &record{id: verify.ID{Kind: kindAPIKey, Namespace: common.namespace(key.Namespace), Name: key.Name}}
		r.holder = apiKey(key, log)
		r.holder.Given = common.given(convert.Given(key))
		return r
	}}
}

func apiKey(key *v1alpha1.APIKey, log *slog.Logger) verify.KeyObject {
	return verify.KeyObject{
		Identity: speaksAs(key.Spec.Subject),
		Standing: standingOfKey(key), Created: key.CreationTimestamp.Time, UID: string(key.UID),
		HoldsKeys: len(key.Status.Keys) > 0,
		ExpiresAt: convert.Instant(key.Spec.ExpiresAt), TTL: convert.Duration(key.Spec.TTL),
		LastUsed: convert.Instant(key.Status.LastUsedTime),
		Keys:     keysOf(&key.Status.KeyHolderStatus, log.With("namespace", key.Namespace, "apiKey", key.Name)),
	}
}

// speaksAs is never an admin: an admin's APIKey holds what it was given.
func speaksAs(subject v1alpha1.Subject) verify.Identity {
	i := verify.Identity{Subject: subject.String()}
	if subject.Kind == v1alpha1.SubjectUser {
		i.Username = strings.TrimPrefix(i.Subject, string(v1alpha1.SubjectUser)+"/")
	}
	return i
}

// standingOfKey rests on the spec alone, as standing does. What speaks for nobody in particular is not let in: it would
// be limited by nobody.
func standingOfKey(key *v1alpha1.APIKey) verify.Reason {
	switch {
	case !key.DeletionTimestamp.IsZero():
		return verify.Deleted
	case key.Spec.Revoked:
		return verify.Revoked
	case !key.IsEnabled():
		return verify.Disabled
	case key.Spec.Subject.Kind == "" || key.Spec.Subject.Name == "":
		return verify.Unknown
	}
	return verify.Accepted
}
