package cluster

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// newFlags say what a new object is like.
type newFlags struct {
	dryRun                      string
	subject, every, ttl, secret string
	scopes, roles               []string
}

func (p *Plugin) newCommand() *cobra.Command {
	group := console.Group(&cobra.Command{Use: "new", Short: "Create an APIKey or AdminUser, or print its manifest."})
	group.AddCommand(p.newAPIKeyCommand(), p.newAdminUserCommand())
	return group
}

// Values of --dry-run, as kubectl has them.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

var dryRuns = []string{dryRunNone, dryRunClient, dryRunServer}

func (f *newFlags) addTo(c *cobra.Command) {
	c.Flags().StringVar(&f.dryRun, "dry-run", dryRunNone,
		"client: print the manifest, and send nothing; server: have the API server check it, and create nothing")
	c.Flags().Lookup("dry-run").NoOptDefVal = dryRunClient
	_ = c.RegisterFlagCompletionFunc("dry-run", fixed(dryRuns))
	c.Flags().StringVar(&f.every, "rotate-every", "", "how often a new key is issued: 2160h")
	c.Flags().StringVar(&f.secret, "secret", "", "name of the Secret that gets the key")
}

func (p *Plugin) newAPIKeyCommand() *cobra.Command {
	var f newFlags
	c := &cobra.Command{
		Use:   "apikey NAME --subject KIND/NAME",
		Short: "Create an APIKey, or print its manifest.",
		Example: `  kubectl keywright new apikey ci --subject Account/team-ci --scope certs.read --rotate-every 24h --dry-run -o yaml
  kubectl keywright new apikey nightly --subject Account/team-ci --ttl 720h`,
		Args: console.Arguments(1, 1),
	}
	f.addTo(c)
	c.Flags().StringVar(&f.subject, "subject", "", "who the key speaks as: User/…, Account/… or Integration/…")
	c.Flags().StringSliceVar(&f.scopes, "scope", nil, "an action that the key may do; may be repeated")
	c.Flags().StringSliceVar(&f.roles, "role", nil, "an AccessRole; may be repeated")
	c.Flags().StringVar(&f.ttl, "ttl", "", "how long a key lasts: 720h")
	_ = c.RegisterFlagCompletionFunc("role", p.completeNames(-1, roleList, false))
	_ = c.RegisterFlagCompletionFunc("subject", cobra.FixedCompletions(
		[]string{"User/", "Account/", "Integration/"}, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	c.RunE = func(c *cobra.Command, args []string) error {
		o, err := f.apiKey(args[0])
		if err != nil {
			return err
		}
		if o.Namespace, err = p.namespace(); err != nil {
			return err
		}
		return p.create(c, o, f.dryRun)
	}
	return c
}

func (f *newFlags) apiKey(name string) (*v1alpha1.APIKey, error) {
	subject, known := v1alpha1.ParseSubject(f.subject)
	if !known {
		return nil, console.Usagef("--subject %q must be User/<name>, Account/<name> or Integration/<name>", f.subject)
	}
	o := &v1alpha1.APIKey{TypeMeta: typeOf(keyholder.APIKey), ObjectMeta: metav1.ObjectMeta{Name: name}}
	o.Spec.Subject = subject
	for _, scope := range f.scopes {
		o.Spec.Scopes = append(o.Spec.Scopes, v1alpha1.Scope(scope))
	}
	for _, role := range f.roles {
		o.Spec.Roles = append(o.Spec.Roles, v1alpha1.RoleName(role))
	}
	if f.ttl != "" {
		ttl, err := wholeSeconds("ttl", f.ttl)
		if err != nil {
			return nil, err
		}
		o.Spec.TTL = ttl
	}
	if f.secret != "" {
		o.Spec.Secret = &v1alpha1.APIKeySecret{SecretTemplate: v1alpha1.SecretTemplate{Name: f.secret}}
	}
	rotation, err := f.rotation()
	o.Spec.Rotation = rotation
	return o, err
}

func typeOf(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: kind}
}

func (f *newFlags) rotation() (*v1alpha1.Rotation, error) {
	if f.every == "" {
		return nil, nil
	}
	every, err := wholeSeconds("rotate-every", f.every)
	return &v1alpha1.Rotation{Every: every}, err
}

// wholeSeconds reads a time as manifests have it.
func wholeSeconds(flag, text string) (*v1alpha1.Duration, error) {
	d, err := parseSpan(flag, text)
	if err != nil {
		return nil, err
	}
	written := v1alpha1.Duration(d.Truncate(time.Second).String())
	return &written, nil
}

func (p *Plugin) newAdminUserCommand() *cobra.Command {
	var f newFlags
	c := &cobra.Command{
		Use:     "adminuser NAME",
		Short:   "Create an AdminUser, or print its manifest.",
		Example: `  kubectl keywright new adminuser alice --rotate-every 2160h --dry-run -o yaml`,
		Args:    console.Arguments(1, 1),
	}
	f.addTo(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o := &v1alpha1.AdminUser{TypeMeta: typeOf(keyholder.AdminUser)}
		o.Name, o.Namespace = args[0], p.systemNamespace
		if f.secret != "" {
			o.Spec.Secret = &v1alpha1.AdminUserSecret{SecretTemplate: v1alpha1.SecretTemplate{Name: f.secret}}
		}
		rotation, err := f.rotation()
		if err != nil {
			return err
		}
		o.Spec.Rotation = rotation
		return p.create(c, o, f.dryRun)
	}
	return c
}

func (p *Plugin) create(c *cobra.Command, o keyholder.Object, dryRun string) error {
	switch {
	case !slices.Contains(dryRuns, dryRun):
		return console.Usagef("--dry-run %q must be one of %s", dryRun, strings.Join(dryRuns, ", "))
	case dryRun == dryRunClient:
		// A manifest in a table would be of no use.
		format := p.format
		if format.ForPeople() {
			var err error
			if format, err = output.Parse(output.YAML); err != nil {
				return err
			}
		}
		return output.One(p.Stdout, 0, format, &output.View[any]{Name: func(any) string { return o.GetName() }}, manifest(o))
	}
	cl, err := p.client()
	if err != nil {
		return err
	}
	options := []client.CreateOption{client.FieldOwner(v1alpha1.IncidentFieldManager)}
	said := "is created"
	if dryRun == dryRunServer {
		options, said = append(options, client.DryRunAll), "would be created"
	}
	if err := cl.Create(c.Context(), o, options...); err != nil {
		return plain(err)
	}
	p.Printf("%s %s\n", describe(o), said)
	return nil
}

// manifest returns an object without its status.
func manifest(o keyholder.Object) any {
	metadata := struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	}{o.GetName(), o.GetNamespace()}
	head := typeOf(keyholder.KindOf(o))
	m := struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        any `json:"metadata"`
		Spec            any `json:"spec"`
	}{TypeMeta: head, Metadata: metadata}
	switch o := o.(type) {
	case *v1alpha1.APIKey:
		m.Spec = o.Spec
	case *v1alpha1.AdminUser:
		m.Spec = o.Spec
	}
	return m
}
