// Command server is Keywright's running service: it verifies the keys of requests for gateways and apps.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

// errUsage wraps what is wrong with the command line.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Whoever can't wait for requests under way sends a second signal, which ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(exitCode(run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr))
}

// exitCode writes one line that says what is wrong: 0 ended as asked, 1 failed, 2 wrong usage.
func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "keywright-server: %s (see --help)\n", oneLine(err))
		return 2
	}
	fmt.Fprintf(stderr, "keywright-server: %s\n", oneLine(err))
	return 1
}

// oneLine is for errors of several lines, such as those of a YAML parser.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
