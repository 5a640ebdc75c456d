package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/program"
)

// keyFlags are the flags that say what a key is like.
type keyFlags struct {
	name, description, policy, expiresAt, ttl string
	scopes, roles                             []string
}

func (f *keyFlags) addTo(a *App, c *cobra.Command) {
	set := c.Flags()
	set.StringVar(&f.description, "description", "", "what the key is for")
	set.StringSliceVar(&f.scopes, "scope", nil, "an action that the key may do; may be repeated")
	set.StringSliceVar(&f.roles, "role", nil, "an AccessRole; may be repeated")
	set.StringVar(&f.policy, "policy", "", "file with a policy in JSON or YAML; - is stdin")
	set.StringVar(&f.expiresAt, "expires-at", "", "when the key ends: 2030-01-31T12:00:00Z, or 2030-01-31 (UTC)")
	set.StringVar(&f.ttl, "ttl", "", "how long the key lasts: 90d, 12h, 30m")
	_ = c.RegisterFlagCompletionFunc("scope", a.completeScopes)
	_ = c.RegisterFlagCompletionFunc("role", a.completeRoles)
}

// fields returns the fields that the flags on the command line set. A list that is given as "" is emptied.
func (f *keyFlags) fields(a *App, c *cobra.Command) (apiclient.KeyFields, error) {
	fields := apiclient.KeyFields{}
	given := c.Flags().Changed
	for flag, text := range map[string]string{"name": f.name, "description": f.description} {
		if c.Flags().Lookup(flag) != nil && given(flag) {
			fields[flag] = text
		}
	}
	if given("scope") {
		fields["scopes"] = withoutEmpty(f.scopes)
	}
	if given("role") {
		fields["roles"] = withoutEmpty(f.roles)
	}
	if given("policy") {
		policy, err := a.readPolicy(f.policy)
		if err != nil {
			return nil, err
		}
		fields["policy"] = policy
	}
	return fields, f.end(fields, given)
}

func (f *keyFlags) end(fields apiclient.KeyFields, given func(string) bool) error {
	switch {
	case given("ttl") && given("expires-at"):
		return console.Usagef("--ttl and --expires-at exclude each other")
	case given("ttl"):
		d, err := parseTTL(f.ttl)
		if err != nil {
			return err
		}
		fields["expires_in_seconds"] = int64(d.Seconds())
	case given("expires-at") && f.expiresAt == "none":
		fields["expires_at"] = nil
	case given("expires-at"):
		at, err := parseInstant(f.expiresAt)
		if err != nil {
			return err
		}
		fields["expires_at"] = at.Format(time.RFC3339)
	}
	return nil
}

func withoutEmpty(list []string) []string {
	some := []string{}
	for _, entry := range list {
		if entry != "" {
			some = append(some, entry)
		}
	}
	return some
}

func parseInstant(text string) (time.Time, error) {
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, console.Usagef(
		"--expires-at %q must be a time such as 2030-01-31T12:00:00Z, a day such as 2030-01-31, or none", text)
}

func parseTTL(text string) (time.Duration, error) {
	d, ok := program.ParseSpan(text)
	if !ok || d < time.Second || d%time.Second != 0 {
		return 0, console.Usagef("--ttl %q must be a time of at least 1s such as 90d, 12h or 30m", text)
	}
	return d, nil
}

// readPolicy reads a policy in YAML or JSON, and returns it as JSON. The server checks what is in it.
func (a *App) readPolicy(path string) (json.RawMessage, error) {
	text, err := a.ReadFile(path)
	if err != nil {
		return nil, console.Usagef("--policy: %s", err)
	}
	policy, err := yaml.YAMLToJSONStrict(text)
	if err != nil || !strings.HasPrefix(string(policy), "{") {
		return nil, console.Usagef("--policy %s: must be an object in JSON or YAML", path)
	}
	return policy, nil
}

func (a *App) newKeyCommand() *cobra.Command {
	var f keyFlags
	var subject string
	var b bulk
	var link claimFlags
	c := &cobra.Command{
		Use: "new NAME", SuggestFor: []string{"create", "add"},
		Short: "Create a key, and print it once.",
		Long: `Create a key, and print it once.

It is yours, unless --subject names another owner. A key without scopes, roles and
policy may do nothing. With --claim-link, a link is printed in place of the key: the
first use of the link issues the key.`,
		Example: `  keywright keys new "CI Pipeline" --subject Account/ci --scope certs.read --ttl 90d
  keywright keys new deploy --subject Account/ci -o key > deploy.key
  keywright keys new laptop --subject User/ursula --claim-link --link-ttl 2h`,
		Args: console.Arguments(1, 1), Annotations: printsKey(),
	}
	f.addTo(a, c)
	c.Flags().StringVar(&subject, "subject", "", "whose key it is: User/…, Account/… or Integration/…")
	_ = c.RegisterFlagCompletionFunc("subject", completeSubjectKinds)
	b.addTo(c, false)
	link.addTo(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := f.checkNew(subject); err != nil {
			return err
		}
		wanted, err := f.wanted(a, c, args[0], &link)
		if err != nil {
			return err
		}
		what := "create API key " + strconv.Quote(args[0])
		if subject != "" {
			what += " of " + subject
		}
		if proceed, err := b.ask(a, what); err != nil || !proceed {
			return err
		}
		client, err := a.client(c.Context())
		if err != nil {
			return err
		}
		if wanted.Subject = subject; link.link {
			return a.newKeyLink(c.Context(), client, wanted)
		}
		made, err := client.CreateKey(c.Context(), subject, wanted.Key)
		if err != nil {
			return withoutOwner(c.Context(), client, subject, err)
		}
		err = a.printKey("Created API key: ", "API Key", made)
		a.noteEndByInstance(made)
		return err
	}
	return c
}

// checkNew refuses what only a change of a key may have.
func (f *keyFlags) checkNew(subject string) error {
	if f.expiresAt == "none" {
		return console.Usagef("--expires-at none: without --expires-at and --ttl, a key has no end")
	}
	return checkSubject(subject)
}

// wanted returns the key that the flags describe, as a claim link hands it over.
func (f *keyFlags) wanted(
	a *App, c *cobra.Command, name string, link *claimFlags,
) (wanted *apiclient.WantedClaim, err error) {
	wanted = &apiclient.WantedClaim{Kind: "key"}
	if wanted.ExpiresIn, err = link.seconds(a, c); err != nil {
		return nil, err
	}
	if wanted.Key, err = f.fields(a, c); err != nil {
		return nil, err
	}
	wanted.Key["name"] = name
	return wanted, nil
}

// newKeyLink prints a claim link to a new key, which is the caller's own unless it has another subject.
func (a *App) newKeyLink(ctx context.Context, client *apiclient.Client, wanted *apiclient.WantedClaim) error {
	if wanted.Subject == "" {
		me, err := client.Me(ctx)
		if err != nil {
			return err
		}
		wanted.Subject = "User/" + me.Username
	}
	return a.printClaimLink(ctx, client, wanted)
}

// withoutOwner replaces the error for a key that was asked for with the bootstrap key, which belongs to no user.
func withoutOwner(ctx context.Context, client *apiclient.Client, subject string, err error) error {
	if subject != "" || apiclient.StatusOf(err) != http.StatusBadRequest {
		return err
	}
	if me, failed := client.Me(ctx); failed == nil && me.Username == bootstrapUser {
		return errors.New("the bootstrap key has no user who could own a key: name an owner with --subject, " +
			"such as User/alice or Account/ci")
	}
	return err
}

// noteEndByInstance prints for people an end that a setting of the instance has set.
func (a *App) noteEndByInstance(k *key) {
	from := orEmpty(k.ExpiresFrom)
	if k.ExpiresAt != nil && a.format.ForPeople() && (from == "MAX_TTL" || from == "DEFAULT_TTL") {
		a.Notef("It ends at %s, by %s of this instance.", output.Clean(*k.ExpiresAt), from)
	}
}

// printKey prints a key with its token.
func (a *App) printKey(lead, label string, k *key) error {
	return a.printIssued(issued{
		lead: lead + k.Name + fmt.Sprintf(" (%s)", k.ID), label: label, key: k.Token, secret: secretWithout(k), whole: k,
	})
}

// secretWithout returns where the operator delivers a key that is not in the reply.
func secretWithout(k *key) *apiclient.Reference {
	if k.Token != "" {
		return nil
	}
	return k.Secret
}
