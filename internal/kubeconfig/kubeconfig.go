// Package kubeconfig finds the API server and the identity to reach it with: one order for every program.
package kubeconfig

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Load uses the file at path if one is given, else the Pod's own identity, else the files of $KUBECONFIG. A
// developer's ~/.kube/config is not used unasked: it may be any cluster. Its errors are for a person to read.
func Load(path string) (*rest.Config, error) {
	if path == "" {
		if config, err := rest.InClusterConfig(); err == nil {
			return config, nil
		}
	}
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: path}
	if value := os.Getenv("KUBECONFIG"); value != "" {
		rules.Precedence = strings.Split(value, string(os.PathListSeparator))
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, errors.New("no kubeconfig that names a cluster: give --kubeconfig, set KUBECONFIG, or run in a cluster")
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return config, nil
}
