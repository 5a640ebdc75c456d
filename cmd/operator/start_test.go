package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// asOperator is the environment variable that makes the test binary run the operator.
const asOperator = "KEYWRIGHT_TEST_AS_OPERATOR"

func TestMain(m *testing.M) {
	if os.Getenv(asOperator) != "" {
		main()
	}
	os.Exit(m.Run())
}

// command returns the operator as a separate process, because it sets global loggers.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asOperator+"=yes")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd
}

// start runs the operator until it exits.
func start(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	cmd := command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return -1, "", err.Error()
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// clearEnv isolates the test from the environment.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{"KUBECONFIG", "POD_NAMESPACE", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"} {
		t.Setenv(name, "")
	}
}

// expectExit checks that the operator exits with this code and a single line that contains message.
func expectExit(t *testing.T, want int, message string, args ...string) {
	t.Helper()
	args = append([]string{"--metrics-bind-address=0", "--health-probe-bind-address=0"}, args...)
	code, stdout, stderr := start(t.Context(), args...)
	if code != want || stdout != "" {
		t.Errorf("exited with %d, stdout %q", code, stdout)
	}
	isLine := strings.Count(stderr, "\n") == 1 && strings.HasSuffix(stderr, "\n")
	if !strings.HasPrefix(stderr, "keywright-operator: ") || !isLine {
		t.Errorf("not one line: %s", stderr)
	}
	if !strings.Contains(stderr, message) {
		t.Errorf("got %s want %s", stderr, message)
	}
}

func TestOperator_RefusesInvalidFlags(t *testing.T) {
	clearEnv(t)
	for name, c := range map[string]struct {
		args    []string
		message string
	}{
		"an unknown flag":          {[]string{"--nope"}, "unknown flag: --nope (see --help)"},
		"an unknown short flag":    {[]string{"-x"}, "unknown shorthand flag: 'x' in -x"},
		"a flag without its value": {[]string{"--namespace"}, "flag needs an argument: --namespace"},
		"an argument":              {[]string{"serve"}, `unexpected argument "serve"`},
		"an unknown log level":     {[]string{"--log-level=trace"}, `--log-level "trace" is not one of debug, info, warn, error`},
		"an invalid namespace":     {[]string{"--namespace=A b"}, `--namespace "A b": a lowercase RFC 1123 label`},
		"no worker":                {[]string{"--concurrency=0"}, "--concurrency must be at least 1"},
		"an invalid number":        {[]string{"--concurrency=many"}, `invalid argument "many" for "--concurrency" flag`},
		"an invalid boolean":       {[]string{"--leader-elect=perhaps"}, `invalid argument "perhaps" for "--leader-elect" flag`},
	} {
		t.Run(name, func(t *testing.T) { expectExit(t, 2, c.message, c.args...) })
	}
	t.Run("an invalid namespace of the Pod", func(t *testing.T) {
		t.Setenv("POD_NAMESPACE", "A b")
		expectExit(t, 2, `--namespace "A b"`)
	})
}

func TestOperator_PrintsHelpAndVersionToStdout(t *testing.T) {
	clearEnv(t)
	for flag, text := range map[string]string{
		"--help": "Usage: keywright-operator [flags]", "-h": "--kubeconfig string", "--version": "keywright-operator dev\n",
	} {
		if code, stdout, stderr := start(t.Context(), flag); code != 0 || stderr != "" || !strings.Contains(stdout, text) {
			t.Errorf("%s exited with %d, stdout %q, stderr %q", flag, code, stdout, stderr)
		}
	}
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kubeconfigOf writes a kubeconfig file.
func kubeconfigOf(t *testing.T, config *rest.Config) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: config.BearerToken}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "c",
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// closedPort returns an address without a listener.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestOperator_ExitsWithoutAPIServer(t *testing.T) {
	clearEnv(t)
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	closed := closedPort(t)
	contextless := `{"apiVersion":"v1","kind":"Config","current-context":"x"}`
	for name, c := range map[string]struct{ kubeconfig, message string }{
		"a missing file":            {filepath.Join(t.TempDir(), "nowhere"), "nowhere: no such file or directory"},
		"a directory":               {t.TempDir(), "is a directory"},
		"an unreadable file":        {write(t, "{no YAML"), "kubeconfig: error loading config file"},
		"a file of another kind":    {write(t, `{"apiVersion":"v1","kind":"Pod"}`), `no kind "Pod" is registered`},
		"an empty file":             {write(t, ""), "kubeconfig is empty"},
		"a context that is missing": {write(t, contextless), "context was not found for specified context: x"},
		"a closed port": {
			kubeconfigOf(t, &rest.Config{Host: "https://" + closed}),
			"keywright-operator: can't reach the API server at https://" + closed + ": connection refused\n",
		},
		"another server": {
			kubeconfigOf(t, &rest.Config{Host: other.URL}),
			"can't reach the API server at " + other.URL + ": tls: failed to verify certificate",
		},
		"an unknown host": {
			kubeconfigOf(t, &rest.Config{Host: "https://no-such-host.invalid"}),
			"can't reach the API server at https://no-such-host.invalid: ",
		},
	} {
		t.Run(name, func(t *testing.T) { expectExit(t, 1, c.message, "--kubeconfig="+c.kubeconfig) })
	}
	t.Run("no kubeconfig", func(t *testing.T) {
		expectExit(t, 1, "no kubeconfig that names a cluster: give --kubeconfig")
	})
	t.Run("$KUBECONFIG with a missing file", func(t *testing.T) {
		t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "nowhere"))
		expectExit(t, 1, "nowhere: no such file or directory")
	})
	t.Run("an invalid probe address", func(t *testing.T) {
		kubeconfig := kubeconfigOf(t, &rest.Config{Host: serveDiscovery(t)})
		expectExit(t, 1, "address bad: missing port", "--kubeconfig="+kubeconfig, "--health-probe-bind-address=bad")
	})
}

// serveDiscovery returns the address of an API server that serves discovery for the operator's kinds, but no objects.
func serveDiscovery(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/api":
			_, _ = w.Write([]byte(`{"kind":"APIVersions","versions":["v1"]}`))
		case "/apis":
			_, _ = w.Write([]byte(`{"kind":"APIGroupList","apiVersion":"v1","groups":[
				{"name":"keywright.dev","versions":[{"groupVersion":"keywright.dev/v1alpha1","version":"v1alpha1"}]}]}`))
		case "/apis/keywright.dev/v1alpha1":
			_, _ = w.Write([]byte(`{"kind":"APIResourceList","groupVersion":"keywright.dev/v1alpha1","resources":[
				{"name":"adminusers","kind":"AdminUser","namespaced":true,"verbs":["get"]},
				{"name":"apikeys","kind":"APIKey","namespaced":true,"verbs":["get"]},
				{"name":"accessrolebindings","kind":"AccessRoleBinding","namespaced":false,"verbs":["get"]}]}`))
		case "/api/v1":
			_, _ = w.Write([]byte(`{"kind":"APIResourceList","groupVersion":"v1","resources":[
				{"name":"secrets","kind":"Secret","namespaced":true,"verbs":["get"]}]}`))
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// An API server that accepts connections and never replies must not delay the exit until client-go's timeouts,
// which are longer or missing.
func TestOperator_ExitsWithSilentAPIServer(t *testing.T) {
	clearEnv(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if startTimeout > 15*time.Second {
		t.Errorf("startTimeout is %v", startTimeout)
	}
	for _, scheme := range []string{"http", "https"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		begun := time.Now()
		code, _, stderr := start(ctx, "--metrics-bind-address=0", "--health-probe-bind-address=0",
			"--kubeconfig="+kubeconfigOf(t, &rest.Config{Host: scheme + "://" + listener.Addr().String()}))
		cancel()
		took := time.Since(begun)
		if code != 1 || !strings.Contains(stderr, "can't reach the API server at "+scheme) || took > 5*time.Second {
			t.Errorf("%s: exited with %d after %v: %s", scheme, code, took, stderr)
		}
	}
}
