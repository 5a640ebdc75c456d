package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/cluster/archive"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/config"
)

// backupFlags say what a backup has besides objects and settings.
type backupFlags struct{ secrets, pepper, force bool }

func (p *Plugin) backupCommand() *cobra.Command {
	var f backupFlags
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write everything that a new cluster needs to accept the same keys into a file.",
		Long: `Write everything that a new cluster needs to accept the same keys into a file: AdminUsers and
APIKeys with their status, AccessRoles, their bindings and the settings. restore reads it.

Secrets are in it by choice only. Without the pepper no key can be verified: back it up
here, by --pepper, or apart. The SQL database is not in it: docs/backup.md says how.`,
		Example: `  kubectl keywright backup keywright.json --pepper
  kubectl keywright backup keywright.json --pepper --secrets`,
		Args: console.Arguments(1, 1),
	}
	c.Flags().BoolVar(&f.pepper, "pepper", false, "include the pepper, by which every key is verified")
	c.Flags().BoolVar(&f.secrets, "secrets", false,
		"include Secrets in plaintext: of keys, of the bootstrap key, of the database")
	c.Flags().BoolVar(&f.force, "force", false, "replace the file if it exists")
	c.RunE = func(c *cobra.Command, args []string) error { return p.backup(c.Context(), args[0], f) }
	return c
}

func (p *Plugin) backup(ctx context.Context, path string, f backupFlags) error {
	if _, err := os.Lstat(path); err == nil && !f.force {
		return console.Usagef("%s exists: --force replaces it", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return console.Usagef("%s", err)
	}
	a, err := p.collect(ctx, f)
	if err != nil {
		return plain(err)
	}
	text, err := a.Encode()
	if err != nil {
		return err
	}
	if err := writeWhole(path, text); err != nil {
		return err
	}
	if !f.pepper {
		p.Warnf("Secret %s is not in the backup: without it no key is accepted again. --pepper includes it",
			v1alpha1.PepperSecret)
	}
	if f.secrets {
		p.Warnf("%s has keys in plaintext: keep it as you keep them", path)
	}
	p.Notef("The database with sessions and the audit trail is not in the backup.")
	p.Printf("%s: %s\n", path, counted(a.Items))
	return nil
}

// writeWhole writes a file for its owner only, all of it or nothing.
func writeWhole(path string, text []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".keywright-backup-")
	if err != nil {
		return err
	}
	// It is gone after the rename.
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(text)
	if err == nil {
		err = temporary.Sync()
	}
	if err := errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// counted describes objects by kind.
func counted(items []*unstructured.Unstructured) string {
	var kinds []string
	number := map[string]int{}
	for _, o := range items {
		number[o.GetKind()]++
		if number[o.GetKind()] == 1 {
			kinds = append(kinds, o.GetKind())
		}
	}
	text := "nothing"
	for i, kind := range kinds {
		if i == 0 {
			text = ""
		} else {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", number[kind], kind)
	}
	return text
}

// collector reads the objects of a backup.
type collector struct {
	*Plugin
	client.Client
	items []*unstructured.Unstructured
}

// collect returns the objects in the order of a restore: what others depend on comes first.
func (p *Plugin) collect(ctx context.Context, f backupFlags) (*archive.Archive, error) {
	cl, err := p.client()
	if err != nil {
		return nil, err
	}
	uid, err := clusterID(ctx, cl)
	if err != nil {
		return nil, err
	}
	c := &collector{Plugin: p, Client: cl}
	for _, kind := range []string{"AccessRole", "AccessRoleBinding"} {
		if err := c.list(ctx, kind, ""); err != nil {
			return nil, err
		}
	}
	if err := c.settings(ctx); err != nil {
		return nil, err
	}
	if f.pepper {
		if err := c.secret(ctx, p.systemNamespace, v1alpha1.PepperSecret); err != nil {
			return nil, err
		}
	}
	first := len(c.items)
	if err := c.list(ctx, "AdminUser", p.systemNamespace); err != nil {
		return nil, err
	}
	if err := c.list(ctx, "APIKey", ""); err != nil {
		return nil, err
	}
	if f.secrets {
		if err := c.secrets(ctx, c.items[first:]); err != nil {
			return nil, err
		}
	}
	return &archive.Archive{
		Head:  archive.Head{CreatedAt: p.Now().UTC(), Cluster: uid, SystemNamespace: p.systemNamespace},
		Items: c.items,
	}, nil
}

// clusterID returns the uid of namespace kube-system, which differs between clusters.
func clusterID(ctx context.Context, cl client.Reader) (string, error) {
	namespace := &corev1.Namespace{}
	err := cl.Get(ctx, client.ObjectKey{Name: "kube-system"}, namespace)
	return string(namespace.UID), err
}

// listPage bounds the objects in one reply of the API server.
const listPage = 500

// list adds the objects of a kind, but not those that are being deleted.
func (c *collector) list(ctx context.Context, kind, namespace string) error {
	for next := ""; ; {
		page := &unstructured.UnstructuredList{}
		page.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind + "List"))
		options := []client.ListOption{client.InNamespace(namespace), client.Limit(listPage), client.Continue(next)}
		if err := c.List(ctx, page, options...); err != nil {
			return err
		}
		for i := range page.Items {
			if o := &page.Items[i]; o.GetDeletionTimestamp() == nil {
				c.items = append(c.items, archive.Strip(o))
			}
		}
		if next = page.GetContinue(); next == "" {
			return nil
		}
	}
}

// settings adds the ConfigMaps of the configuration: what people wrote, and what the servers run. The second makes them
// work before the operator does, and has the digests of bootstrap keys that were replaced.
func (c *collector) settings(ctx context.Context) error {
	for _, name := range []string{v1alpha1.ConfigMapConfig, v1alpha1.ConfigMapRuntime} {
		if err := c.add(ctx, "ConfigMap", c.systemNamespace, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) secret(ctx context.Context, namespace, name string) error {
	return c.add(ctx, "Secret", namespace, name)
}

// add adds a core object. One that does not exist is left out, and named.
func (c *collector) add(ctx context.Context, kind, namespace, name string) error {
	o, err := readObject(ctx, c, corev1.SchemeGroupVersion.WithKind(kind), namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		c.Notef("%s %s/%s does not exist.", kind, namespace, name)
		return nil
	case err != nil:
		return err
	}
	c.items = append(c.items, archive.Strip(o))
	return nil
}

func readObject(
	ctx context.Context, cl client.Reader, kind schema.GroupVersionKind, namespace, name string,
) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(kind)
	return o, cl.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o)
}

// secrets adds the Secrets of these key objects, of the bootstrap key and of the database.
func (c *collector) secrets(ctx context.Context, holders []*unstructured.Unstructured) error {
	for _, name := range []func(context.Context) (string, error){c.bootstrapSecret, c.databaseSecret} {
		found, err := name(ctx)
		if err != nil {
			return err
		}
		if found != "" {
			if err := c.secret(ctx, c.systemNamespace, found); err != nil {
				return err
			}
		}
	}
	for _, holder := range holders {
		if err := c.keySecret(ctx, holder); err != nil {
			return err
		}
	}
	return nil
}

// keySecret adds the Secret of a key object. If the key was rotated since the object was read, the object is read
// again: the two belong together.
func (c *collector) keySecret(ctx context.Context, holder *unstructured.Unstructured) error {
	name, _, _ := unstructured.NestedString(holder.Object, "status", "secretName")
	if name == "" {
		return nil
	}
	before := len(c.items)
	if err := c.secret(ctx, holder.GetNamespace(), name); err != nil || len(c.items) == before {
		return err
	}
	keyID := c.items[before].GetAnnotations()[v1alpha1.AnnotationKeyID]
	if keyID == "" || keyID == currentKeyID(holder) {
		return nil
	}
	again, err := readObject(ctx, c, holder.GroupVersionKind(), holder.GetNamespace(), holder.GetName())
	if err == nil {
		holder.Object = archive.Strip(again).Object
	}
	return client.IgnoreNotFound(err)
}

func currentKeyID(holder *unstructured.Unstructured) string {
	keys, _, _ := unstructured.NestedSlice(holder.Object, "status", "keys")
	for _, k := range keys {
		if fields, isMap := k.(map[string]any); isMap && fields["state"] == string(v1alpha1.KeyCurrent) {
			id, _ := fields["id"].(string)
			return id
		}
	}
	return ""
}

// bootstrapSecret returns the name of the Secret that the configuration names, or "".
func (c *collector) bootstrapSecret(context.Context) (string, error) {
	i := slices.IndexFunc(c.items, func(o *unstructured.Unstructured) bool {
		return o.GetKind() == "ConfigMap" && o.GetName() == v1alpha1.ConfigMapConfig
	})
	if i < 0 {
		return "", nil
	}
	data, _, _ := unstructured.NestedStringMap(c.items[i].Object, "data")
	parsed, _ := config.Parse(data)
	if parsed.AdminKeySecret == nil {
		return "", nil
	}
	return parsed.AdminKeySecret.Name, nil
}

// databaseSecret returns the name of the Secret with the URL of the database, or "".
func (c *collector) databaseSecret(ctx context.Context) (string, error) {
	deployment := &appsv1.Deployment{}
	err := c.Get(ctx, client.ObjectKey{Namespace: c.systemNamespace, Name: serverName}, deployment)
	for _, container := range deployment.Spec.Template.Spec.Containers {
		for _, variable := range container.Env {
			if from := variable.ValueFrom; variable.Name == databaseVariable && from != nil && from.SecretKeyRef != nil {
				return from.SecretKeyRef.Name, nil
			}
		}
	}
	return "", client.IgnoreNotFound(err)
}

// databaseVariable is the variable with the URL of the database, in the Deployment of the server.
const databaseVariable = "KEYWRIGHT_DATABASE_URL"
