package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/cli/profile"
)

func ownKeyView() *output.View[*apiclient.OwnKey] {
	type own = *apiclient.OwnKey
	return &output.View[own]{
		Columns: []output.Column[own]{
			{Header: "KIND", Value: func(k own) string { return k.Kind }},
			{Header: "NAME", Value: func(k own) string { return k.Name }},
			{Header: "SUBJECT", Value: func(k own) string { return k.Subject }},
			{Header: "STATE", Value: ownState},
			{Header: "EXPIRES", Value: func(k own) string { return orEmpty(k.ExpiresAt) }},
			{Header: "LAST USED", Value: func(k own) string { return orEmpty(k.LastUsedAt) }},
			{Header: "ID", Wide: true, Value: func(k own) string { return orEmpty(k.ID) }},
			{Header: "KEY ID", Wide: true, Value: func(k own) string { return k.KeyID }},
			{Header: "PREFIX", Wide: true, Value: func(k own) string { return orEmpty(k.KeyPrefix) }},
			{Header: "SCOPES", Wide: true, Value: func(k own) string { return strings.Join(k.Scopes, " ") }},
			{Header: "ROLES", Wide: true, Value: func(k own) string { return strings.Join(k.Roles, " ") }},
			{Header: "ISSUED", Wide: true, Value: func(k own) string { return orEmpty(k.IssuedAt) }},
			{Header: "SOURCE", Wide: true, Value: func(k own) string { return k.Source }},
			{Header: "SECRET", Wide: true, Value: func(k own) string { return nameOf(k.Secret) }},
		},
		Name: func(k own) string { return k.KeyID },
		Key:  func(k own) string { return k.Token },
	}
}

func ownState(k *apiclient.OwnKey) string {
	if k.Current {
		return "current"
	}
	return "replaced"
}

func nameOf(r *apiclient.Reference) string {
	if r == nil {
		return ""
	}
	return r.Namespace + "/" + r.Name
}

func (a *App) ownKeyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "self", SuggestFor: []string{"me", "mine", "own"},
		Short: "Print what is known about the key that you use: whose it is, what it may do, when it ends.",
		Long: `Print what is known about the key that you use: whose it is, what it may do, when it ends.

It needs no right, and works for every kind of key.`,
		Example: `  keywright keys self
  keywright keys self -o jsonpath={.expires_at}`,
		Args: console.Arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			k, err := client.OwnKey(c.Context())
			if err != nil {
				return err
			}
			return output.One(a.Stdout, a.Width(), a.format, ownKeyView(), k)
		},
	}
	c.AddCommand(a.rotateOwnKeyCommand())
	return c
}

func (a *App) rotateOwnKeyCommand() *cobra.Command {
	var overlap string
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the key that you use, and print the new one once.",
		Long: `Replace the key that you use, and print the new one once.

An API key needs the right apikeys.renew-self, and its ttl starts again. A key that the
profile has, in its file or in the keyring, is replaced there, too.`,
		Example: `  keywright keys self rotate
  keywright keys self rotate --overlap 1h -o key > new.key`,
		Args: console.Arguments(0, 0), Annotations: printsKey(),
	}
	c.Flags().StringVar(&overlap, "overlap", "", "how long the old key works beside the new one: 1h; at most 24h")
	c.RunE = func(c *cobra.Command, _ []string) error {
		fields, err := rotationFields(overlap)
		if err != nil {
			return err
		}
		return a.rotateOwnKey(c.Context(), fields)
	}
	return c
}

func (a *App) rotateOwnKey(ctx context.Context, fields apiclient.KeyFields) error {
	r, err := a.remote()
	if err != nil {
		return err
	}
	client, err := a.clientOf(ctx, r)
	if err != nil {
		return err
	}
	k, err := client.RotateOwnKey(ctx, fields)
	if err != nil {
		return err
	}
	// The old key may have ended: nothing may lose the new one.
	err = a.printIssued(issued{lead: "Rotated the key of " + k.Subject, label: "New API Key", key: k.Token, whole: k})
	a.noteEndOfOld(k.Subject, k.PreviousEndsAt)
	if failed := a.replaceInProfile(ctx, r, k.Token); failed != nil {
		return fmt.Errorf("the new key was printed, and profile %s still has the old one: %w", r.name, failed)
	}
	return err
}

// replaceInProfile saves the new key where the old one came from, if that is the profile.
func (a *App) replaceInProfile(ctx context.Context, r *remote, key string) error {
	saved := r.config.Servers[r.name]
	source := saved.KeySource()
	var err error
	switch {
	case r.name == "" || r.keyFrom != profileKey(r.name, source):
		return nil
	case saved.APIKey != "":
		err = r.config.SaveToFile(r.name, saved, key)
	case saved.Store == profile.StoreKeyring:
		err = r.config.SaveToKeyring(ctx, r.name, saved, key)
	default:
		a.Notef("Profile %s takes its key from %s: replace it there.", r.name, source)
		return nil
	}
	if err == nil {
		a.Notef("Saved in profile %s of %s.", r.name, r.config.Path)
	}
	return err
}
