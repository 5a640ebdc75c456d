package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// applyCRDs is how to install the CRDs of a version, from its manifests or its chart.
const applyCRDs = "kubectl apply --server-side -k config/crd"

// checkKinds reports kinds that the API server does not serve at the version that this program works with.
func (d *doctor) checkKinds(ctx context.Context) []finding {
	var found []finding
	var missing []string
	for _, kind := range []struct {
		name string
		list client.ObjectList
	}{
		{"APIKey", &v1alpha1.APIKeyList{}}, {"AccessRole", &v1alpha1.AccessRoleList{}},
		{"AccessRoleBinding", &v1alpha1.AccessRoleBindingList{}}, {"AdminUser", &v1alpha1.AdminUserList{}},
	} {
		// The answer to a list of a namespace is enough, and needs fewer rights.
		err := d.List(ctx, kind.list, client.InNamespace(d.systemNamespace), client.Limit(1))
		switch {
		case err == nil:
		case !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err):
			return unknown(err)
		default:
			if f := d.notServed(ctx, kind.name); f != nil {
				found = append(found, *f)
			} else {
				missing = append(missing, kind.name)
			}
		}
	}
	if len(missing) > 0 {
		found = append(found, wrong(applyCRDs, "not installed: %s", strings.Join(missing, ", ")))
	}
	if found == nil {
		return ok("AdminUser, APIKey, AccessRole and AccessRoleBinding are installed")
	}
	return found
}

// notServed reports why the CRD of a kind does not serve it. It returns nil without a CRD, and if the person may not
// read CRDs.
func (d *doctor) notServed(ctx context.Context, kind string) *finding {
	_, crds, err := knownSchemas()
	if err != nil {
		return nil
	}
	installed := &unstructured.Unstructured{}
	installed.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	if err := d.Get(ctx, client.ObjectKey{Name: crds[kind]}, installed); err != nil {
		return nil
	}
	versions, _, _ := unstructured.NestedSlice(installed.Object, "spec", "versions")
	var served []string
	for _, version := range versions {
		if name, _ := node(version)["name"].(string); node(version)["served"] == true {
			served = append(served, name)
		}
	}
	serves := "no version"
	if len(served) > 0 {
		serves = strings.Join(served, ", ") + " only"
	}
	f := wrong(applyCRDs+", of the version of the programs: docs/upgrade.md, The CRDs",
		"CRD %s serves %s, and the programs work with %s", installed.GetName(), serves, v1alpha1.SchemeGroupVersion.Version)
	return &f
}

// checkFields compares the fields of the kinds in the cluster with those that this program knows. The API server drops
// a field that its CRD lacks, and reports nothing to the operator.
func (d *doctor) checkFields(ctx context.Context) []finding {
	published, err := d.published(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return []finding{{State: stateUnknown, Detail: "no kind is served: see the finding on kinds"}}
	case err != nil:
		return unknown(err)
	}
	known, crds, err := knownSchemas()
	if err != nil {
		return unknown(err)
	}
	var found []finding
	for _, kind := range slices.Sorted(maps.Keys(known)) {
		if published[kind] == nil {
			continue // The finding on kinds has it.
		}
		if changes := changesOf(known[kind], published[kind]); !changes.none() {
			found = append(found, finding{State: stateWarning, Detail: "CRD " + crds[kind] + " " + changes.text()})
		}
	}
	if found == nil {
		return ok("the CRDs have the fields and rules that this program knows")
	}
	remedy := crdRemedy(d.Version, d.operatorVersion(ctx))
	for i := range found {
		found[i].Remedy = remedy
	}
	return found
}

// published returns the schemas that the API server publishes of the kinds that it serves. Every account may read
// them.
func (d *doctor) published(ctx context.Context) (map[string]schemaNode, error) {
	restConfig, err := d.restConfig()
	if err != nil {
		return nil, err
	}
	core, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return nil, err
	}
	// The document keeps the schemas of a version that is served no more.
	served, err := core.Discovery().ServerResourcesForGroupVersion(v1alpha1.SchemeGroupVersion.String())
	if err != nil {
		return nil, err
	}
	document, err := core.CoreV1().RESTClient().Get().SetHeader("Accept", "application/json").
		AbsPath("/openapi/v3/apis/" + v1alpha1.SchemeGroupVersion.String()).DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	schemas, err := publishedSchemas(document)
	maps.DeleteFunc(schemas, func(kind string, _ schemaNode) bool {
		return !slices.ContainsFunc(served.APIResources, func(r metav1.APIResource) bool { return r.Kind == kind })
	})
	return schemas, err
}

// operatorVersion returns the version of the operator's image, or "".
func (d *doctor) operatorVersion(ctx context.Context) string {
	deployment := &appsv1.Deployment{}
	if err := d.Get(ctx, client.ObjectKey{Namespace: d.systemNamespace, Name: operatorName}, deployment); err != nil {
		return ""
	}
	return versionOf(deployment)
}

// crdRemedy returns what to do about a CRD of another version than this program. The CRDs are to be of the version of
// the operator, which may be another one as well, or unknown.
func crdRemedy(program, operator string) string {
	switch {
	case operator != "" && operator == program:
		return applyCRDs + ", of " + program + ": docs/upgrade.md, The CRDs"
	case isRelease(program) && isRelease(operator):
		return fmt.Sprintf("this program is %s, and the operator %s: install kubectl keywright %s, and run this again",
			program, operator, operator)
	}
	return fmt.Sprintf("if the operator is of the version of this program (%s): %s, of that version: docs/upgrade.md, "+
		"The CRDs. If not, run kubectl keywright doctor of the operator's version", program, applyCRDs)
}
