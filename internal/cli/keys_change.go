package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/program"
)

// change is what one command does to a key.
type change struct {
	// verb says it to a person: "rotate".
	verb string
	// do does it, and returns the key as it is afterwards.
	do func(ctx context.Context, client *apiclient.Client, id string) (*key, error)
	// print prints one result for people, and for programs as well if it prints a key.
	print     func(k *key) error
	printsKey bool
}

// apply does something to each key. Results go to stdout: sentences, or in the chosen form for another program.
func (a *App) apply(ctx context.Context, args []string, b *bulk, ch change) error {
	if slices.Contains(args, "-") && b.confirm && !b.force && !b.whatIf && !a.flags.curl {
		return console.Usagef("the ids come from stdin, where the answers would: give --force")
	}
	ids, client, err := a.chosen(ctx, args, b.name)
	if err != nil {
		return err
	}
	work := bulkWork{
		ids: ids, asks: b.confirm && !b.force, show: ch.print, closeOutput: func() error { return nil },
		do: func(id string) (*key, error) {
			proceed, err := b.ask(a, ch.verb+" API key "+id)
			if err != nil || !proceed {
				return nil, err
			}
			return ch.do(ctx, client, id)
		},
	}
	switch {
	case a.format.ForPeople():
	case len(ids) == 1 && ch.printsKey:
		// The same, because a failure to print must not lose the key.
	case len(ids) == 1:
		work.show = func(k *key) error { return output.One(a.Stdout, 0, a.format, keysView(), k) }
	default:
		p := output.NewList(a.Stdout, 0, a.format, keysView())
		work.show, work.closeOutput = p.Print, p.Close
	}
	return a.each(ctx, &work)
}

// chosen returns the ids of the keys to change: those on the command line, or those of the keys with a name.
func (a *App) chosen(ctx context.Context, args []string, name string) (ids []string, c *apiclient.Client, err error) {
	switch {
	case name == "":
		ids, err = a.ids(args)
	case len(args) > 0:
		err = console.Usagef("an id excludes --name")
	}
	if err != nil {
		return nil, nil, err
	}
	if c, err = a.client(ctx); err != nil || name == "" {
		return ids, c, err
	}
	for k, err := range c.Keys(ctx, apiclient.KeyFilter{Name: name}) {
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, k.ID)
	}
	if len(ids) == 0 {
		return nil, nil, noKeyLike(name)
	}
	return ids, c, nil
}

func (a *App) setKeysCommand() *cobra.Command {
	var f keyFlags
	var b bulk
	var enable, disable bool
	c := &cobra.Command{
		Use: "set ID... [flags]", SuggestFor: []string{"change", "update", "edit", "enable", "disable"},
		Short: "Change keys. Only what is named changes; lists are replaced.",
		Long: `Change keys. Only what is named changes; lists are replaced.

- reads ids from stdin, one on a line. --expires-at none removes the end, and
--scope "" all scopes.`,
		Example: `  keywright keys set $ID --name "CI Pipeline v2" --role deployer
  keywright keys set $ID --enable --ttl 30d
  keywright keys get --name 'temp-*' -o name | keywright keys set --disable -`,
		ValidArgsFunction: a.completeKeys,
	}
	f.addTo(a, c)
	c.Flags().StringVar(&f.name, "name", "", "a new name")
	c.Flags().BoolVar(&enable, "enable", false, "accept the key again")
	c.Flags().BoolVar(&disable, "disable", false, "refuse the key until it is enabled")
	b.addTo(c, false)
	c.RunE = func(c *cobra.Command, args []string) error {
		if enable && disable {
			return console.Usagef("--enable and --disable exclude each other")
		}
		fields, err := f.fields(a, c)
		if err != nil {
			return err
		}
		if enable || disable {
			fields["enabled"] = enable
		}
		if len(fields) == 0 {
			return console.Usagef("nothing to change: give --name, --description, --scope, --role, --policy, --expires-at, " +
				"--ttl, --enable or --disable")
		}
		return a.apply(c.Context(), args, &b, change{
			verb: "change " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ") + " of",
			do: func(ctx context.Context, client *apiclient.Client, id string) (*key, error) {
				return client.ChangeKey(ctx, id, fields)
			},
			print: func(k *key) error {
				a.Printf("Changed API key: %s (%s), %s\n", output.Clean(k.Name), k.ID, output.Clean(stateOf(k)))
				return nil
			},
		})
	}
	return c
}

func (a *App) rotateKeysCommand() *cobra.Command {
	var b bulk
	var overlap string
	var link claimFlags
	c := &cobra.Command{
		Use:   "rotate [ID... | --name PATTERN]",
		Short: "Give keys a new token, and print it once. The old one ends at once, or after the overlap.",
		Long: `Give keys a new token, and print it once. The old one ends at once, or after the overlap.

With --claim-link, a link is printed in place of the token, and nothing is rotated yet:
the first use of the link rotates the key, and shows the new token.`,
		Example: `  keywright keys rotate $ID
  keywright keys rotate $ID --overlap 1h
  keywright keys rotate $ID -o key > new.key
  keywright keys rotate --name 'CI Pipeline v2'
  keywright keys rotate $ID --claim-link`,
		ValidArgsFunction: a.completeKeys, Annotations: printsKey(),
	}
	c.Flags().StringVar(&overlap, "overlap", "", "how long the old token works beside the new one: 1h; at most 24h")
	link.addTo(c)
	b.addTo(c, false)
	b.addName(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		fields, err := rotationFields(overlap)
		if err != nil {
			return err
		}
		seconds, err := link.seconds(a, c)
		switch {
		case err != nil:
			return err
		case link.link && (b.name != "" || len(args) != 1 || args[0] == "-"):
			return console.Usagef("--claim-link is for one id: a link hands one key over")
		case link.link:
			if proceed, err := b.ask(a, "make a link that rotates API key "+args[0]); err != nil || !proceed {
				return err
			}
			return a.rotationLink(c.Context(), &apiclient.WantedClaim{
				Kind: "key-rotation", ID: args[0], Rotation: fields, ExpiresIn: seconds,
			})
		}
		return a.apply(c.Context(), args, &b, change{
			verb: "rotate",
			do: func(ctx context.Context, client *apiclient.Client, id string) (*key, error) {
				return client.RotateKey(ctx, id, fields)
			},
			print:     a.printRotated,
			printsKey: true,
		})
	}
	return c
}

// rotationLink prints a link that rotates a key.
func (a *App) rotationLink(ctx context.Context, wanted *apiclient.WantedClaim) error {
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	return a.printClaimLink(ctx, client, wanted)
}

// printRotated prints a new token, and when the old one ends.
func (a *App) printRotated(k *key) error {
	err := a.printKey("Rotated API key: ", "New API Key", k)
	if err == nil {
		a.noteEndOfOld(k.Name, k.PreviousEndsAt)
	}
	return err
}

// noteEndOfOld prints for people until when the old key is accepted. at is nil if nothing is known of it.
func (a *App) noteEndOfOld(whose string, at *string) {
	switch {
	case at == nil || !a.format.ForPeople():
	case hasPassed(*at, a.Now()):
		a.Notef("The old key of %s has ended: callers with it fail.", output.Clean(whose))
	default:
		a.Notef("The old key of %s is accepted until %s.", output.Clean(whose), output.Clean(*at))
	}
}

// hasPassed reports false for a text that is not a time.
func hasPassed(text string, now time.Time) bool {
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && !at.After(now)
}

// rotationFields leaves the overlap to the server if none is given.
func rotationFields(overlap string) (apiclient.KeyFields, error) {
	if overlap == "" {
		return nil, nil
	}
	d, ok := program.ParseSpan(overlap)
	if !ok || d > 24*time.Hour {
		return nil, console.Usagef("--overlap %q must be a time of at most 24h such as 0s, 30m or 1h", overlap)
	}
	return apiclient.KeyFields{"overlap_seconds": int64(d / time.Second)}, nil
}

func (a *App) revokeKeysCommand() *cobra.Command {
	var b bulk
	c := &cobra.Command{
		Use:   "revoke [ID... | --name PATTERN]",
		Short: "Refuse keys for good, at once, and keep their objects as the record.",
		Long: `Refuse keys for good, at once, and keep their objects as the record.

keywright keys set --disable refuses a key until it is enabled, and keywright keys
remove deletes its object, too.`,
		Example: `  keywright keys revoke $ID
  keywright keys revoke --name 'temp-*' --force`,
		ValidArgsFunction: a.completeKeys,
	}
	b.addTo(c, true)
	b.addName(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.apply(c.Context(), args, &b, change{
			verb: "revoke",
			do: func(ctx context.Context, client *apiclient.Client, id string) (*key, error) {
				return client.ChangeKey(ctx, id, apiclient.KeyFields{"revoked": true})
			},
			print: func(k *key) error {
				a.Printf("Revoked API key: %s (%s)\n", output.Clean(k.Name), k.ID)
				return nil
			},
		})
	}
	return c
}

func (a *App) removeKeysCommand() *cobra.Command {
	var b bulk
	c := &cobra.Command{
		Use: "remove [ID... | --name PATTERN]", SuggestFor: []string{"delete", "rm"},
		Short: "Delete keys, at once and for good.",
		Example: `  keywright keys remove $ID
  keywright keys get --name 'temp-*' -o name | keywright keys remove - --force`,
		ValidArgsFunction: a.completeKeys,
	}
	b.addTo(c, true)
	b.addName(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		err := a.apply(c.Context(), args, &b, change{
			verb: "delete",
			do: func(ctx context.Context, client *apiclient.Client, id string) (*key, error) {
				return &key{ID: id}, client.DeleteKey(ctx, id)
			},
			print: func(k *key) error {
				a.Printf("Deleted API key: %s\n", k.ID)
				return nil
			},
		})
		return err
	}
	return c
}
