package main

import (
	"errors"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"keywright.dev/keywright/api/v1alpha1"
)

// errNotListed means that the operator cannot work yet.
var errNotListed = errors.New("the objects have not been listed yet")

// resourcesReady returns a check that fails until all objects of the custom resources have been listed. Without one of
// the CustomResourceDefinitions they never are, and the program ends after some minutes.
func resourcesReady(objects cache.Informers) healthz.Checker {
	return func(request *http.Request) error {
		for _, kind := range []client.Object{
			&v1alpha1.AdminUser{}, &v1alpha1.APIKey{}, &v1alpha1.AccessRole{}, &v1alpha1.AccessRoleBinding{},
		} {
			informer, err := objects.GetInformer(request.Context(), kind, cache.BlockUntilSynced(false))
			switch {
			case meta.IsNoMatchError(err):
				return fmt.Errorf("the CustomResourceDefinition of %T is not installed: %w", kind, err)
			case err != nil:
				return err
			case !informer.HasSynced():
				return fmt.Errorf("%T: %w", kind, errNotListed)
			}
		}
		return nil
	}
}
