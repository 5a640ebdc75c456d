package cluster

import (
	"context"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
)

func (d *doctor) checkKinds(ctx context.Context) []finding {
	var missing []string
	for kind, list := range map[string]client.ObjectList{
		"AdminUser": &v1alpha1.AdminUserList{}, "APIKey": &v1alpha1.APIKeyList{},
		"AccessRole": &v1alpha1.AccessRoleList{}, "AccessRoleBinding": &v1alpha1.AccessRoleBindingList{},
	} {
		// The answer to a list of a namespace is enough, and needs fewer rights.
		switch err := d.List(ctx, list, client.InNamespace(d.systemNamespace), client.Limit(1)); {
		case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
			missing = append(missing, kind)
		case err != nil:
			return unknown(err)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		const remedy = "kubectl apply --server-side -k config/crd"
		return []finding{wrong(remedy, "not installed: %s", strings.Join(missing, ", "))}
	}
	return ok("AdminUser, APIKey, AccessRole and AccessRoleBinding are installed")
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
		bound[bindings.Items[i].Spec.PolicyName] = true
	}
	if missing := missingOf(policies, installed); missing != "" {
		return []finding{wrong(remedy, "not installed: %s", missing)}
	}
	if missing := missingOf(policies, bound); missing != "" {
		return []finding{wrong(remedy, "without a binding: %s", missing)}
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
	secret := &corev1.Secret{}
	err := d.Get(ctx, client.ObjectKey{Namespace: d.systemNamespace, Name: v1alpha1.PepperSecret}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return []finding{wrong("restore it from a backup: docs/pepper.md",
			"Secret %s is missing: no issued key can be verified without it", v1alpha1.PepperSecret)}
	case err != nil:
		return unknown(err)
	}
	return ok("Secret %s is there", v1alpha1.PepperSecret)
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
	if runtime.Annotations[v1alpha1.AnnotationConfigurationStatus] == v1alpha1.ConfigurationInvalid {
		return []finding{wrong("correct ConfigMap "+v1alpha1.ConfigMapConfig, "%s is not valid: %s",
			v1alpha1.ConfigMapConfig, runtime.Annotations[v1alpha1.AnnotationConfigurationMessage])}
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

// checkServers compares the configuration that each server reports on its Lease with the published one.
func (d *doctor) checkServers(ctx context.Context) []finding {
	leases := &coordinationv1.LeaseList{}
	labels := client.MatchingLabels(v1alpha1.ServerLeaseLabels())
	if err := d.List(ctx, leases, client.InNamespace(d.systemNamespace), labels); err != nil {
		return unknown(err)
	}
	runtime, err := d.runtime(ctx)
	if err != nil {
		return unknown(err)
	}
	var found []finding
	running, revision := 0, revisionOf(runtime)
	for i := range leases.Items {
		l := &leases.Items[i]
		if !isHeld(l, d.Now()) {
			continue
		}
		running++
		if runs := l.Annotations[v1alpha1.AnnotationConfiguration]; runs != revision {
			found = append(found, wrong("kubectl logs -n "+d.systemNamespace+" "+l.Name,
				"%s runs configuration %q instead of %s", l.Name, runs, revision))
		}
	}
	switch {
	case running == 0:
		return []finding{wrong("kubectl get pods -n "+d.systemNamespace, "no server reports that it runs")}
	case found == nil:
		return ok("in step: %d", running)
	}
	return found
}

func isHeld(l *coordinationv1.Lease, now time.Time) bool {
	if l.Spec.RenewTime == nil || l.Spec.LeaseDurationSeconds == nil {
		return false
	}
	return now.Before(l.Spec.RenewTime.Add(time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second))
}

// checkVersions compares the images of operator and server.
func (d *doctor) checkVersions(ctx context.Context) []finding {
	var versions [2]string
	for i, name := range []string{"keywright-operator", "keywright-server"} {
		deployment := &appsv1.Deployment{}
		if err := d.Get(ctx, client.ObjectKey{Namespace: d.systemNamespace, Name: name}, deployment); err != nil {
			return unknown(err)
		}
		for _, c := range deployment.Spec.Template.Spec.Containers {
			_, versions[i], _ = strings.Cut(c.Image[strings.LastIndex(c.Image, "/")+1:], ":")
		}
	}
	if versions[0] != versions[1] {
		const remedy = "roll out one version of both"
		return []finding{wrong(remedy, "the operator is %s and the server %s", versions[0], versions[1])}
	}
	return ok("operator and server are %s", versions[0])
}

// checkKeys lists the objects that wait for a person.
func (d *doctor) checkKeys(ctx context.Context) []finding {
	all, err := d.all(ctx, "")
	if err != nil {
		return unknown(err)
	}
	var found []finding
	for _, o := range all {
		c := meta.FindStatusCondition(o.HolderStatus().Conditions, v1alpha1.ConditionStalled)
		if c != nil && c.Status == metav1.ConditionTrue {
			found = append(found, wrong("kubectl keywright status", "%s: %s: %s", describe(o), c.Reason, c.Message))
		}
	}
	if found == nil {
		return ok("objects that are not stalled: %d", len(all))
	}
	return found
}
