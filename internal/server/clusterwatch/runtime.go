package clusterwatch

import (
	"log/slog"

	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/internal/config"
)

// runtimeConfig follows ConfigMap keywright-runtime. One that can't be used changes nothing, and neither does one that
// is gone: the operator puts it back, and until then a missing allow list must not be taken for an open one.
type runtimeConfig struct {
	apply func(document string) error
	log   *slog.Logger
}

func (*runtimeConfig) condense(object any) (any, error) { return object, nil }

func (c *runtimeConfig) put(object any) {
	if err := c.apply(object.(*corev1.ConfigMap).Data[config.RuntimeKey]); err != nil {
		c.log.Error("The configuration can't be used: the last good one stays in force", "error", err.Error())
	}
}

func (c *runtimeConfig) remove(any) {
	c.log.Warn("The configuration was deleted: the last good one stays in force")
}

func (c *runtimeConfig) replace(objects []any) {
	for _, object := range objects {
		c.put(object)
	}
}
