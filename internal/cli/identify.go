package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/key/keyformat"
)

// identified is what keys identify finds out.
type identified struct {
	// Active is true for a key that the server accepts now. Everything but Prefix is empty for others.
	Active  bool   `json:"active"`
	Prefix  string `json:"prefix"`
	Subject string `json:"subject,omitempty"`
	KeyID   string `json:"key_id,omitempty"`
	Admin   bool   `json:"admin,omitempty"`
	Scopes  string `json:"scopes,omitempty"`
	Expires string `json:"expires_at,omitempty"`
	// End is the command that ends the key.
	End string `json:"end,omitempty"`
	// Replaced is true for a key that a rotation has replaced, until its overlap ends.
	Replaced bool `json:"replaced,omitempty"`
	// Candidates are keys with the same first characters, when the key is not accepted.
	Candidates []string `json:"candidates,omitempty"`
}

func (a *App) identifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "identify -",
		Short: "Read a key from stdin, and say whose it is, whether it works, and how to end it.",
		Long: `Read a key from stdin, and say whose it is, whether it works, and how to end it.

For a key that was found somewhere. It needs the right keys.introspect, which admins
have. The key is sent to the server of the profile only.`,
		Example: `  keywright keys identify - < found.txt`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] != "-" {
				return console.Usagef("the key is read from stdin: keywright keys identify -")
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return a.identify(c.Context()) },
	}
}

func (a *App) identify(ctx context.Context) error {
	if a.flags.apiKey == "-" {
		return console.Usagef("--api-key - and - both read stdin")
	}
	found, err := a.keyOnStdin("Key: ")
	if err != nil || found == "" {
		return cmp.Or(interruption(err), console.Usagef("stdin is empty"))
	}
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	about, err := client.Introspect(ctx, found)
	if err != nil {
		return err
	}
	result := &identified{Active: about.Active, Prefix: keyformat.Format{}.Shown(found)}
	same, err := likeKey(ctx, client, found, about.Subject)
	if err == nil && len(same) == 0 && about.KeyID != "" {
		// The key of an APIKey that is not its current key.
		same, err = idsOf(ctx, client, apiclient.KeyFilter{Subject: about.Subject, Search: about.KeyID}, nil)
		result.Replaced = len(same) > 0
	}
	if err != nil {
		return err
	}
	result.describe(about, same)
	if !a.format.ForPeople() {
		view := &output.View[*identified]{Name: func(i *identified) string { return i.KeyID }}
		return output.One(a.Stdout, 0, a.format, view, result)
	}
	a.printIdentified(result, found)
	return nil
}

// describe fills in what the server says about the key. same are the ids of the keys that begin like it.
func (i *identified) describe(about *apiclient.Introspection, same []string) {
	if !about.Active {
		i.Candidates = same
		return
	}
	i.Subject, i.KeyID, i.Admin, i.Scopes = about.Subject, about.KeyID, about.Admin, about.Scope
	if about.Exp > 0 {
		i.Expires = time.Unix(about.Exp, 0).UTC().Format(time.RFC3339)
	}
	username, isUser := strings.CutPrefix(about.Subject, "User/")
	switch {
	case i.Replaced:
		i.End = "keywright keys rotate --overlap 0s " + shellQuote(same[0])
	case len(same) == 1:
		i.End = "keywright keys remove " + shellQuote(same[0])
	case len(same) > 1:
		i.End, i.Candidates = "keywright keys remove, with the id of one of these", same
	case about.Admin && isUser && username != bootstrapUser:
		i.End = "keywright admin users rotate-key " + shellQuote(username)
	case about.Admin:
		i.End = "change ADMIN_KEY: this is the bootstrap key"
	}
}

// bootstrapUser is the username of the bootstrap key.
const bootstrapUser = "admin"

// likeKey returns the ids of the API keys that begin like a key, of a subject unless that is empty.
func likeKey(ctx context.Context, client *apiclient.Client, found, subject string) ([]string, error) {
	return idsOf(ctx, client, apiclient.KeyFilter{Subject: subject}, func(k *apiclient.Key) bool {
		return k.KeyPrefix != nil && *k.KeyPrefix != "" && strings.HasPrefix(found, *k.KeyPrefix)
	})
}

// idsOf returns the ids of the listed keys that meet a condition, if there is one.
func idsOf(
	ctx context.Context, client *apiclient.Client, filter apiclient.KeyFilter, meets func(*apiclient.Key) bool,
) ([]string, error) {
	var ids []string
	for k, err := range client.Keys(ctx, filter) {
		if err != nil {
			return nil, err
		}
		if meets == nil || meets(k) {
			ids = append(ids, k.ID)
		}
	}
	return ids, nil
}

func (a *App) printIdentified(i *identified, found string) {
	say := func(format string, args ...any) { a.Printf("%s\n", output.Clean(fmt.Sprintf(format, args...))) }
	alike := func() {
		if len(i.Candidates) > 0 {
			say("Keys that begin like it: %s", strings.Join(i.Candidates, " "))
		}
	}
	if !i.Active {
		say("The server does not accept this key.")
		if keyformat.IsGenerated(found) {
			say("It has the form of a generated key, and its checksum is right.")
		}
		alike()
		return
	}
	say("The key works, and speaks for %s.", i.Subject)
	if i.Admin {
		say("It is the key of an admin.")
	} else if i.Scopes != "" {
		say("Scopes: %s", i.Scopes)
	}
	if i.Expires != "" {
		say("It ends at %s.", i.Expires)
	}
	if i.Replaced {
		say("A rotation has replaced it. To end it and its successor now: %s", i.End)
		return
	}
	say("To end it: %s", i.End)
	alike()
}
