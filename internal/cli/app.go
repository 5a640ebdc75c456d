package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/cli/profile"
	"keywright.dev/keywright/internal/program"
)

// App is the program and what its commands share.
type App struct {
	console.Console
	Version string
	// Wait waits between the looks of --watch, and before a request is repeated. Nil means console.Wait.
	Wait func(ctx context.Context, d time.Duration) error

	flags  globalFlags
	format *output.Format
}

// errPrinted stops a command with --curl after its request was printed.
var errPrinted = errors.New("printed instead of sent")

// Run runs a command line without the program's name, and returns the exit code.
func (a *App) Run(ctx context.Context, args []string) int {
	a.Interruptible(ctx)
	root := a.Command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case errors.Is(err, errPrinted):
		return 0
	case errors.Is(err, program.ErrUsage) && ctx.Err() != nil:
		// Something was not given in time, which is not a mistake on the command line.
		err = console.ErrInterrupted
	}
	return a.ExitCode(err, hintFor(err))
}

// hintFor returns what the user can do about an error, or "".
func hintFor(err error) string {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return "name the authority of the certificate with --ca-file; --no-verify-ssl accepts any certificate"
	}
	var keyring *profile.UnwritableKeyringError
	if errors.As(err, &keyring) {
		return "--save file keeps the key in the configuration file; api_key_cmd reads it from a program such as pass"
	}
	var refused *apiclient.Error
	if !errors.As(err, &refused) {
		return ""
	}
	switch refused.Status {
	case http.StatusUnauthorized:
		return "give a key: --api-key -, $KEYWRIGHT_API_KEY or a profile (keywright auth status)"
	case http.StatusForbidden:
		if refused.Detail == notOnAllowList {
			return "ask an admin to add you to ALLOWED_USERS"
		}
		return "this needs admin access, or a key with the right for it (keywright auth whoami)"
	}
	return ""
}

// notOnAllowList is how the server refuses a caller who is not on the allow list (docs/compatibility.md).
const notOnAllowList = "User not allowed. Contact an administrator to be added to the allow list."

func (a *App) wait(ctx context.Context, d time.Duration) error {
	if a.Wait != nil {
		return a.Wait(ctx, d)
	}
	return console.Wait(ctx, d)
}

// Command returns the tree of commands.
func (a *App) Command() *cobra.Command {
	root := a.Root(&cobra.Command{
		Use:   "keywright",
		Short: "Manage admin users and API keys of a Keywright server.",
		Long: `Manage admin users and API keys of a Keywright server.

A server is a profile of the configuration file, or a URL. Flags come before
environment variables, and these before the profile. Without --server, the
profile of [default] is used.

Exit codes: 0 done, 1 refused or failed, 2 wrong command line (nothing sent).`,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := a.completeFlags(); err != nil {
				return err
			}
			switch printsKey := c.Annotations[keyAnnotation] != ""; {
			case a.format.Name == output.Key && !printsKey:
				return console.Usagef("-o key: %s prints no key", c.CommandPath())
			case a.format.Name == output.CSV && printsKey:
				return console.Usagef("-o csv has no column for the key that %s prints: use json or key", c.CommandPath())
			}
			return nil
		},
	}, cmp.Or(a.Version, "dev"))
	a.flags.addTo(root)
	_ = root.RegisterFlagCompletionFunc("server", a.completeProfiles)
	formats := cobra.FixedCompletions(output.Formats, cobra.ShellCompDirectiveNoFileComp)
	_ = root.RegisterFlagCompletionFunc("output", formats)
	root.AddCommand(
		a.authCommand(), a.adminCommand(), a.keysCommand(), a.configCommand(), a.apiCommand(), a.gitCredentialCommand(),
		a.claimCommand(), a.versionCommand(),
	)
	return root
}

// keyAnnotation marks the commands that print a key. The others refuse -o key before they do anything.
const keyAnnotation = "keywright.dev/prints-key"

func printsKey() map[string]string { return map[string]string{keyAnnotation: "true"} }

func (a *App) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program.",
		Example: `  keywright version`,
		Args:    console.Arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			a.Printf("keywright %s\n", c.Root().Version)
			return nil
		},
	}
}
