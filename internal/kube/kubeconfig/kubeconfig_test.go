package kubeconfig_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/kube/kubeconfig"
)

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// naming is a kubeconfig that names the cluster at this address.
func naming(t *testing.T, address string) string {
	t.Helper()
	return write(t, `{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"c","cluster":{"server":"`+address+`"}}],"contexts":[{"name":"c","context":{"cluster":"c"}}]}`)
}

// files is a value of $KUBECONFIG.
func files(names ...string) string { return strings.Join(names, string(os.PathListSeparator)) }

// setEnvironment sets $KUBECONFIG, and hides the cluster that the tests may run in.
func setEnvironment(t *testing.T, environment string) {
	t.Helper()
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("KUBECONFIG", environment)
}

func TestLoad_PrefersFlagToEnvironment(t *testing.T) {
	one, other, nowhere := naming(t, "https://one"), naming(t, "https://other"), filepath.Join(t.TempDir(), "nowhere")
	for name, c := range map[string]struct{ flag, environment, want string }{
		"a flag":                          {one, "", "https://one"},
		"the environment":                 {"", other, "https://other"},
		"a flag before the environment":   {one, other, "https://one"},
		"several files":                   {"", files(one, other), "https://one"},
		"several files, one of them gone": {"", files(nowhere, "", other), "https://other"},
	} {
		t.Run(name, func(t *testing.T) {
			setEnvironment(t, c.environment)
			config, err := kubeconfig.Load(c.flag)
			if err != nil || config.Host != c.want {
				t.Errorf("got %v, %v, want %s", config, err, c.want)
			}
		})
	}
}

func TestLoad_ErrorNamesTheFile(t *testing.T) {
	nowhere, empty := filepath.Join(t.TempDir(), "nowhere"), write(t, "")
	clusterless, broken := write(t, `{"apiVersion":"v1","kind":"Config"}`), write(t, "{no YAML")
	const nothing = "no kubeconfig that names a cluster: give --kubeconfig, set KUBECONFIG, or run in a cluster"
	for name, c := range map[string]struct{ flag, environment, want string }{
		"nothing given":              {"", "", nothing},
		"nothing in the environment": {"", files("", ""), nothing},
		"a flag, no file":            {nowhere, "", "kubeconfig: stat " + nowhere + ": no such file or directory"},
		"a flag, an empty file":      {empty, "", "--kubeconfig names no cluster: " + empty + " is empty"},
		"a flag, a file without a cluster": {clusterless, "",
			"--kubeconfig names no cluster: " + clusterless + " has none in it"},
		"a flag, a broken file": {broken, "", `kubeconfig: error loading config file "` + broken + `"`},
		"the environment, no file": {"", nowhere,
			"KUBECONFIG names no cluster: stat " + nowhere + ": no such file or directory"},
		"the environment, an empty file": {"", empty, "KUBECONFIG names no cluster: " + empty + " is empty"},
		"the environment, a broken file": {"", broken, `kubeconfig: error loading config file "` + broken + `"`},
		"the environment, each its own fault": {"", files(nowhere, clusterless),
			"KUBECONFIG names no cluster: stat " + nowhere + ": no such file or directory; " + clusterless + " has none in it"},
	} {
		t.Run(name, func(t *testing.T) {
			setEnvironment(t, c.environment)
			_, err := kubeconfig.Load(c.flag)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// failed is the error of a request to this address.
func failed(ctx context.Context, t *testing.T, address string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/api/v1/namespaces?limit=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err == nil {
		_ = reply.Body.Close()
		t.Fatal("it was answered")
	}
	return fmt.Errorf("reading something: %w", err)
}

func TestUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "https://" + listener.Addr().String()
	_ = listener.Close()
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	defer stranger.Close()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"connection refused": {failed(t.Context(), t, closed),
			"can't reach the API server at " + closed + ": connection refused"},
		"another server": {failed(t.Context(), t, stranger.URL),
			"can't reach the API server at " + stranger.URL + ": tls: failed to verify certificate"},
		"time is up":     {failed(over, t, closed), "can't reach the API server at " + closed + ": context canceled"},
		"another matter": {errors.New("Unauthorized"), "Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			got := kubeconfig.Unreachable(c.err)
			if !strings.HasPrefix(got.Error(), c.want) || strings.Contains(got.Error(), "namespaces") {
				t.Errorf("got  %v\nwant %s", got, c.want)
			}
		})
	}
}
