package cli

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/key/keyformat"
)

func (a *App) keysCommand() *cobra.Command {
	keys := console.Group(&cobra.Command{Use: "keys", Short: "Manage API keys."})
	keys.AddCommand(
		a.getKeysCommand(), a.newKeyCommand(), a.setKeysCommand(), a.rotateKeysCommand(), a.revokeKeysCommand(),
		a.removeKeysCommand(), a.identifyCommand(), a.ownKeyCommand(),
	)
	return keys
}

type key = apiclient.Key

func keysView() *output.View[*key] {
	return &output.View[*key]{
		Columns: []output.Column[*key]{
			{Header: "ID", Value: func(k *key) string { return k.ID }},
			{Header: "NAME", Value: func(k *key) string { return k.Name }},
			{Header: "SUBJECT", Value: func(k *key) string { return k.Subject }},
			{Header: "STATE", Value: stateOf},
			{Header: "EXPIRES", Value: func(k *key) string { return orEmpty(k.ExpiresAt) }},
			{Header: "LAST USED", Value: func(k *key) string { return orEmpty(k.LastUsedAt) }},
			{Header: "EXPIRES FROM", Wide: true, Value: func(k *key) string { return orEmpty(k.ExpiresFrom) }},
			{Header: "PREFIX", Wide: true, Value: func(k *key) string { return orEmpty(k.KeyPrefix) }},
			{Header: "SCOPES", Wide: true, Value: func(k *key) string { return strings.Join(k.Scopes, " ") }},
			{Header: "ROLES", Wide: true, Value: func(k *key) string { return strings.Join(k.Roles, " ") }},
			{Header: "CREATED", Wide: true, Value: func(k *key) string { return k.CreatedAt }},
			{Header: "USED FROM", Wide: true, Value: func(k *key) string { return orEmpty(k.LastUsedFrom) }},
			{Header: "SOURCE", Wide: true, Value: func(k *key) string { return k.Source }},
			{Header: "OBJECT", Wide: true, Value: func(k *key) string { return k.Object.Namespace + "/" + k.Object.Name }},
			{Header: "DESCRIPTION", Wide: true, Value: func(k *key) string { return k.Description }},
		},
		Name:  func(k *key) string { return k.ID },
		Key:   func(k *key) string { return k.Token },
		Empty: "No API keys found.",
	}
}

// stateOf returns active, or the server's reason why the key is not accepted.
func stateOf(k *key) string {
	if k.Active {
		return "active"
	}
	return k.Reason
}

func (a *App) getKeysCommand() *cobra.Command {
	var filter apiclient.KeyFilter
	var watch bool
	c := &cobra.Command{
		Use: "get [ID... | --name PATTERN]", SuggestFor: []string{"list", "ls", "show"},
		Short: "List keys, newest first: your own, or all for an admin.",
		Long: `List keys, newest first: your own, or all for an admin.

Keys are chosen by id, or by a pattern of names in which * stands for any characters
and ? for one. The key itself is never printed: the server does not have it.`,
		Example: `  keywright keys get
  keywright keys get --name 'CI*' -o wide
  keywright keys get --subject Account/ci -o name`,
		ValidArgsFunction: a.completeKeys,
	}
	c.Flags().StringVar(&filter.Name, "name", "", "only keys with such a name: 'CI*'")
	c.Flags().StringVar(&filter.Subject, "subject", "", "only keys of User/…, Account/… or Integration/…")
	addWatch(c, &watch)
	_ = c.RegisterFlagCompletionFunc("subject", completeSubjectKinds)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 && (filter != apiclient.KeyFilter{}) {
			return console.Usagef("an id excludes --name and --subject")
		}
		if err := checkSubject(filter.Subject); err != nil {
			return err
		}
		if len(args) > 0 {
			return a.getByID(c, args)
		}
		return a.listKeys(c.Context(), filter, watch)
	}
	return c
}

func (a *App) listKeys(ctx context.Context, filter apiclient.KeyFilter, watch bool) error {
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	return list(ctx, a, keysView(), watch, func(yield func(*key, error) bool) {
		found := false
		for k, err := range client.Keys(ctx, filter) {
			if found = true; !yield(k, err) {
				return
			}
		}
		if !found && !watch && filter.Name != "" {
			yield(nil, noKeyLike(filter.Name))
		}
	})
}

func noKeyLike(name string) error { return fmt.Errorf("no key has a name like %q", name) }

func checkSubject(subject string) error {
	if subject == "" {
		return nil
	}
	if err := apiclient.CheckSubject(subject); err != nil {
		return console.Usagef("%s", err)
	}
	return nil
}

// getByID prints the keys that are named. One that is not found does not hold up the others.
func (a *App) getByID(c *cobra.Command, args []string) error {
	ids, err := a.ids(args)
	if err != nil {
		return err
	}
	client, err := a.client(c.Context())
	if err != nil {
		return err
	}
	if len(ids) == 1 {
		k, err := client.GetKey(c.Context(), ids[0])
		if err != nil {
			return nameForID(err, ids[0])
		}
		return output.One(a.Stdout, a.Width(), a.format, keysView(), k)
	}
	p := output.NewList(a.Stdout, a.Width(), a.format, keysView())
	return a.each(c.Context(), &bulkWork{
		ids: ids, show: p.Print, closeOutput: p.Close,
		do: func(id string) (*key, error) { return client.GetKey(c.Context(), id) },
	})
}

// ids returns the ids on the command line. A - stands for those on stdin, one on a line.
func (a *App) ids(args []string) ([]string, error) {
	if len(args) == 0 {
		return nil, console.Usagef("an id is needed: keywright keys get lists them")
	}
	var ids []string
	for _, arg := range args {
		if arg != "-" {
			ids = append(ids, arg)
			continue
		}
		read, err := a.readIDs()
		if err != nil {
			return nil, err
		}
		ids = append(ids, read...)
	}
	return ids, checkIDs(ids)
}

// uid is the form of an id: that of the uid of an object.
var uid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// nameForID adds to an error that something else than an id was given.
func nameForID(err error, id string) error {
	if apiclient.StatusOf(err) != http.StatusNotFound || uid.MatchString(id) {
		return err
	}
	return fmt.Errorf("%w: %q is not an id. keywright keys get --name finds ids by name", err, id)
}

func (a *App) readIDs() (ids []string, err error) {
	if a.flags.apiKey == "-" {
		return nil, console.Usagef("--api-key - and - both read stdin")
	}
	lines := a.Lines()
	for lines.Scan() {
		if id := strings.TrimSpace(lines.Text()); id != "" {
			ids = append(ids, id)
		}
	}
	return ids, lines.Err()
}

func checkIDs(ids []string) error {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return console.Usagef("id %s is given twice", id)
		}
		if keyformat.IsGenerated(id) {
			return console.Usagef("an argument is a key, not an id: keywright keys identify - finds the id")
		}
	}
	return nil
}
