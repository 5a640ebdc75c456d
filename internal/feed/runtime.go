package feed

import (
	"log/slog"

	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/internal/pepper"
	"keywright.dev/keywright/internal/settings"
	"keywright.dev/keywright/internal/verify"
)

// runtimeConfig follows ConfigMap keywright-runtime. Without one there is no bootstrap key; one that can't be read
// changes nothing.
type runtimeConfig struct {
	index *verify.Index
	log   *slog.Logger
}

func (*runtimeConfig) condense(object any) (any, error) { return object, nil }

func (c *runtimeConfig) put(object any) {
	document, err := settings.ParseRuntime(object.(*corev1.ConfigMap).Data[settings.RuntimeKey])
	if err != nil {
		c.log.Error("The configuration can't be read: the last good one stays in force", "error", err.Error())
		return
	}
	if document.BootstrapDigest == "" {
		c.index.SetBootstrap(nil)
		return
	}
	digest, err := pepper.ParseDigest(document.BootstrapDigest)
	if err != nil {
		c.log.Error("The bootstrap key's digest can't be read: the last good one stays in force")
		return
	}
	c.index.SetBootstrap(&digest)
}

func (c *runtimeConfig) remove(any) { c.index.SetBootstrap(nil) }

func (c *runtimeConfig) replace(objects []any) {
	if len(objects) == 0 {
		c.index.SetBootstrap(nil)
	}
	for _, object := range objects {
		c.put(object)
	}
}
