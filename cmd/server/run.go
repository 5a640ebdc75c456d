package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/grpclog"
	"k8s.io/klog/v2"

	"keywright.dev/keywright/internal/key/keylog"
	"keywright.dev/keywright/internal/kube/kubeconfig"
	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/internal/program/loglimit"
	"keywright.dev/keywright/internal/server/peppermount"
)

// version is set by the build.
var version = "dev"

// pepperInterval is how often the server checks the mounted pepper, and keys that were digested with another one.
const pepperInterval = 5 * time.Second

// run parses the command line and runs the server.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == migrateCommand {
		return migrateDatabase(ctx, args[1:], stdout, stderr)
	}
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if o.Version {
		return program.PrintVersion(stdout, programName, version)
	}
	handler := keylog.NewHandler(o.LogHandler(stderr))
	quietOnce.Do(func() { quietLibraries(slog.New(handler)) })
	return serve(ctx, o, handler)
}

// quietOnce is for tests, which run several servers in one process: the loggers of libraries belong to the process.
var quietOnce sync.Once

// quietLibraries drops the log of gRPC, which is about its clients, and keeps that of client-go for level
// debug: it logs each failed try, where clusterwatch logs once.
func quietLibraries(log *slog.Logger) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	if log.Enabled(context.Background(), slog.LevelDebug) {
		klog.SetSlogLogger(log)
		return
	}
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
}

// checkConnections makes client-go replace a silent connection to the API server within ten seconds, instead of 45. A
// person may set other times.
func checkConnections() error {
	for _, variable := range []string{"HTTP2_READ_IDLE_TIMEOUT_SECONDS", "HTTP2_PING_TIMEOUT_SECONDS"} {
		if _, set := os.LookupEnv(variable); !set {
			if err := os.Setenv(variable, "5"); err != nil {
				return err
			}
		}
	}
	return nil
}

// serve opens the listeners first, so that an address in use ends the program at once.
func serve(ctx context.Context, o *options, handler *keylog.Handler) error {
	limited := loglimit.New(handler)
	log := slog.New(limited)
	mount, err := peppermount.Open(o.pepperDir)
	if err != nil {
		return err
	}
	if err := checkConnections(); err != nil {
		return err
	}
	config, err := kubeconfig.Load(o.Kubeconfig)
	if err != nil {
		return err
	}
	if err := o.openSpans(ctx, log); err != nil {
		return err
	}
	defer o.closeSpans()
	service, err := newService(config, mount.Keyring(), o, log)
	if err != nil {
		return err
	}
	defer service.database.close()
	handler.HideRecorded(service.verifier.IsKey)
	if err := service.openCertificates(o, log); err != nil {
		return err
	}
	specs, err := service.listeners(o, log)
	if err != nil {
		return err
	}
	opened, err := open(ctx, specs)
	if err != nil {
		return err
	}
	defer takeBallast()()
	log.Info("Server starts", "version", version, "namespace", o.Namespace, "listen", opened.address(),
		"pepper", mount.Keyring().ActiveID())

	// The work goes on until the last requests are finished: they depend on it.
	followPepper := func(ctx context.Context) { mount.Follow(ctx, pepperInterval, service.verifier.SetKeyring, log) }
	defer background(context.WithoutCancel(ctx), append(service.work(log), followPepper, limited.Run)...)()
	return opened.serve(ctx, service.ready, o.shutdownTimeout)
}

// background runs all work concurrently. stop ends it and waits.
func background(ctx context.Context, work ...func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	for _, do := range work {
		working.Go(func() { do(ctx) })
	}
	return func() { cancel(); working.Wait() }
}
