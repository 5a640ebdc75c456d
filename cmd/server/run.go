package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"keywright.dev/keywright/internal/feed"
	"keywright.dev/keywright/internal/kubeconfig"
	"keywright.dev/keywright/internal/peppermount"
	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/internal/verify"
)

// version is stamped by the build.
var version = "dev"

// lookAtPepper is how often the mounted pepper is looked at, and what is recorded under another.
const lookAtPepper = 5 * time.Second

// run is the server from its command line to its end.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if o.Version {
		return program.PrintVersion(stdout, programName, version)
	}
	log := slog.New(o.LogHandler(stderr))
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
	mount, err := peppermount.Open(o.pepperDir)
	if err != nil {
		return err
	}
	config, err := kubeconfig.Load(o.Kubeconfig)
	if err != nil {
		return err
	}
	index := &verify.Index{}
	source, err := feed.New(config, feed.Places{System: o.Namespace, Keys: o.KeyNamespaces}, index, log)
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	verifier := verify.NewVerifier(index, format, mount.Keyring())
	unknown := strangers(verifier.UnknownPeppers)
	ready := &readiness{checks: []check{indexCheck(source), pepperCheck(unknown)}}
	doors, err := open(ctx, o, handlers(verifier, source, ready, newRegistry(index, unknown, source), log), log)
	if err != nil {
		return err
	}
	log.Info("Server starts", "version", version, "namespace", o.Namespace, "listen", doors.address(), "pepper", mount.Keyring().ActiveID())

	// What requests under way rest on goes on until they are answered.
	defer background(context.WithoutCancel(ctx),
		source.Run,
		func(ctx context.Context) { mount.Follow(ctx, lookAtPepper, verifier.SetKeyring, log) },
		func(ctx context.Context) { unknown.follow(ctx, lookAtPepper, log) },
	)()
	return doors.serve(ctx, ready, o.shutdownTimeout)
}

// background does all the work at once, and returns how to end it and wait for that.
func background(ctx context.Context, work ...func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	for _, do := range work {
		working.Go(func() { do(ctx) })
	}
	return func() { cancel(); working.Wait() }
}
