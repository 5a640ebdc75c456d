package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// Conditions are polled this often and for this long, everywhere in this package.
const (
	pollEvery = 20 * time.Millisecond
	pollFor   = time.Minute
)

// installCRDs installs the system namespace and the CRDs, and waits until objects of them can be had.
func (c *ControlPlane) installCRDs(ctx context.Context) error {
	if err := c.apply(ctx, "-f", "config/default/namespace.yaml"); err != nil {
		return err
	}
	if err := c.apply(ctx, "-k", "config/crd"); err != nil {
		return err
	}
	return poll(ctx, func(ctx context.Context) error {
		return c.Client.List(ctx, &v1alpha1.AdminUserList{})
	})
}

// InstallPolicies installs what the operator and the server may do (config/rbac) and the admission policies, and
// returns when the policies are in force.
func (c *ControlPlane) InstallPolicies(ctx context.Context) error {
	if err := c.apply(ctx, "-k", "config/rbac"); err != nil {
		return err
	}
	if err := c.apply(ctx, "-k", "config/admission"); err != nil {
		return err
	}
	return poll(ctx, c.policiesInForce)
}

// policiesInForce offers the API server an AdminUser outside the system namespace, which is not to be: it compiles
// policies a moment after it has accepted them, and lets everything through until then.
func (c *ControlPlane) policiesInForce(ctx context.Context) error {
	offending := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Name: "offending", Namespace: metav1.NamespaceDefault}}
	switch err := c.Client.Create(ctx, offending, client.DryRunAll); {
	case err == nil:
		return errors.New("the API server accepts what a ValidatingAdmissionPolicy of config/admission is to refuse")
	case !strings.Contains(err.Error(), "ValidatingAdmissionPolicy"):
		return err
	}
	return nil
}

func (c *ControlPlane) apply(ctx context.Context, args ...string) error {
	_, err := c.Kubectl(ctx, append([]string{"apply", "--server-side"}, args...)...)
	return err
}

// poll calls condition until it returns nil; when time is up, its last error is returned.
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
