package main

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"keywright.dev/keywright/internal/kube/kubeconfig"
)

// oldestKubernetes is the oldest version whose API server keeps what the CRDs promise; docs/install.md says why.
const oldestKubernetes = "1.33"

// checkKubernetes returns an error if the API server is too old. An API server that refuses to show its version is not
// checked.
func checkKubernetes(ctx context.Context, config *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	info, err := client.ServerVersionWithContext(ctx)
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return nil
	}
	if err != nil {
		return kubeconfig.Unreachable(err)
	}
	return checkVersion(info.GitVersion)
}

// checkVersion returns an error for a version of Kubernetes that is too old. A version in another form, such as that of
// an unstamped build, passes.
func checkVersion(kubernetes string) error {
	running, err := utilversion.ParseGeneric(kubernetes)
	if err == nil && running.LessThan(utilversion.MustParseGeneric(oldestKubernetes)) {
		return fmt.Errorf("the API server is Kubernetes %s, and Keywright needs %s or later", kubernetes, oldestKubernetes)
	}
	return nil
}
