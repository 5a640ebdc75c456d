package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// ErrUsage is wrapped by all errors of the command line.
var ErrUsage = errors.New("usage")

// Run runs a program until it ends or ctx ends.
type Run func(ctx context.Context, args []string, stdout, stderr io.Writer) error

// Main runs a program until it ends or receives SIGINT or SIGTERM, and exits.
func Main(name string, run Run) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(ExitCode(name, run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr))
}

// ExitCode writes the error in one line and returns the exit code: 0 success, 1 failure, 2 wrong usage.
func ExitCode(name string, err error, stderr io.Writer) int {
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return 0
	case errors.Is(err, ErrUsage):
		fmt.Fprintf(stderr, "%s: %s (see --help)\n", name, oneLine(err))
		return 2
	}
	fmt.Fprintf(stderr, "%s: %s\n", name, oneLine(err))
	return 1
}

// oneLine joins errors of several lines, such as those of a YAML parser.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// Pause waits for a duration, and reports whether it has passed. It returns false if ctx ends first.
func Pause(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
