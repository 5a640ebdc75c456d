package cli

import (
	"context"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
)

// EnvServer is the environment variable that names the server.
const EnvServer = envServer

// ErrNoServer is the error when neither a flag, nor the environment, nor the configuration file names a server.
var ErrNoServer = console.Usagef("no server")

// Open returns a client of a server for commands that are not of App. The server is a profile or a URL; "" is that of
// the environment, or the profile of [default]. The key is that of the environment or of the profile.
func Open(ctx context.Context, c console.Console, version, server string) (*apiclient.Client, error) {
	a := appFor(c, version, server)
	return a.client(ctx)
}

// OpenAnonymous is Open for requests that need no key: none is looked up and none is sent.
func OpenAnonymous(ctx context.Context, c console.Console, version, server string) (*apiclient.Client, error) {
	a := appFor(c, version, server)
	r, err := a.remote()
	if err != nil {
		return nil, err
	}
	r.useKey("", "none")
	return a.clientOf(ctx, r)
}

func appFor(c console.Console, version, server string) *App {
	a := &App{Console: c, Version: version}
	// The flags get their defaults.
	a.Command()
	a.flags.server = server
	return a
}
