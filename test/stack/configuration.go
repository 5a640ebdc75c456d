package stack

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// EditConfiguration replaces the settings of keywright-config by what edit returns for the present ones. The operator
// annotates the ConfigMap after each edit, so it tries again after a conflict.
func (c *ControlPlane) EditConfiguration(
	ctx context.Context, edit func(present map[string]string) map[string]string,
) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		config := &corev1.ConfigMap{}
		at := client.ObjectKey{Namespace: c.options.Namespace, Name: v1alpha1.ConfigMapConfig}
		if err := c.Client.Get(ctx, at, config); err != nil {
			return err
		}
		config.Data = edit(config.Data)
		return c.Client.Update(ctx, config)
	})
}

// Settings replaces all settings of keywright-config.
func (c *ControlPlane) Settings(ctx context.Context, data map[string]string) error {
	return c.EditConfiguration(ctx, func(map[string]string) map[string]string { return data })
}
