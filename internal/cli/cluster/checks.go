package cluster

import (
	"context"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// checkYou compares what the person may do with what the commands do.
func (d *doctor) checkYou(ctx context.Context) []finding {
	namespace, err := d.namespace()
	if err != nil {
		return unknown(err)
	}
	lacking := map[string]bool{}
	for _, verb := range []string{"get", "list", "create", "patch"} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: v1alpha1.SchemeGroupVersion.Group, Resource: "apikeys",
			},
		}}
		if err := d.Create(ctx, review); err != nil {
			return unknown(err)
		}
		lacking[verb] = !review.Status.Allowed
	}
	switch {
	case lacking["get"] || lacking["list"]:
		return []finding{wrong("ask for a RoleBinding of ClusterRole view, or of edit, in namespace "+namespace,
			"you may not read APIKeys in namespace %s", namespace)}
	case lacking["create"] || lacking["patch"]:
		return ok("you may read APIKeys in namespace %s, and not change them", namespace)
	}
	return ok("you may read and change APIKeys in namespace %s", namespace)
}

func (d *doctor) checkPolicies(ctx context.Context) []finding {
	const remedy = "kubectl apply --server-side -k config/admission, through your overlay"
	installed, bound := map[string]bool{}, map[string]bool{}
	all, bindings := &admissionv1.ValidatingAdmissionPolicyList{}, &admissionv1.ValidatingAdmissionPolicyBindingList{}
	if err := d.List(ctx, all); err != nil {
		return unknown(err)
	}
	if err := d.List(ctx, bindings); err != nil {
		return unknown(err)
	}
	for i := range all.Items {
		installed[all.Items[i].Name] = true
	}
	for i := range bindings.Items {
		spec := &bindings.Items[i].Spec
		if slices.Contains(spec.ValidationActions, admissionv1.Deny) || spec.PolicyName == advisoryPolicy {
			bound[spec.PolicyName] = true
		}
	}
	if missing := missingOf(policies, installed); missing != "" {
		return []finding{wrong(remedy, "not installed: %s", missing)}
	}
	if missing := missingOf(policies, bound); missing != "" {
		return []finding{wrong(remedy, "without a binding that denies: %s", missing)}
	}
	return ok("%d policies are in force", len(policies))
}

// needed are rights that the programs can't work without, one for each role.
var needed = []struct{ account, verb, resource, subresource, group string }{
	{"keywright-operator", "patch", "adminusers", "status", v1alpha1.SchemeGroupVersion.Group},
	{"keywright-operator", "patch", "secrets", "", ""},
	{"keywright-server", "watch", "adminusers", "", v1alpha1.SchemeGroupVersion.Group},
}

func (d *doctor) checkRights(ctx context.Context) []finding {
	var found []finding
	for _, n := range needed {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:" + d.systemNamespace + ":" + n.account,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: d.systemNamespace, Verb: n.verb, Group: n.group, Resource: n.resource, Subresource: n.subresource,
			},
		}}
		if err := d.Create(ctx, review); err != nil {
			return unknown(err)
		}
		if !review.Status.Allowed {
			found = append(found, wrong("kubectl apply --server-side -k config/rbac, through your overlay",
				"ServiceAccount %s may not %s %s", n.account, n.verb, n.resource))
		}
	}
	if found == nil {
		return ok("operator and server have their rights")
	}
	return found
}

func (d *doctor) checkPepper(ctx context.Context) []finding {
	// The metadata is enough: the pepper itself is not read.
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := d.Get(ctx, client.ObjectKey{Namespace: d.systemNamespace, Name: v1alpha1.PepperSecret}, secret)
	switch {
	case apierrors.IsNotFound(err) && d.noneIssued(ctx):
		return []finding{wrong("see the findings on pods, and kubectl logs -n "+d.systemNamespace+" deployment/"+operatorName,
			"Secret %s is not there yet: the operator creates it when it first runs", v1alpha1.PepperSecret)}
	case apierrors.IsNotFound(err):
		return []finding{wrong("restore it from a backup, as docs/pepper.md describes",
			"Secret %s is missing: no issued key can be verified without it", v1alpha1.PepperSecret)}
	case err != nil:
		return unknown(err)
	}
	return ok("Secret %s is there", v1alpha1.PepperSecret)
}

// noneIssued reports whether it is certain that no key was issued yet.
func (d *doctor) noneIssued(ctx context.Context) bool {
	all, err := d.all(ctx)
	issued := func(o keyholder.Object) bool { return len(o.HolderStatus().Keys) > 0 }
	return err == nil && !slices.ContainsFunc(all, issued)
}

func (d *doctor) checkConfiguration(ctx context.Context) []finding {
	runtime, err := d.runtime(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return []finding{wrong("kubectl logs -n "+d.systemNamespace+" deployment/keywright-operator",
			"ConfigMap %s is missing: servers do not become ready without it", v1alpha1.ConfigMapRuntime)}
	case err != nil:
		return unknown(err)
	}
	message := runtime.Annotations[v1alpha1.AnnotationConfigurationMessage]
	switch runtime.Annotations[v1alpha1.AnnotationConfigurationStatus] {
	case v1alpha1.ConfigurationInvalid:
		return []finding{wrong("kubectl edit -n "+d.systemNamespace+" configmap "+v1alpha1.ConfigMapConfig,
			"%s is not valid, and the last good one stays in force: %s", v1alpha1.ConfigMapConfig, message)}
	case v1alpha1.ConfigurationWaiting:
		return []finding{wrong("see the finding on the pepper", "%s is not in force: %s", v1alpha1.ConfigMapConfig, message)}
	}
	return ok("revision %s is published", revisionOf(runtime))
}

func (d *doctor) runtime(ctx context.Context) (*corev1.ConfigMap, error) {
	runtime := &corev1.ConfigMap{}
	return runtime, d.Get(ctx, client.ObjectKey{Namespace: d.systemNamespace, Name: v1alpha1.ConfigMapRuntime}, runtime)
}

func revisionOf(runtime *corev1.ConfigMap) string {
	return config.Revision(runtime.Data[config.RuntimeKey])
}

// checkKeys lists the objects that wait for a person.
func (d *doctor) checkKeys(ctx context.Context) []finding {
	all, err := d.all(ctx)
	if err != nil {
		return unknown(err)
	}
	var found []finding
	for _, o := range all {
		c := meta.FindStatusCondition(o.HolderStatus().Conditions, v1alpha1.ConditionStalled)
		if c != nil && c.Status == metav1.ConditionTrue {
			found = append(found, wrong(commandFor("status", o), "%s: %s: %s", describe(o), c.Reason, c.Message))
		}
	}
	if found == nil {
		return ok("objects that are not stalled: %d", len(all))
	}
	return found
}
