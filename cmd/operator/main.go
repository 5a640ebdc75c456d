// Command operator runs Keywright's controllers: it issues, rotates and revokes keys, and compiles the servers'
// configuration.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// errUsage wraps what is wrong with the command line.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := exitCode(run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr)
	stop()
	os.Exit(code)
}

// exitCode writes one line that says what is wrong: 0 ended as asked, 1 failed, 2 wrong usage.
func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "keywright-operator: %v (see --help)\n", err)
		return 2
	}
	fmt.Fprintf(stderr, "keywright-operator: %v\n", err)
	return 1
}
