package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	// After the first signal a second one ends the process at once; the processes of the stack end with it in either
	// case.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run plays the demo. It fails if a step does not show what it should.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ExitOnError)
	once := flags.Bool("once", false, "stop everything after the last step")
	_ = flags.Parse(args) // an error ends the process
	silenceLibraries()
	d, err := newDemo(stdout, *once)
	if err != nil {
		return err
	}
	return d.run(ctx)
}

// silenceLibraries drops the logs of client libraries, which would appear between the lines of the demo; errors are
// returned anyway.
func silenceLibraries() {
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
}
