package keyholder

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// Ask has every object that the cache has looked at again, by the controller that listens for its kind. It waits until
// each has been taken.
func (s Scope) Ask(ctx context.Context, cached client.Reader, listening map[string]chan<- event.GenericEvent) error {
	return s.Each(ctx, cached, func(o Object) error {
		select {
		case listening[KindOf(o)] <- event.GenericEvent{Object: o}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}
