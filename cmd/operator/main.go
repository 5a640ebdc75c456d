// Command operator runs Keywright's controllers. They issue, rotate and end keys, and compile the configuration
// of the server.
package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/controllers/peppersecret"
	"keywright.dev/keywright/internal/kube/kubeconfig"
	"keywright.dev/keywright/internal/program"
)

const programName = "keywright-operator"

// version is set by the build.
var version = "dev"

func main() { program.Main(programName, run) }

// run runs the operator until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if o.Version {
		return program.PrintVersion(stdout, programName, version)
	}
	logger := logr.FromSlogHandler(o.LogHandler(stderr))
	go tuneGC(ctx)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	return serve(ctx, o, logger)
}

func serve(ctx context.Context, o *options, logger logr.Logger) error {
	config, err := kubeconfig.Load(o.Kubeconfig)
	if err != nil {
		return err
	}
	if err := checkPepper(ctx, config, o.Namespace); err != nil {
		return err
	}
	if err := checkKubernetes(ctx, config); err != nil {
		return err
	}
	mgr, err := newManager(config, o)
	if err != nil {
		return err
	}
	if err := addControllers(ctx, mgr, o); err != nil {
		return err
	}
	logger.Info("Operator starts", "version", version, "namespace", o.Namespace)
	return mgr.Start(ctx)
}

// startTimeout is how long the API server may take for its first reply.
const startTimeout = 10 * time.Second

// checkPepper makes the first request to the API server, so that a start with a wrong address or identity fails
// here. Its client knows only Secrets: API discovery would ignore the deadline.
func checkPepper(ctx context.Context, config *rest.Config, namespace string) error {
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	reader, err := client.New(config, client.Options{Scheme: scheme, Mapper: mapper})
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return kubeconfig.Unreachable(peppersecret.Check(ctx, reader, namespace))
}
