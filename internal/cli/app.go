package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/program"
)

// App is what the commands work with.
type App struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Version        string
	Now            func() time.Time
	// Wait waits between the looks of --watch, and before a request is repeated.
	Wait func(ctx context.Context, d time.Duration) error

	flags  globalFlags
	format *output.Format
	lines  *lineReader
}

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// errReported is returned by commands that have printed what went wrong.
var errReported = errors.New("reported")

// errPrinted stops a command with --curl after its request was printed.
var errPrinted = errors.New("printed instead of sent")

// Run runs a command line without the program's name, and returns the exit code.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.Command()
	root.SetArgs(args)
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil, errors.Is(err, errPrinted):
		return 0
	case errors.Is(err, program.ErrUsage):
		a.report(err)
		return exitUsage
	case errors.Is(err, errReported):
		return exitFailed
	}
	a.report(err)
	return exitFailed
}

// report prints an error and, if there is one, a hint.
func (a *App) report(err error) {
	a.problem("Error", output.Clean(err.Error()))
	if hint := hintFor(err); hint != "" {
		fmt.Fprintln(a.Stderr, "Hint: "+hint)
	}
}

func (a *App) warn(format string, args ...any) {
	a.problem("Warning", output.Clean(fmt.Sprintf(format, args...)))
}

func (a *App) problem(kind, text string) {
	colours := map[string]string{"Error": "\x1b[31m", "Warning": "\x1b[33m"}
	if a.coloured(a.Stderr) {
		kind = colours[kind] + kind + "\x1b[0m"
	}
	fmt.Fprintln(a.Stderr, kind+": "+text)
}

// note prints what goes on, beside the output.
func (a *App) note(format string, args ...any) {
	fmt.Fprintln(a.Stderr, output.Clean(fmt.Sprintf(format, args...)))
}

func (a *App) printf(format string, args ...any) {
	fmt.Fprintf(a.Stdout, format, args...)
}

// usageError is a mistake on the command line: nothing was sent.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
func (*usageError) Unwrap() error   { return program.ErrUsage }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// hintFor returns what the user can do about an error, or "".
func hintFor(err error) string {
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

// terminal returns the file behind a reader or writer if it is a terminal.
func terminal(stream any) (*os.File, bool) {
	file, isFile := stream.(*os.File)
	return file, isFile && term.IsTerminal(int(file.Fd()))
}

// width returns the width of the terminal that the output goes to, or 0 if it goes elsewhere.
func (a *App) width() int {
	file, found := terminal(a.Stdout)
	if !found {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// coloured reports whether a stream takes colours (https://no-color.org).
func (a *App) coloured(stream any) bool {
	_, found := terminal(stream)
	return found && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
}

func (a *App) wait(ctx context.Context, d time.Duration) error {
	if a.Wait != nil {
		return a.Wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Command returns the tree of commands.
func (a *App) Command() *cobra.Command {
	root := &cobra.Command{
		Use:   "keywright",
		Short: "Manage admin users and API keys of a Keywright server.",
		Long: `Manage admin users and API keys of a Keywright server.

A server is a profile of the configuration file, or a URL. Flags come before
environment variables, and these before the profile. Without --server, the
profile of [default] is used.

Exit codes: 0 done, 1 refused or failed, 2 wrong command line (nothing sent).`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       cmp.Or(a.Version, "dev"),
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return a.completeFlags()
		},
	}
	root.SetVersionTemplate("keywright {{.Version}}\n")
	a.flags.addTo(root)
	_ = root.RegisterFlagCompletionFunc("server", a.completeProfiles)
	formats := cobra.FixedCompletions(output.Formats, cobra.ShellCompDirectiveNoFileComp)
	_ = root.RegisterFlagCompletionFunc("output", formats)
	asGroup(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%s", err) })
	root.AddCommand(
		a.authCommand(), a.adminCommand(), a.keysCommand(), a.configCommand(), a.apiCommand(), a.gitCredentialCommand(),
	)
	return root
}

// asGroup makes a command that only has others print its help, and refuse any other name.
func asGroup(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		text := fmt.Sprintf("%s has no command %q", c.CommandPath(), args[0])
		if alike := c.SuggestionsFor(args[0]); len(alike) > 0 {
			text += fmt.Sprintf("; did you mean %q?", alike[0])
		}
		return usagef("%s", text)
	}
	return c
}

// arguments checks the number of arguments. names are as in the usage line: "USERNAME ROLE".
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s needs an argument more: %s", c.CommandPath(), c.UseLine())
		case most >= 0 && len(args) > most:
			return usagef("%s has an argument too many: %q", c.CommandPath(), args[most])
		}
		return nil
	}
}
