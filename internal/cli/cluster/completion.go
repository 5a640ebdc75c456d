package cluster

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// The names of the program as a plugin of kubectl. kubectl calls the second to complete a command line, with the words
// after its own name for the plugin.
const (
	Name           = "kubectl-keywright"
	CompletionName = "kubectl_complete-keywright"
)

// Arguments returns the arguments of a process, and reports whether its name is one of the plugin.
func Arguments(process []string) (args []string, isPlugin bool) {
	name := strings.TrimSuffix(filepath.Base(process[0]), ".exe")
	if name == CompletionName {
		return append([]string{cobra.ShellCompRequestCmd}, process[1:]...), true
	}
	return process[1:], name == Name
}

// completionTime bounds how long a shell waits for words.
const completionTime = 5 * time.Second

// complete offers the words that ask returns. Nothing is reported: a message would garble the command line.
func complete(most int, ask func(context.Context) ([]string, error)) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if most >= 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(c.Context(), completionTime)
		defer cancel()
		words, err := ask(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.DeleteFunc(words, func(word string) bool {
			return !strings.HasPrefix(word, begun) || slices.Contains(args, word)
		}), cobra.ShellCompDirectiveNoFileComp
	}
}

// fixed offers words that do not depend on the cluster.
func fixed(words []string) cobra.CompletionFunc {
	return complete(-1, func(context.Context) ([]string, error) { return slices.Clone(words), nil })
}

// completeKeys offers the names of key objects as the first arguments, at most so many; -1 for any number.
func (p *Plugin) completeKeys(most int) cobra.CompletionFunc {
	return complete(most, func(ctx context.Context) ([]string, error) {
		namespace, err := p.namespace()
		if err != nil {
			return nil, err
		}
		all, _, err := p.readable(ctx, namespace)
		var names []string
		for _, o := range all {
			names = append(names, argumentOf(o))
		}
		return names, err
	})
}

// argumentOf returns how an object is named on the command line.
func argumentOf(o keyholder.Object) string {
	if keyholder.KindOf(o) == keyholder.AdminUser {
		return "adminuser/" + o.GetName()
	}
	return o.GetName()
}

// completeNames offers the names of the objects of a kind: of the namespace of the command line, or of the cluster.
func (p *Plugin) completeNames(most int, version metav1.TypeMeta, namespaced bool) cobra.CompletionFunc {
	return complete(most, func(ctx context.Context) ([]string, error) {
		c, err := p.client()
		if err != nil {
			return nil, err
		}
		var in []client.ListOption
		if namespaced {
			namespace, err := p.namespace()
			if err != nil {
				return nil, err
			}
			in = append(in, client.InNamespace(namespace))
		}
		// The names are enough: Secrets are not read.
		list := &metav1.PartialObjectMetadataList{TypeMeta: version}
		if err := c.List(ctx, list, in...); err != nil {
			return nil, err
		}
		var names []string
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		return names, nil
	})
}

var (
	secretList    = metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}
	namespaceList = metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}
	roleList      = metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "AccessRoleList"}
)

type kubeconfig = clientcmdapi.Config

func sortedNames[V any](entries map[string]V) []string { return slices.Sorted(maps.Keys(entries)) }

// completeKubeconfig offers names of the kubeconfig.
func (p *Plugin) completeKubeconfig(names func(c *kubeconfig) []string) cobra.CompletionFunc {
	return complete(-1, func(context.Context) ([]string, error) {
		config, err := p.kube.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, err
		}
		return names(&config), nil
	})
}

// registerCompletions completes the flags of every command.
func (p *Plugin) registerCompletions(root *cobra.Command) {
	for flag, words := range map[string]cobra.CompletionFunc{
		"output":           fixed(formats),
		"namespace":        p.completeNames(-1, namespaceList, false),
		"system-namespace": p.completeNames(-1, namespaceList, false),
		"context":          p.completeKubeconfig(func(c *kubeconfig) []string { return sortedNames(c.Contexts) }),
		"cluster":          p.completeKubeconfig(func(c *kubeconfig) []string { return sortedNames(c.Clusters) }),
		"user":             p.completeKubeconfig(func(c *kubeconfig) []string { return sortedNames(c.AuthInfos) }),
	} {
		_ = root.RegisterFlagCompletionFunc(flag, words)
	}
}

// formats are those of --output that make sense for objects: this program has no key to print.
var formats = slices.DeleteFunc(slices.Clone(output.Formats), func(name string) bool { return name == output.Key })
