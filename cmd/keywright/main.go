// Command keywright manages admin users and API keys of a Keywright server from a shell.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"keywright.dev/keywright/internal/cli"
	"keywright.dev/keywright/internal/cli/cluster"
	"keywright.dev/keywright/internal/cli/console"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	var program interface {
		Run(ctx context.Context, args []string) (exitCode int)
	} = &cli.App{Console: console.OfProcess(), Version: version}
	args, isPlugin := cluster.Arguments(os.Args)
	if isPlugin {
		program = &cluster.Plugin{Console: console.OfProcess(), Version: version}
	}
	code := program.Run(ctx, args)
	stop()
	os.Exit(code)
}
