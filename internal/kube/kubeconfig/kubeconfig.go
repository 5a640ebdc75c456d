package kubeconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: path, Precedence: fromEnvironment()}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err) && path != "":
		return nil, fmt.Errorf("--kubeconfig names no cluster: %s", emptiness(path))
	case clientcmd.IsEmptyConfig(err):
		return nil, noCluster(rules.Precedence)
	case err != nil:
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return config, nil
}

// fromEnvironment are the files of $KUBECONFIG.
func fromEnvironment() []string {
	files := filepath.SplitList(os.Getenv("KUBECONFIG"))
	return slices.DeleteFunc(files, func(file string) bool { return file == "" })
}

// noCluster says what is the matter with each file: clientcmd passes over one that is not there.
func noCluster(files []string) error {
	if len(files) == 0 {
		return errors.New("no kubeconfig that names a cluster: give --kubeconfig, set KUBECONFIG, or run in a cluster")
	}
	problems := make([]string, 0, len(files))
	for _, file := range files {
		problems = append(problems, emptiness(file))
	}
	return fmt.Errorf("KUBECONFIG names no cluster: %s", strings.Join(problems, "; "))
}

// emptiness is why nothing was found in a file that could be read, or that was passed over.
func emptiness(file string) string {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return err.Error()
	case info.Size() == 0:
		return file + " is empty"
	}
	return file + " has none in it"
}
