package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/klog/v2"

	"keywright.dev/keywright/internal/feed"
	"keywright.dev/keywright/internal/kubeconfig"
	"keywright.dev/keywright/internal/peppermount"
	"keywright.dev/keywright/internal/verify"
)

// version is stamped by the build.
var version = "dev"

// lookAtPepper is how often the mounted pepper is looked at.
const lookAtPepper = 5 * time.Second

// run is the server from its command line to its end.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.version {
		_, err := fmt.Fprintln(stderr, "keywright-server "+version)
		return err
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: logLevels[o.logLevel]}))
	quietKlog(log)
	return serve(ctx, o, log)
}

// quietKlog lets client-go speak at debug only: what it says on each failed try, the feed says once.
func quietKlog(log *slog.Logger) {
	if log.Enabled(context.Background(), slog.LevelDebug) {
		klog.SetSlogLogger(log)
		return
	}
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
}

// serve listens before it does anything else that takes time: an address that can't be had ends it at once.
func serve(ctx context.Context, o *options, log *slog.Logger) error {
	ring, err := peppermount.Read(o.pepperDir)
	if err != nil {
		return err
	}
	config, err := kubeconfig.Load(o.kubeconfig)
	if err != nil {
		return err
	}
	index := &verify.Index{}
	source, err := feed.New(config, o.namespace, index, log)
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	verifier := verify.NewVerifier(index, format, ring)
	registry := prometheus.NewRegistry()
	ready := &readiness{checks: []check{{"index", source.Ready}}}
	doors, err := open(o, handlers(verifier, ready, index, registry, log), log)
	if err != nil {
		return err
	}
	log.Info("Server starts", "version", version, "namespace", o.namespace, "listen", doors.address(), "pepper", ring.ActiveID())

	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	go source.Run(working)
	go peppermount.Follow(working, o.pepperDir, lookAtPepper, verifier.SetKeyring, log)
	return doors.serve(ctx, ready, o.shutdownTimeout)
}

// errStopping is what readiness says from the signal on.
var errStopping = errors.New("the server is stopping")
