package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// Conditions are polled this often and this long in the whole package.
const (
	pollEvery = 20 * time.Millisecond
	pollFor   = time.Minute
)

// InstallCRDs installs the system namespace and the CRDs, and returns when their objects can be read.
func (c *ControlPlane) InstallCRDs(ctx context.Context) error {
	if err := c.apply(ctx, "-f", "config/default/namespace.yaml"); err != nil {
		return err
	}
	if err := c.apply(ctx, "-k", "config/crd"); err != nil {
		return err
	}
	// The API server serves one CRD after the other.
	return poll(ctx, func(ctx context.Context) error {
		return errors.Join(
			c.Client.List(ctx, &v1alpha1.AdminUserList{}),
			c.Client.List(ctx, &v1alpha1.APIKeyList{}),
			c.Client.List(ctx, &v1alpha1.AccessRoleList{}),
			c.Client.List(ctx, &v1alpha1.AccessRoleBindingList{}),
		)
	})
}

// InstallPolicies installs RBAC and the admission policies that Options.Policies names, and returns when the policies
// are in force.
func (c *ControlPlane) InstallPolicies(ctx context.Context) error {
	return c.InstallFrom(ctx, c.options.Policies...)
}

// InstallFrom is InstallPolicies for other kustomizations. Those of an earlier call stay where they are not replaced.
func (c *ControlPlane) InstallFrom(ctx context.Context, folders ...string) error {
	for _, folder := range folders {
		if err := c.apply(ctx, "-k", folder); err != nil {
			return err
		}
	}
	return c.policiesInForce(ctx)
}

// policiesInForce returns when every policy installed so far is in force. The API server compiles policies a moment
// after it has accepted them, and allows everything until then. Policies come into force in the order in which they
// were created, so a policy created now, the sentinel, is the last.
func (c *ControlPlane) policiesInForce(ctx context.Context) error {
	policy, binding := sentinel()
	if err := c.Client.Create(ctx, policy); err != nil {
		return fmt.Errorf("sentinel policy: %w", err)
	}
	if err := c.Client.Create(ctx, binding); err != nil {
		return fmt.Errorf("binding of the sentinel policy: %w", err)
	}
	if err := poll(ctx, c.offendSentinel); err != nil {
		return err
	}
	return errors.Join(c.Client.Delete(ctx, binding), c.Client.Delete(ctx, policy))
}

const sentinelName = "keywright-test-sentinel"

// sentinel returns a policy and its binding that refuse a ConfigMap of their own name and nothing else.
func sentinel() (*admissionv1.ValidatingAdmissionPolicy, *admissionv1.ValidatingAdmissionPolicyBinding) {
	configMaps := admissionv1.NamedRuleWithOperations{
		ResourceNames: []string{sentinelName},
		RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{admissionv1.Create},
			Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"*"}, Resources: []string{"configmaps"}},
		},
	}
	meta := metav1.ObjectMeta{Name: sentinelName}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: meta, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{configMaps}},
		Validations:      []admissionv1.Validation{{Expression: "false", Message: sentinelName}},
	}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta,
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        sentinelName,
			ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		}}
	return policy, binding
}

// offendSentinel asks the API server, in a dry run, for the ConfigMap that the sentinel refuses.
func (c *ControlPlane) offendSentinel(ctx context.Context) error {
	offending := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: sentinelName, Namespace: metav1.NamespaceDefault}}
	switch err := c.Client.Create(ctx, offending, client.DryRunAll); {
	case err == nil:
		return errors.New("the API server accepts what a ValidatingAdmissionPolicy should refuse")
	case !strings.Contains(err.Error(), "ValidatingAdmissionPolicy"):
		return err
	}
	return nil
}

func (c *ControlPlane) apply(ctx context.Context, args ...string) error {
	_, err := c.Kubectl(ctx, append([]string{"apply", "--server-side"}, args...)...)
	return err
}

// poll calls condition until it returns nil. When time is up, poll returns its last error.
func poll(ctx context.Context, condition func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, pollFor, true, func(ctx context.Context) (bool, error) {
		last = condition(ctx)
		return last == nil, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}
