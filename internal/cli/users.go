package cli

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

// saveNow follows every key that is printed (docs/compatibility.md).
const saveNow = "Save this API key now - it cannot be retrieved later."

func (a *App) adminCommand() *cobra.Command {
	admin := console.Group(&cobra.Command{Use: "admin", Short: "Manage users and claim links, and see usage and budgets."})
	users := console.Group(&cobra.Command{Use: "users", Short: "Manage admin users."})
	users.AddCommand(
		a.listUsersCommand(), a.createUserCommand(), a.deleteUserCommand(), a.rotateUserCommand(), a.changeRoleCommand(),
		a.enableUserCommand("enable", true), a.enableUserCommand("disable", false),
	)
	admin.AddCommand(users, a.claimsCommand(), a.usageCommand(), a.budgetsCommand())
	return admin
}

func usersView() *output.View[*apiclient.User] {
	type user = apiclient.User
	return &output.View[*user]{
		Columns: []output.Column[*user]{
			{Header: "USERNAME", Value: func(u *user) string { return u.Username }},
			{Header: "ROLE", Value: func(u *user) string { return u.Role }},
			{Header: "CREATED", Value: func(u *user) string { return u.CreatedAt }},
			{Header: "LAST SEEN", Value: func(u *user) string { return orEmpty(u.LastSeen) }},
			{Header: "SOURCE", Wide: true, Value: func(u *user) string { return u.Source }},
			{Header: "KEY", Wide: true, Value: func(u *user) string { return orEmpty(u.KeyPrefix) }},
			{Header: "LAST USED", Wide: true, Value: func(u *user) string { return orEmpty(u.LastUsedAt) }},
			{Header: "ENABLED", Wide: true, Value: func(u *user) string { return fmt.Sprint(u.Enabled) }},
		},
		Name:  func(u *user) string { return u.Username },
		Empty: "No users found.",
	}
}

// orEmpty returns what may be missing as text.
func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func (a *App) listUsersCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use: "list", SuggestFor: []string{"get", "ls"},
		Short: "List admins and seen users, newest first.",
		Example: `  keywright admin users list
  keywright admin users list -o wide`,
		Args: console.Arguments(0, 0),
	}
	addWatch(c, &watch)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client(c.Context())
		if err != nil {
			return err
		}
		return list(c.Context(), a, usersView(), watch, func(yield func(*apiclient.User, error) bool) {
			each(client.Users(c.Context()))(yield)
		})
	}
	return c
}

// issued is a key that a reply carries, and the sentences to print with it.
type issued struct {
	// lead introduces the key: "Created admin user: alice".
	lead string
	// label stands before the key: "API Key".
	label, key string
	// secret is where the operator delivers the key, if there is no key in the reply.
	secret *apiclient.Reference
	// whole is the reply.
	whole any
}

// printIssued prints a reply that may carry a key, once.
func (a *App) printIssued(k issued) error {
	if a.format.ForPeople() || a.format.Name == output.CSV {
		a.printSentences(k)
		return nil
	}
	if a.format.Name == output.Key && k.key == "" {
		return errors.New("-o key: the reply carries no key")
	}
	view := anyView()
	view.Key = func(any) string { return k.key }
	err := output.One(a.Stdout, 0, a.format, view, k.whole)
	if err != nil && k.key != "" {
		// An expression that finds nothing must not lose the key.
		a.printSentences(k)
	}
	return err
}

func (a *App) printSentences(k issued) {
	a.Printf("%s\n", output.Clean(k.lead))
	switch {
	case k.key != "":
		a.Printf("%s: %s\n%s\n", k.label, k.key, saveNow)
	case k.secret != nil:
		a.Printf("The operator writes the new key into Secret %s/%s.\n", k.secret.Namespace, k.secret.Name)
	}
}

// anyView prints a reply for programs. It has no columns.
func anyView() *output.View[any] {
	return &output.View[any]{Name: func(v any) string {
		switch reply := v.(type) {
		case *apiclient.NewUser:
			return reply.Username
		case *apiclient.RotatedUser:
			return reply.Username
		case *apiclient.ChangedRole:
			return reply.Username
		case *apiclient.EnabledUser:
			return reply.Username
		case *apiclient.Key:
			return reply.ID
		case *apiclient.OwnKey:
			return reply.KeyID
		}
		return ""
	}}
}

func (a *App) createUserCommand() *cobra.Command {
	var f claimFlags
	c := &cobra.Command{
		Use: "create USERNAME", SuggestFor: []string{"new", "add"},
		Short: "Create an admin, and print the key once.",
		Long: `Create an admin, and print the key once.

With --claim-link, a link is printed in its place. The admin opens it, once, and
gets the key: no key is sent by chat.`,
		Example: `  keywright admin users create alice
  keywright admin users create bob -o key > bob.key
  keywright admin users create ursula --claim-link`,
		Args: console.Arguments(1, 1), Annotations: printsKey(),
	}
	f.addTo(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		seconds, err := f.seconds(a, c)
		if err != nil {
			return err
		}
		client, err := a.client(c.Context())
		if err != nil {
			return err
		}
		if f.link {
			wanted := &apiclient.WantedClaim{Kind: "user", Username: args[0], ExpiresIn: seconds}
			return a.printClaimLink(c.Context(), client, wanted)
		}
		made, err := client.CreateUser(c.Context(), args[0])
		if err != nil {
			return err
		}
		return a.printIssued(issued{
			lead: "Created admin user: " + made.Username, label: "API Key", key: made.APIKey, whole: made,
		})
	}
	return c
}

func (a *App) deleteUserCommand() *cobra.Command {
	var force, forget bool
	c := &cobra.Command{
		Use: "delete USERNAME", SuggestFor: []string{"remove", "rm"},
		Short:   "Delete an admin. The user's keys and sessions end at once.",
		Example: `  keywright admin users delete bob --force`,
		Args:    console.Arguments(1, 1), ValidArgsFunction: a.completeUsers,
	}
	c.Flags().BoolVar(&force, "force", false, "do not ask")
	c.Flags().BoolVar(&forget, "forget", false, "delete a plain or seen user, too")
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client(c.Context())
		if err != nil {
			return err
		}
		if !force && !a.flags.curl {
			yes, err := a.Confirm(fmt.Sprintf("Delete admin user '%s'?", output.Clean(args[0])))
			if !yes {
				a.Notef("Nothing was deleted.")
				return cmp.Or(err, console.ErrReported)
			}
		}
		if err := client.DeleteUser(c.Context(), args[0], forget); err != nil {
			return err
		}
		return a.printIssued(issued{lead: "Deleted admin user: " + args[0], whole: map[string]string{"deleted": args[0]}})
	}
	return c
}

func (a *App) rotateUserCommand() *cobra.Command {
	var f claimFlags
	c := &cobra.Command{
		Use:   "rotate-key USERNAME",
		Short: "Give an admin a new key, and print it once.",
		Long: `Give an admin a new key, and print it once.

With --claim-link, a link is printed in place of the key, and nothing is rotated yet:
the first use of the link rotates the key, and shows the new one.`,
		Example: `  keywright admin users rotate-key alice
  keywright admin users rotate-key alice --reason "laptop lost"
  keywright admin users rotate-key valentin --claim-link --link-ttl 2h`,
		Args: console.Arguments(1, 1), ValidArgsFunction: a.completeUsers, Annotations: printsKey(),
	}
	f.addTo(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		seconds, err := f.seconds(a, c)
		if err != nil {
			return err
		}
		if f.link {
			wanted := &apiclient.WantedClaim{Kind: "user-rotation", Username: args[0], ExpiresIn: seconds}
			return a.rotationLink(c.Context(), wanted)
		}
		client, err := a.client(c.Context())
		if err != nil {
			return err
		}
		r, err := client.RotateUser(c.Context(), args[0])
		if err != nil {
			return err
		}
		return a.printIssued(issued{
			lead: "Rotated API key for: " + r.Username, label: "New API Key", key: r.NewAPIKey, secret: r.Secret, whole: r,
		})
	}
	return c
}

func (a *App) changeRoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "change-role USERNAME admin|user",
		Short: "Promote or demote a user.",
		Long: `Promote or demote a user.

A promoted user gets a key, which is printed once. The key of a demoted user ends at once.`,
		Example: `  keywright admin users change-role bob user
  keywright admin users change-role bob admin`,
		Args: console.Arguments(2, 2), Annotations: printsKey(),
		ValidArgsFunction: func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{"admin", "user"}, cobra.ShellCompDirectiveNoFileComp
			}
			return a.completeUsers(c, args, begun)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if args[1] != "admin" && args[1] != "user" {
				return console.Usagef("role %q must be admin or user", args[1])
			}
			if args[1] == "user" && a.format.Name == output.Key {
				return console.Usagef("-o key: a demotion prints no key")
			}
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			r, err := client.ChangeRole(c.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return a.printIssued(issued{
				lead: fmt.Sprintf("Changed role of '%s' to '%s'", r.Username, r.Role), label: "API Key", key: r.APIKey, whole: r,
			})
		},
	}
}

func (a *App) enableUserCommand(verb string, enabled bool) *cobra.Command {
	short := map[bool]string{
		true:  "Accept the keys of a user again.",
		false: "Refuse the keys of a user, until they are enabled again.",
	}
	return &cobra.Command{
		Use:     verb + " USERNAME",
		Short:   short[enabled],
		Example: `  keywright admin users ` + verb + ` bob`,
		Args:    console.Arguments(1, 1), ValidArgsFunction: a.completeUsers,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			r, err := client.EnableUser(c.Context(), args[0], enabled)
			if err != nil {
				return err
			}
			done := map[bool]string{true: "Enabled user: ", false: "Disabled user: "}
			return a.printIssued(issued{lead: done[r.Enabled] + r.Username, whole: r})
		},
	}
}
