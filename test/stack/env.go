package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// variables returns the environment that a person needs to work with this stack, as NAME=value and without PATH:
// kubectl's variables, and the server's URL and bootstrap key.
func (s *Stack) variables() []string {
	return append(s.kubectlVariables(),
		"KEYWRIGHT_URL="+s.ServerURL,
		"KEYWRIGHT_ADMIN_KEY="+s.BootstrapKey,
		// curl would ask a proxy for loopback addresses too.
		"no_proxy=127.0.0.1,"+os.Getenv("no_proxy"),
	)
}

// Environ returns this process's environment with KUBECONFIG, KEYWRIGHT_URL and KEYWRIGHT_ADMIN_KEY set, and kubectl in
// PATH.
func (s *Stack) Environ() []string {
	path := "PATH=" + s.Assets + string(filepath.ListSeparator) + os.Getenv("PATH")
	return append(append(os.Environ(), s.variables()...), path)
}

// WriteEnv writes a file for a shell to source, with the same variables as Environ. It contains the bootstrap key, so
// only its owner can read it.
func (s *Stack) WriteEnv(path string) error {
	return os.WriteFile(path, []byte(envText(s.Assets, s.variables())), 0o600)
}

// envText returns shell text that exports variables and puts a folder first in PATH.
func envText(folder string, variables []string) string {
	var text strings.Builder
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(&text, "export %s=%s\n", name, shellQuote(value))
	}
	fmt.Fprintf(&text, "export PATH=%s:\"$PATH\"\n", shellQuote(folder))
	return text.String()
}
