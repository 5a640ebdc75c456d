package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/cli/console"
)

func (a *App) setupGitCommand() *cobra.Command {
	var host string
	c := &cobra.Command{
		Use:   "setup-git --host HOST",
		Short: "Make git use the profile's key as the password for a host.",
		Long: `Make git use the profile's key as the password for a host.

It changes the global configuration of git: for this host, git asks
"keywright git-credential". The key is in no URL and in no file of git.`,
		Example: `  keywright auth setup-git --host git.example.com`,
		Args:    console.Arguments(0, 0),
	}
	c.Flags().StringVar(&host, "host", "", "the host, or its URL: git.example.com")
	c.RunE = func(c *cobra.Command, _ []string) error { return a.setupGit(c.Context(), host) }
	return c
}

func (a *App) setupGit(ctx context.Context, host string) error {
	where, err := gitURL(host)
	if err != nil {
		return err
	}
	r, err := a.remote()
	if err != nil {
		return err
	}
	if r.name == "" {
		return console.Usagef("git needs a profile to find the key later: give --server a profile, not a URL")
	}
	name := "credential." + where + ".helper"
	helper := "!keywright --server " + shellQuote(r.name) + " git-credential"
	// The empty helper stops git from asking, and from storing the key in, the helpers of other hosts.
	for _, args := range [][]string{{"--replace-all", name, ""}, {"--add", name, helper}} {
		//nolint:gosec // git config with two words that were checked
		command := exec.CommandContext(ctx, "git", append([]string{"config", "--global"}, args...)...)
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("git config: %w: %s", err, strings.TrimSpace(string(out)))
		}
	}
	a.Printf("git uses the key of profile %s for %s\n", r.name, where)
	return nil
}

var hostForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+:[0-9A-Fa-f:.]*)$`)

// gitURL returns the URL of one host. Git would give the key to every host for a URL without one, and to several for a
// URL with a wildcard.
func gitURL(host string) (string, error) {
	if host == "" {
		return "", console.Usagef("--host is needed")
	}
	where := host
	if !isURL(where) {
		where = "https://" + host
	}
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !hostForm.MatchString(u.Hostname()) || u.User != nil ||
		strings.ContainsAny(where, " \n\"'\\*?#") {
		return "", console.Usagef("--host %q is not one host, such as git.example.com", host)
	}
	return strings.TrimRight(where, "/"), nil
}

// gitCredentialCommand speaks the protocol of gitcredentials(7).
func (a *App) gitCredentialCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "git-credential get|store|erase",
		Short:  "Give git a key, as a credential helper.",
		Hidden: true,
		Args:   console.Arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			switch args[0] {
			case "get":
				return a.giveCredential(c.Context())
			case "erase":
				a.Warnf("git says that the key was refused: keywright auth status")
			}
			// A helper ignores what it does not do.
			return nil
		},
	}
}

func (a *App) giveCredential(ctx context.Context) error {
	asked := map[string]string{}
	for lines := bufio.NewScanner(a.Stdin); lines.Scan() && lines.Text() != ""; {
		if name, value, found := strings.Cut(lines.Text(), "="); found {
			asked[name] = value
		}
	}
	r, err := a.remote()
	if err != nil {
		return err
	}
	key, err := r.Key(ctx)
	if err != nil {
		return err
	}
	if key == "" {
		return fmt.Errorf("profile %s has no key for git", r.name)
	}
	// The gate takes any user name with a key as the password.
	a.Printf("username=%s\npassword=%s\n", cmp.Or(asked["username"], r.Username, "keywright"), key)
	return nil
}
