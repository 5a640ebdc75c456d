package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/cli/profile"
	"keywright.dev/keywright/internal/program"
)

// claimFlags ask for a claim link in place of a key.
type claimFlags struct {
	link bool
	ttl  string
}

func (f *claimFlags) addTo(c *cobra.Command) {
	c.Flags().BoolVar(&f.link, "claim-link", false, "print a one-time link that issues the key, in place of the key")
	c.Flags().StringVar(&f.ttl, "link-ttl", "", "how long the link can be used: 5m to 7d (default 24h)")
}

// seconds checks the flags before anything is sent. It returns 0 for the server's default.
func (f *claimFlags) seconds(a *App, c *cobra.Command) (int64, error) {
	if !f.link && c.Flags().Changed("link-ttl") {
		return 0, console.Usagef("--link-ttl is for --claim-link")
	}
	if f.link && a.format.Name == output.Key {
		return 0, console.Usagef("-o key: with --claim-link there is no key yet")
	}
	if f.ttl == "" {
		return 0, nil
	}
	d, ok := program.ParseSpan(f.ttl)
	if !ok || d < 5*time.Minute || d > 7*24*time.Hour || d%time.Second != 0 {
		return 0, console.Usagef("--link-ttl %q must be a time from 5m to 7d such as 12h", f.ttl)
	}
	return int64(d.Seconds()), nil
}

// printClaimLink creates a link and prints it.
func (a *App) printClaimLink(ctx context.Context, client *apiclient.Client, wanted *apiclient.WantedClaim) error {
	made, err := client.CreateClaim(ctx, wanted)
	if err != nil {
		return err
	}
	if !a.format.ForPeople() {
		return output.One(a.Stdout, 0, a.format, &output.View[*apiclient.NewClaim]{
			Name: func(n *apiclient.NewClaim) string { return n.Claim.ID },
		}, made)
	}
	a.Printf("%s\nClaim link: %s\n%s\n", output.Clean(leadOf(&made.Claim)), made.URL,
		"It works once, until "+made.Claim.EndsAt+", and is shown only now.")
	return nil
}

// leadOf returns the sentence about a new link.
func leadOf(made *apiclient.Claim) string {
	what := "admin user"
	if made.Name != nil {
		what = fmt.Sprintf("API key %q of", *made.Name)
	}
	what += " " + strings.TrimPrefix(made.Subject, "User/")
	if strings.HasSuffix(made.Kind, "-rotation") {
		return "Made a link that rotates the key of " + what + ". Until it is used, the present key is accepted."
	}
	return "Created " + what + ", without a key."
}

func claimsView() *output.View[*apiclient.Claim] {
	type claim = apiclient.Claim
	return &output.View[*claim]{
		Columns: []output.Column[*claim]{
			{Header: "ID", Value: func(l *claim) string { return l.ID }},
			{Header: "KIND", Value: func(l *claim) string { return l.Kind }},
			{Header: "SUBJECT", Value: func(l *claim) string { return l.Subject }},
			{Header: "STATE", Value: func(l *claim) string { return l.State }},
			{Header: "ENDS", Value: func(l *claim) string { return cmp.Or(orEmpty(l.EndedAt), l.EndsAt) }},
			{Header: "CREATOR", Value: func(l *claim) string { return l.Creator }},
			{Header: "NAME", Wide: true, Value: func(l *claim) string { return orEmpty(l.Name) }},
			{Header: "CREATED", Wide: true, Value: func(l *claim) string { return l.CreatedAt }},
			{Header: "OBJECT", Wide: true, Value: func(l *claim) string { return l.Object.Namespace + "/" + l.Object.Name }},
		},
		Name:  func(l *claim) string { return l.ID },
		Empty: "No claim links found.",
	}
}

func (a *App) claimsCommand() *cobra.Command {
	claims := console.Group(&cobra.Command{Use: "claims", Short: "See and withdraw claim links."})
	claims.AddCommand(a.listClaimsCommand(), a.withdrawClaimCommand())
	return claims
}

func (a *App) listClaimsCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use: "list", SuggestFor: []string{"get", "ls"},
		Short:   "List claim links: the open ones, and those that ended within 7 days.",
		Example: `  keywright admin claims list`,
		Args:    console.Arguments(0, 0),
	}
	addWatch(c, &watch)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client(c.Context())
		if err != nil {
			return err
		}
		return list(c.Context(), a, claimsView(), watch, func(yield func(*apiclient.Claim, error) bool) {
			each(client.Claims(c.Context()))(yield)
		})
	}
	return c
}

func (a *App) withdrawClaimCommand() *cobra.Command {
	return &cobra.Command{
		Use: "withdraw ID", SuggestFor: []string{"delete", "remove", "rm"},
		Short:   "Withdraw an open claim link, and delete the user or API key that waits for it.",
		Example: `  keywright admin claims withdraw $LINK`,
		Args:    console.Arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			if err := client.WithdrawClaim(c.Context(), args[0]); err != nil {
				return err
			}
			return a.printIssued(issued{
				lead: "Withdrew claim link: " + args[0], whole: map[string]string{"withdrawn": args[0]},
			})
		},
	}
}

func (a *App) claimCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "claim URL|-",
		Short: "Use a claim link: get the key that it issues, and print it once.",
		Long: `Use a claim link: get the key that it issues, and print it once.

The link names the server, and no other key is needed. With -, the link comes from stdin.`,
		Example: `  keywright claim $CLAIM_URL
  keywright claim - -o key < link.txt > my.key`,
		Args: console.Arguments(1, 1), Annotations: printsKey(),
		RunE: func(c *cobra.Command, args []string) error {
			client, token, err := a.claimant(c.Context(), args[0])
			if err != nil {
				return err
			}
			claimed, err := client.Claim(c.Context(), token)
			if err != nil {
				return err
			}
			lead := "This is the key of " + claimed.Subject
			if claimed.Name != nil {
				lead = fmt.Sprintf("This is API key %q of %s", *claimed.Name, claimed.Subject)
			}
			err = a.printIssued(issued{lead: lead, label: "API Key", key: claimed.APIKey, whole: claimed})
			if err == nil {
				a.noteEndOfOld(claimed.Subject, claimed.PreviousEndsAt)
			}
			return err
		},
	}
}

// claimant returns a client of the server that a link names, without a key, and the token of the link.
func (a *App) claimant(ctx context.Context, text string) (*apiclient.Client, string, error) {
	if a.flags.given("api-key") {
		return nil, "", console.Usagef("a claim takes no --api-key")
	}
	if text == "-" {
		line, err := a.keyOnStdin("Claim link: ")
		if err != nil || line == "" {
			return nil, "", cmp.Or(interruption(err), console.Usagef("stdin is empty"))
		}
		text = line
	}
	link, err := url.Parse(strings.TrimSpace(text))
	if err != nil || !isURL(text) || link.Fragment == "" || !strings.HasSuffix(link.Path, "/claim") {
		return nil, "", console.Usagef("a claim link has the form https://keys.example.com/claim#…")
	}
	token := link.Fragment
	link.Path, link.Fragment, link.RawFragment = strings.TrimSuffix(link.Path, "/claim"), "", ""
	r := &remote{Server: profile.Server{URL: link.String()}}
	if err := a.override(r); err != nil {
		return nil, "", err
	}
	r.Username = ""
	r.useKey("", "none")
	client, err := a.clientOf(ctx, r)
	return client, token, err
}
