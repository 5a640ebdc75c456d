package kubeconfig

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Load reads the file at path if there is one, else the Pod's own identity, else the files of $KUBECONFIG. It never
// falls back to ~/.kube/config, which may name any cluster. Its errors are for a person to read.
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

// fromEnvironment returns the files of $KUBECONFIG.
func fromEnvironment() []string {
	files := filepath.SplitList(os.Getenv("KUBECONFIG"))
	return slices.DeleteFunc(files, func(file string) bool { return file == "" })
}

// noCluster reports the problem with each file: clientcmd ignores missing ones.
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

// emptiness returns why a file names no cluster: it is missing, or nothing is in it.
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

// Unreachable returns the address and the cause for a request that got no answer. It returns any other error, such as
// the API server's own, unchanged.
func Unreachable(err error) error {
	var request *url.Error
	if !errors.As(err, &request) {
		return err
	}
	address := request.URL
	if parsed, parseErr := url.Parse(request.URL); parseErr == nil {
		address = parsed.Scheme + "://" + parsed.Host
	}
	return fmt.Errorf("can't reach the API server at %s: %w", address, cause(request.Err))
}

// cause removes the system call from an error.
func cause(err error) error {
	var operation *net.OpError
	if errors.As(err, &operation) {
		err = operation.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}
