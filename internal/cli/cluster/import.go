package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/importfile"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/kube/objects"
)

func (p *Plugin) importCommand() *cobra.Command {
	group := console.Group(&cobra.Command{
		Use:   "import",
		Short: "Take over users and keys of another system, so that people keep their keys.",
		Long: `Take over users and keys of another system, so that people keep their keys.

The objects are like those that the server creates: delivery Response, with label
keywright.dev/created-by: api, in the namespace of Keywright. It needs verb restore on
keys.keywright.dev there. What is here already is left alone, so the command may be repeated.`,
	})
	group.AddCommand(p.importJJICommand(), p.importKeysCommand())
	return group
}

func (p *Plugin) importJJICommand() *cobra.Command {
	var secretFile string
	var adminsOnly, dryRun bool
	c := &cobra.Command{
		Use:   "jji DATABASE",
		Short: "Import the users of a Jenkins Job Insight server, and the keys of its admins.",
		Long: `Import the users of a Jenkins Job Insight server, and the keys of its admins.

DATABASE is its SQLite file. The secret is what its server had in JJI_ENCRYPTION_KEY, or in the
file .encryption_key. It becomes a pepper, which verifies the imported keys until they are rotated.`,
		Example: `  kubectl keywright import jji results.db --secret-file encryption-key --dry-run
  kubectl keywright import jji results.db --secret-file encryption-key`,
		Args: console.Arguments(1, 1),
	}
	c.Flags().StringVar(&secretFile, "secret-file", "", "file with the secret; - reads a line of stdin")
	c.Flags().BoolVar(&adminsOnly, "admins-only", false, "leave out users without a key")
	addDryRun(c, &dryRun)
	c.RunE = func(c *cobra.Command, args []string) error {
		users, err := importfile.JJI(c.Context(), args[0])
		if err != nil {
			return err
		}
		if adminsOnly {
			users = slices.DeleteFunc(users, func(u importfile.User) bool { return u.Err == nil && !u.Admin })
		}
		secret, err := p.readSecret(secretFile, users)
		if err != nil {
			return err
		}
		return p.importUsers(c.Context(), users, secret, dryRun)
	}
	return c
}

// importUsers imports users whose keys have the secret as their pepper. It is empty if no user has a key.
func (p *Plugin) importUsers(ctx context.Context, users []importfile.User, secret []byte, dryRun bool) error {
	i, err := p.newImport(ctx, dryRun)
	if err != nil {
		return err
	}
	if len(secret) > 0 {
		if err := i.addPepper(ctx, secret); err != nil {
			return err
		}
	}
	for _, u := range users {
		i.add(ctx, userCandidate(u, pepper.IDOf(secret)))
	}
	return i.finish()
}

func addDryRun(c *cobra.Command, dryRun *bool) {
	c.Flags().BoolVar(dryRun, "dry-run", false, "have the API server check everything, and change nothing")
}

func (p *Plugin) importKeysCommand() *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use:   "keys FILE",
		Short: "Import keys from a list of their SHA-256 digests.",
		Long: `Import keys from a list of their SHA-256 digests.

FILE is CSV with a header, or a JSON array of objects; - is stdin. Fields: name, subject and digest;
and expires, description, prefix, scopes, roles, length, which may be missing. A key is recorded
as sha256:<hex> until its first rotation.

The digest of a key that a person chose, or of a short one, can be guessed. Keys whose length is
below 22 characters are refused.`,
		Example: `  kubectl keywright import keys keys.csv --dry-run
  kubectl keywright import keys keys.csv`,
		Args: console.Arguments(1, 1),
	}
	addDryRun(c, &dryRun)
	c.RunE = func(c *cobra.Command, args []string) error {
		keys, err := p.readList(args[0])
		if err != nil {
			return err
		}
		i, err := p.newImport(c.Context(), dryRun)
		if err != nil {
			return err
		}
		unknown := 0
		for k := range keys {
			if keys[k].Err == nil && keys[k].Length == 0 {
				unknown++
			}
			i.add(c.Context(), keyCandidate(&keys[k], p.Now()))
		}
		if unknown > 0 {
			p.Warnf("the length of %d keys is not known: the digest of a key that a person chose, or of one with fewer "+
				"than %d characters, can be guessed by everybody who may read it; rotate such keys soon",
				unknown, importfile.LeastLength)
		}
		return i.finish()
	}
	return c
}

func (p *Plugin) readList(path string) ([]importfile.Key, error) {
	in := p.Stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	keys, err := importfile.List(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// readSecret returns the secret of a JJI server, or nothing if no user has a key.
func (p *Plugin) readSecret(path string, users []importfile.User) (secret []byte, err error) {
	needed := false
	for _, u := range users {
		needed = needed || u.Err == nil && u.Admin
	}
	switch {
	case !needed:
		return nil, nil
	case path == "":
		return nil, console.Usagef("--secret-file is missing: the keys of admins need the secret of their server")
	case path == "-":
		line, err := p.ReadLine()
		return []byte(line), err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	// An editor ends the line.
	content, err := io.ReadAll(io.LimitReader(file, pepper.MaxLength+2))
	return trimLineBreak(content), err
}

// candidate is an object to import, with its key.
type candidate struct {
	// what names the item in messages.
	what   string
	object keyholder.Object
	// digest is nil for a user without a key.
	digest *pepper.Digest
	prefix string
	// skipped is why there is nothing to import, and err why it can't be.
	skipped string
	err     error
}

// apiObject returns the metadata of an object that the API manages.
func apiObject(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:   objects.ObjectName(name),
		Labels: map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI},
	}
}

func userCandidate(u importfile.User, pepperID string) candidate {
	c := candidate{what: "user " + u.Name, err: u.Err}
	role := v1alpha1.RoleUser
	if u.Admin {
		role, c.digest = v1alpha1.RoleAdmin, &pepper.Digest{PepperID: pepperID, Sum: u.Sum}
	}
	c.object = &v1alpha1.AdminUser{
		ObjectMeta: apiObject(u.Name),
		Spec:       v1alpha1.AdminUserSpec{Username: u.Name, Role: role, Delivery: v1alpha1.DeliveryResponse},
	}
	return c
}

func keyCandidate(k *importfile.Key, now time.Time) candidate {
	c := candidate{what: fmt.Sprintf("%d: key %s", k.Line, k.Name), err: k.Err, prefix: k.Prefix}
	if c.err != nil {
		return c
	}
	subject, known := v1alpha1.ParseSubject(k.Subject)
	if !known {
		c.err = fmt.Errorf("subject %q must be User/<name>, Account/<name> or Integration/<name>", k.Subject)
		return c
	}
	if !k.Expires.IsZero() && lifecycle.Ended(k.Expires, now) {
		c.skipped = "expired at " + k.Expires.UTC().Format(time.RFC3339)
	}
	o := &v1alpha1.APIKey{ObjectMeta: apiObject(k.Name)}
	o.Spec = v1alpha1.APIKeySpec{
		DisplayName: k.Name, Description: k.Description, Subject: subject, Delivery: v1alpha1.DeliveryResponse,
	}
	for _, scope := range k.Scopes {
		o.Spec.Scopes = append(o.Spec.Scopes, v1alpha1.Scope(scope))
	}
	for _, role := range k.Roles {
		o.Spec.Roles = append(o.Spec.Roles, v1alpha1.RoleName(role))
	}
	if !k.Expires.IsZero() {
		o.Spec.ExpiresAt = &metav1.Time{Time: k.Expires}
	}
	c.object, c.digest = o, &pepper.Digest{PepperID: pepper.Plain, Sum: k.Sum}
	return c
}

// newImport reads what is in the cluster.
func (p *Plugin) newImport(ctx context.Context, dryRun bool) (*importing, error) {
	c, err := p.client()
	if err != nil {
		return nil, err
	}
	all, err := p.all(ctx)
	if err != nil {
		return nil, err
	}
	return &importing{plugin: p, client: c, dryRun: dryRun, present: present(all)}, nil
}
