package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/controllers/peppers"
	"keywright.dev/keywright/internal/kubeconfig"
)

// version is stamped by the build.
var version = "dev"

// startTimeout bounds what is asked of the API server before the controllers start.
const startTimeout = 30 * time.Second

// run is the operator from its command line to its end.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.version {
		_, err := fmt.Fprintln(stderr, "keywright-operator "+version)
		return err
	}
	logger := newLogger(stderr, o.logLevel)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	return serve(ctx, o, logger)
}

func serve(ctx context.Context, o *options, logger logr.Logger) error {
	config, err := kubeconfig.Load(o.kubeconfig)
	if err != nil {
		return err
	}
	mgr, err := newManager(config, o)
	if err != nil {
		return err
	}
	if err := checkPepper(ctx, mgr.GetAPIReader(), o.namespace); err != nil {
		return err
	}
	if err := addControllers(ctx, mgr, o); err != nil {
		return err
	}
	logger.Info("Operator starts", "version", version, "namespace", o.namespace)
	return mgr.Start(ctx)
}

// checkPepper is also the first word with the API server: it ends a start that has the wrong address or identity.
func checkPepper(ctx context.Context, reader client.Reader, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return peppers.Check(ctx, reader, namespace)
}
