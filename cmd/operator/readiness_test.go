package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// informers are a cache whose informers are in a state that the test sets, by the name of the type.
type informers struct {
	cache.Informers
	missing, unlisted string
	err               error
}

type informer struct {
	cache.Informer
	synced bool
}

func (i informer) HasSynced() bool { return i.synced }

func (i informers) GetInformer(
	_ context.Context, o client.Object, options ...cache.InformerGetOption,
) (cache.Informer, error) {
	var chosen cache.InformerGetOptions
	for _, option := range options {
		option(&chosen)
	}
	if chosen.BlockUntilSynced == nil || *chosen.BlockUntilSynced {
		return nil, errors.New("the check must not wait")
	}
	name := reflect.TypeOf(o).Elem().Name()
	if name == i.missing {
		kind := schema.GroupKind{Group: v1alpha1.SchemeGroupVersion.Group, Kind: name}
		return nil, &meta.NoKindMatchError{GroupKind: kind, SearchedVersions: []string{"v1alpha1"}}
	}
	return informer{synced: name != i.unlisted}, i.err
}

func TestReadiness_NeedsEveryCustomResource(t *testing.T) {
	for name, c := range map[string]struct {
		objects informers
		want    string
	}{
		"all are listed":        {informers{}, ""},
		"one is not listed yet": {informers{unlisted: "APIKey"}, "*v1alpha1.APIKey: the objects have not been listed yet"},
		"one is not installed": {
			informers{missing: "AccessRole"}, "the CustomResourceDefinition of *v1alpha1.AccessRole is not installed",
		},
		"the last is not there": {
			informers{missing: "AccessRoleBinding"}, "the CustomResourceDefinition of *v1alpha1.AccessRoleBinding is",
		},
		"the cache has ended": {informers{err: errors.New("stopped")}, "stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			err := resourcesReady(c.objects)(httptest.NewRequest(http.MethodGet, "/readyz", nil))
			if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
