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

// asOperator in the environment makes the test binary the operator.
const asOperator = "KEYWRIGHT_TEST_AS_OPERATOR"

func TestMain(m *testing.M) {
	if os.Getenv(asOperator) != "" {
		main()
	}
	os.Exit(m.Run())
}

// command is the operator as a process of its own: it sets loggers that a process has one of.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asOperator+"=yes")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd
}

// start runs the operator until it ends by itself.
func start(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	cmd := command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return -1, "", err.Error()
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// quietly keeps the environment of whoever runs the tests out of them.
func quietly(t *testing.T) {
	t.Helper()
	for _, name := range []string{"KUBECONFIG", "POD_NAMESPACE", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"} {
		t.Setenv(name, "")
	}
}

// refusesToStart: it says what is wrong, in one line, and ends with this code.
func refusesToStart(t *testing.T, want int, says string, args ...string) {
	t.Helper()
	code, stdout, stderr := start(t.Context(), append([]string{"--metrics-bind-address=0", "--health-probe-bind-address=0"}, args...)...)
	if code != want || stdout != "" {
		t.Errorf("ended with %d and told stdout %q", code, stdout)
	}
	if !strings.HasPrefix(stderr, "keywright-operator: ") || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
		t.Errorf("not one line: %s", stderr)
	}
	if !strings.Contains(stderr, says) {
		t.Errorf("got %s want %s", stderr, says)
	}
}

func TestWrongUsage(t *testing.T) {
	quietly(t)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"an unknown flag":             {[]string{"--nope"}, "unknown flag: --nope (see --help)"},
		"an unknown short flag":       {[]string{"-x"}, "unknown shorthand flag: 'x' in -x"},
		"a flag without its value":    {[]string{"--namespace"}, "flag needs an argument: --namespace"},
		"an argument":                 {[]string{"serve"}, `unexpected argument "serve"`},
		"an unknown log level":        {[]string{"--log-level=trace"}, `--log-level "trace" is not one of debug, info, error`},
		"no namespace's name":         {[]string{"--namespace=A b"}, `--namespace "A b": a lowercase RFC 1123 label`},
		"nobody at work":              {[]string{"--concurrency=0"}, "--concurrency must be at least 1"},
		"a number that is none":       {[]string{"--concurrency=many"}, `invalid argument "many" for "--concurrency" flag`},
		"a yes or no that is neither": {[]string{"--leader-elect=perhaps"}, `invalid argument "perhaps" for "--leader-elect" flag`},
	} {
		t.Run(name, func(t *testing.T) { refusesToStart(t, 2, c.says, c.args...) })
	}
	t.Run("a Pod's namespace that is none", func(t *testing.T) {
		t.Setenv("POD_NAMESPACE", "A b")
		refusesToStart(t, 2, `--namespace "A b"`)
	})
}

func TestHelpAndVersionGoToStdout(t *testing.T) {
	quietly(t)
	for flag, says := range map[string]string{
		"--help": "Usage: keywright-operator [flags]", "-h": "--kubeconfig string", "--version": "keywright-operator dev\n",
	} {
		if code, stdout, stderr := start(t.Context(), flag); code != 0 || stderr != "" || !strings.Contains(stdout, says) {
			t.Errorf("%s ended with %d, stdout %q, stderr %q", flag, code, stdout, stderr)
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

// kubeconfigOf writes a way to an API server into a file.
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

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestWithoutAWayToTheAPIServer(t *testing.T) {
	quietly(t)
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	defer stranger.Close()
	closed := closedPort(t)
	for name, c := range map[string]struct{ kubeconfig, says string }{
		"a file that is not there":   {filepath.Join(t.TempDir(), "nowhere"), "nowhere: no such file or directory"},
		"a file that is none":        {t.TempDir(), "is a directory"},
		"a file of something else":   {write(t, "{no YAML"), "kubeconfig: error loading config file"},
		"a file of another kind":     {write(t, `{"apiVersion":"v1","kind":"Pod"}`), `no kind "Pod" is registered`},
		"an empty file":              {write(t, ""), "kubeconfig is empty"},
		"a context that is missing":  {write(t, `{"apiVersion":"v1","kind":"Config","current-context":"x"}`), "context was not found for specified context: x"},
		"nobody at the address":      {kubeconfigOf(t, &rest.Config{Host: "https://" + closed}), "keywright-operator: can't reach the API server at https://" + closed + ": connection refused\n"},
		"somebody else's address":    {kubeconfigOf(t, &rest.Config{Host: stranger.URL}), "can't reach the API server at " + stranger.URL + ": tls: failed to verify certificate"},
		"an address that is no name": {kubeconfigOf(t, &rest.Config{Host: "https://no-such-host.invalid"}), "can't reach the API server at https://no-such-host.invalid: "},
	} {
		t.Run(name, func(t *testing.T) { refusesToStart(t, 1, c.says, "--kubeconfig="+c.kubeconfig) })
	}
	t.Run("no file at all", func(t *testing.T) { refusesToStart(t, 1, "no kubeconfig that names a cluster: give --kubeconfig") })
	t.Run("$KUBECONFIG that is not there", func(t *testing.T) {
		t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "nowhere"))
		refusesToStart(t, 1, "nowhere: no such file or directory")
	})
	t.Run("an address for probes that is none", func(t *testing.T) {
		refusesToStart(t, 1, "address bad: missing port", "--kubeconfig="+kubeconfigOf(t, &rest.Config{Host: answering(t)}), "--health-probe-bind-address=bad")
	})
}

// answering is an API server that has the kinds of objects the operator looks up, and no object.
func answering(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/api":
			_, _ = w.Write([]byte(`{"kind":"APIVersions","versions":["v1"]}`))
		case "/apis":
			_, _ = w.Write([]byte(`{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"keywright.dev","versions":[{"groupVersion":"keywright.dev/v1alpha1","version":"v1alpha1"}]}]}`))
		case "/apis/keywright.dev/v1alpha1":
			_, _ = w.Write([]byte(`{"kind":"APIResourceList","groupVersion":"keywright.dev/v1alpha1","resources":[{"name":"adminusers","kind":"AdminUser","namespaced":true,"verbs":["get"]},{"name":"apikeys","kind":"APIKey","namespaced":true,"verbs":["get"]}]}`))
		case "/api/v1":
			_, _ = w.Write([]byte(`{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"secrets","kind":"Secret","namespaced":true,"verbs":["get"]}]}`))
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// An API server that takes the connection and then says nothing must not hold up a start until client-go's own
// deadlines, which are longer, or none.
func TestAMuteAPIServerIsNotWaitedForLong(t *testing.T) {
	quietly(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if firstWord > 15*time.Second {
		t.Errorf("it is waited for %v", firstWord)
	}
	for _, scheme := range []string{"http", "https"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		begun := time.Now()
		code, _, stderr := start(ctx, "--metrics-bind-address=0", "--health-probe-bind-address=0",
			"--kubeconfig="+kubeconfigOf(t, &rest.Config{Host: scheme + "://" + listener.Addr().String()}))
		cancel()
		if code != 1 || !strings.Contains(stderr, "can't reach the API server at "+scheme) || time.Since(begun) > 5*time.Second {
			t.Errorf("%s: ended with %d after %v: %s", scheme, code, time.Since(begun), stderr)
		}
	}
}
