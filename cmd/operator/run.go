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

// version is stamped by the build.
var version = "dev"

// firstWord is how long the API server may take for the first answer.
const firstWord = 10 * time.Second

// run is the operator from its command line to its end.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if o.Version {
		return program.PrintVersion(stdout, programName, version)
	}
	logger := logr.FromSlogHandler(o.LogHandler(stderr))
	go saveMemory(ctx)
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

// checkPepper is also the first word with the API server: it ends a start that has the wrong address or
// identity. So its client asks for the Secret and nothing else; to look up what the API server has to offer
// would take no deadline.
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
	ctx, cancel := context.WithTimeout(ctx, firstWord)
	defer cancel()
	return kubeconfig.Unreachable(peppersecret.Check(ctx, reader, namespace))
}
