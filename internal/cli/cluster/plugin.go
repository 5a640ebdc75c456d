package cluster

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

// Plugin is the program and what its commands share.
type Plugin struct {
	console.Console
	Version string

	kube            *genericclioptions.ConfigFlags
	systemNamespace string
	output          string
	format          *output.Format
	cached          client.Client
}

// Run runs a command line without the program's name, and returns the exit code.
func (p *Plugin) Run(ctx context.Context, args []string) int {
	p.Interruptible(ctx)
	root := p.Command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return p.ExitCode(err, hintFor(err))
}

// hintFor returns what the user can do about an error, or "".
func hintFor(err error) string {
	switch {
	case errors.Is(err, errNoKinds):
		return "kubectl keywright doctor"
	case !apierrors.IsForbidden(err):
		return ""
	}
	// The API server says the scope, and who refuses, only in its text.
	switch text := err.Error(); {
	case strings.Contains(text, "ValidatingAdmissionPolicy"):
		return "an admission policy refuses this; docs/admission.md has the right for it, such as verb use on a subject"
	case strings.Contains(text, "at the cluster scope"):
		return "this needs a ClusterRoleBinding: of ClusterRole view to read, of edit to change keys"
	case strings.Contains(text, `resource "secrets"`):
		return "this needs a RoleBinding of ClusterRole edit or admin in the namespace: view has no Secrets"
	}
	return "this needs a RoleBinding in the namespace: of ClusterRole view to read, of edit to change keys"
}

// Command returns the tree of commands.
func (p *Plugin) Command() *cobra.Command {
	root := p.Root(&cobra.Command{
		Use:   Name,
		Short: "Work with Keywright's keys in a cluster.",
		Long: `Work with Keywright's keys in a cluster, with the rights of your own kubeconfig.

A key is named by its object: NAME or apikey/NAME for an APIKey, adminuser/NAME for an
AdminUser. No command prints a key: it is in its Secret.

The flags of kubectl work here, too: kubectl options lists those that are not shown.

Exit codes: 0 done, 1 refused or failed, 2 wrong command line.`,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl keywright"},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			format, err := output.Parse(p.output)
			if err != nil {
				return console.Usagef("%s", err)
			}
			p.format = format
			return nil
		},
	}, cmp.Or(p.Version, "dev"))
	p.kube = genericclioptions.NewConfigFlags(true)
	p.kube.AddFlags(root.PersistentFlags())
	hideFlags(root)
	// kubectl completes the plugin (CompletionName). A script for a program of this name would be of no use to it.
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().StringVar(&p.systemNamespace, "system-namespace", "keywright-system",
		"the namespace of Keywright and of AdminUsers")
	root.PersistentFlags().StringVarP(&p.output, "output", "o", output.Table,
		"table, wide, json, yaml, csv, name, jsonpath=…, go-template=…")
	p.registerCompletions(root)
	root.AddCommand(
		p.statusCommand(), p.listCommand(), p.waitCommand(), p.rotateCommand(),
		p.stateCommand("enable", v1alpha1.StateActive), p.stateCommand("disable", v1alpha1.StateDisabled),
		p.stateCommand("revoke", v1alpha1.StateRevoked), p.inspectCommand(), p.canCommand(), p.whoCanCommand(),
		p.explainRevokeCommand(), p.doctorCommand(), p.newCommand(), p.importCommand(),
		p.backupCommand(), p.restoreCommand(),
	)
	return root
}

// shownFlags are those of kubectl's that a help text shows. All would be three quarters of it.
var shownFlags = []string{"as", "context", "kubeconfig", "namespace", "request-timeout"}

// hideFlags hides the other flags of kubectl in help texts.
func hideFlags(root *cobra.Command) {
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = !slices.Contains(shownFlags, f.Name) })
}

// requestTime bounds each request to the API server.
const requestTime = 30 * time.Second

func (p *Plugin) restConfig() (*rest.Config, error) {
	config, err := p.kube.ToRESTConfig()
	if err != nil {
		return nil, p.unusable(err)
	}
	if config.Timeout == 0 {
		config.Timeout = requestTime
	}
	config.WarningHandler = rest.NoWarnings{}
	return config, nil
}

// client returns a client of the API server.
func (p *Plugin) client() (client.Client, error) {
	if p.cached != nil {
		return p.cached, nil
	}
	config, err := p.restConfig()
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	// Without a logger the library prints a warning and a stack after 30 seconds.
	log.SetLogger(logr.Discard())
	p.cached, err = client.New(config, client.Options{Scheme: scheme})
	return p.cached, plain(err)
}

// namespace returns the namespace of the command line, or of the kubeconfig.
func (p *Plugin) namespace() (string, error) {
	namespace, _, err := p.kube.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", p.unusable(err)
	}
	return namespace, nil
}

// unusable returns the error for a kubeconfig that can't be used.
func (p *Plugin) unusable(err error) error {
	if clientcmd.IsContextNotFound(err) {
		return console.Usagef("context %q does not exist", *p.kube.Context)
	}
	return console.Usagef("%s", err)
}

// errNoKinds is the error when the cluster has no such kinds.
var errNoKinds = errors.New("this cluster has no Keywright: its kinds are not installed")

// plain shortens errors of the API client for people.
func plain(err error) error {
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "no matches for kind"):
		return errNoKinds
	}
	return err
}
