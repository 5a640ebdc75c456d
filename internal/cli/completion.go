package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/output"
)

// completed is what completion functions return. Nothing is reported: a message would garble the command line.
type completed = func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// complete asks the server for what a word may be.
func (a *App) complete(ask func(c *cobra.Command, client *apiclient.Client) ([]string, error)) completed {
	return func(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		// The flags of the command that is being completed were parsed, but nothing ran yet.
		a.quiet()
		if a.completeFlags() != nil || a.flags.apiKey == "-" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		client, err := a.client(c.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words, err := ask(c, client)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return beginning(words, begun), cobra.ShellCompDirectiveNoFileComp
	}
}

// beginning returns the words that begin with what is typed.
func beginning(words []string, typed string) []string {
	return slices.DeleteFunc(words, func(word string) bool { return !strings.HasPrefix(word, typed) })
}

// completionTime is how long a person waits for a shell to complete a word.
const completionTime = 5 * time.Second

// quiet prepares for a completion: no message garbles the command line, and no busy or lost server delays it for long.
func (a *App) quiet() {
	a.Stderr = io.Discard
	a.Wait = func(context.Context, time.Duration) error { return errNoWait }
	a.flags.timeout = min(a.flags.timeout, completionTime)
}

var errNoWait = errors.New("a completion does not wait")

func (a *App) completeUsers(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(func(c *cobra.Command, client *apiclient.Client) ([]string, error) {
		users, err := client.Users(c.Context())
		var names []string
		for i := range users {
			names = append(names, users[i].Username)
		}
		return names, err
	})(c, args, begun)
}

// maxCompleted bounds how many keys are offered.
const maxCompleted = 200

func (a *App) completeKeys(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return a.complete(func(c *cobra.Command, client *apiclient.Client) ([]string, error) {
		var ids []string
		for k, err := range client.Keys(c.Context(), apiclient.KeyFilter{}) {
			if err != nil || len(ids) == maxCompleted {
				return ids, err
			}
			ids = append(ids, k.ID+"\t"+output.Clean(k.Name+" of "+k.Subject))
		}
		return ids, nil
	})(c, args, begun)
}

func (a *App) completeScopes(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return a.complete(func(c *cobra.Command, client *apiclient.Client) ([]string, error) {
		catalog, err := client.Catalog(c.Context())
		if err != nil {
			return nil, err
		}
		return catalog.Scopes, nil
	})(c, args, begun)
}

func (a *App) completeRoles(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return a.complete(func(c *cobra.Command, client *apiclient.Client) ([]string, error) {
		catalog, err := client.Catalog(c.Context())
		if err != nil {
			return nil, err
		}
		var names []string
		for i := range catalog.Roles {
			names = append(names, catalog.Roles[i].Name+"\t"+output.Clean(catalog.Roles[i].Description))
		}
		return names, nil
	})(c, args, begun)
}

func completeSubjectKinds(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"User/", "Account/", "Integration/"},
		cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// completeProfiles offers the profiles of the configuration file.
func (a *App) completeProfiles(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	a.quiet()
	config, err := a.loadConfig()
	if err != nil || isURL(begun) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return beginning(config.Names(), begun), cobra.ShellCompDirectiveNoFileComp
}
