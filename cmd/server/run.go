package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/grpclog"
	"k8s.io/klog/v2"

	"keywright.dev/keywright/internal/kube/kubeconfig"
	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/internal/server/peppermount"
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
	quietLibraries(log)
	return serve(ctx, o, log)
}

// quietLibraries lets client-go speak at debug only: what it says on each failed try, the feed says once. What gRPC has
// to say is of its clients.
func quietLibraries(log *slog.Logger) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
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
	service, err := newService(config, mount.Keyring(), o, log)
	if err != nil {
		return err
	}
	defer service.memory.close()
	doors, err := open(ctx, service.doorways(o, log))
	if err != nil {
		return err
	}
	defer takeBallast()()
	log.Info("Server starts", "version", version, "namespace", o.Namespace, "listen", doors.address(), "pepper", mount.Keyring().ActiveID())

	// What requests under way rest on goes on until they are answered.
	defer background(context.WithoutCancel(ctx), append(service.memory.work(),
		service.objects.Run,
		service.feed.Run,
		service.heartbeat.Run,
		service.missed().end,
		func(ctx context.Context) { mount.Follow(ctx, lookAtPepper, service.verifier.SetKeyring, log) },
		func(ctx context.Context) { service.unknown.follow(ctx, lookAtPepper, log) },
	)...)()
	return doors.serve(ctx, service.ready, o.shutdownTimeout)
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
