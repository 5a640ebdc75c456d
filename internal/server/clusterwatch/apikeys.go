package clusterwatch

import (
	"log/slog"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
)

const kindAPIKey = "APIKey"

// newAPIKeys puts the APIKeys of a namespace into the index; namespace "": all there are.
func newAPIKeys(index *verify.Index, namespace string, common *pool, log *slog.Logger) *holders {
	return &holders{index: index, kind: kindAPIKey, namespace: namespace, translate: func(object any) *record {
		key := object.(*v1alpha1.APIKey)
		r := &record{id: verify.ID{Kind: kindAPIKey, Namespace: common.namespace(key.Namespace), Name: key.Name}}
		r.holder = keyObject(key, log.With("namespace", key.Namespace, "apiKey", key.Name))
		r.holder.Rights = common.given(*r.holder.Rights)
		return r
	}}
}
