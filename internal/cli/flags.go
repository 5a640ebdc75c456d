package cli

import (
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

// Environment variables.
const (
	envServer      = "KEYWRIGHT_SERVER"
	envAPIKey      = "KEYWRIGHT_API_KEY" //nolint:gosec // a name, not a key
	envUsername    = "KEYWRIGHT_USERNAME"
	envCAFile      = "KEYWRIGHT_CA_FILE"
	envNoVerifySSL = "KEYWRIGHT_NO_VERIFY_SSL"
)

// globalFlags may stand before or after the command.
type globalFlags struct {
	server, apiKey, user string
	caFile               string
	noVerifySSL          bool
	timeout              time.Duration
	json                 bool
	output               string
	reason               string
	curl                 bool

	root *cobra.Command
}

func (f *globalFlags) addTo(root *cobra.Command) {
	f.root = root
	set := root.PersistentFlags()
	set.SortFlags = false
	set.StringVarP(&f.server, "server", "s", "", "profile or URL ($"+envServer+")")
	set.StringVar(&f.apiKey, "api-key", "", "key, or - to read it from stdin ($"+envAPIKey+")")
	set.StringVar(&f.user, "user", "", "username, where a server trusts saved names ($"+envUsername+")")
	set.StringVarP(&f.output, "output", "o", output.Table,
		"table, wide, json, yaml, csv, name, key, jsonpath=…, go-template=…")
	set.BoolVar(&f.json, "json", false, "the same as -o json")
	set.StringVar(&f.caFile, "ca-file", "", "authorities of the server's certificate, in PEM ($"+envCAFile+")")
	set.BoolVar(&f.noVerifySSL, "no-verify-ssl", false, "accept any certificate ($"+envNoVerifySSL+")")
	set.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long a request may take")
	set.StringVar(&f.reason, "reason", "", "why, for the audit trail and the event")
	set.BoolVar(&f.curl, "curl", false, "print the request as a curl command, without the key, and send nothing")
}

// given reports whether a flag is on the command line.
func (f *globalFlags) given(name string) bool { return f.root.PersistentFlags().Changed(name) }

// maxReason bounds a reason, as the server does.
const maxReason = 256

// completeFlags reads the flags that every command has.
func (a *App) completeFlags() error {
	f := &a.flags
	if f.json {
		if f.given("output") && f.output != output.JSON {
			return console.Usagef("--json and -o %s exclude each other", f.output)
		}
		f.output = output.JSON
	}
	format, err := output.Parse(f.output)
	switch {
	case err != nil:
		return console.Usagef("%s", err)
	case f.timeout <= 0:
		return console.Usagef("--timeout must be longer than 0s")
	case len(f.reason) > maxReason || output.Clean(f.reason) != f.reason:
		return console.Usagef("--reason must be one line of at most %d bytes", maxReason)
	}
	a.format = format
	return nil
}
