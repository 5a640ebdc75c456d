package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

func TestCheckVersion(t *testing.T) {
	for kubernetes, ok := range map[string]bool{
		"v1.33.0": true, "v1.33.0-alpha.1": true, "v1.33": true, "v1.37.2": true, "v1.34.1-gke.1829001": true,
		"v1.33.4-eks-99d6cc0": true, "v1.33.5+k3s1": true, "v2.0.0": true, "v1.100.0": true,
		"v1.32.9": false, "v1.32.9-eks-99d6cc0": false, "v1.9.11": false, "v1.3.3": false, "v0.40.0": false,
		"": true, "master": true,
	} {
		if err := checkVersion(kubernetes); (err == nil) != ok {
			t.Errorf("%q: %v", kubernetes, err)
		}
	}
	want := "the API server is Kubernetes v1.32.9, and Keywright needs 1.33 or later"
	if err := checkVersion("v1.32.9"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// versioned returns the address of an API server that has the pepper's API and replies to /version like this.
func versioned(t *testing.T, code int, reply string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/version" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
			return
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(reply))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestCheckKubernetes(t *testing.T) {
	for name, c := range map[string]struct {
		code        int
		reply, want string
	}{
		"new enough":      {200, `{"gitVersion":"v1.33.0"}`, ""},
		"too old":         {200, `{"gitVersion":"v1.32.0"}`, "Kubernetes v1.32.0, and Keywright needs 1.33"},
		"hidden":          {403, `{"kind":"Status","status":"Failure","reason":"Forbidden","code":403}`, ""},
		"not what it is":  {200, `<html>`, "unable to parse the server version"},
		"without version": {200, `{}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkKubernetes(t.Context(), &rest.Config{Host: versioned(t, c.code, c.reply)})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestOperator_ExitsWithOldKubernetes(t *testing.T) {
	clearEnv(t)
	old := versioned(t, http.StatusOK, `{"gitVersion":"v1.32.11"}`)
	expectExit(t, 1, "keywright-operator: the API server is Kubernetes v1.32.11, and Keywright needs 1.33 or later\n",
		"--kubeconfig="+kubeconfigOf(t, &rest.Config{Host: old}))
}

func TestPages_NameOldestKubernetes(t *testing.T) {
	for _, page := range []string{"README.md", "docs/install.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", page))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "Kubernetes "+oldestKubernetes+" or later") {
			t.Errorf("%s does not name Kubernetes %s", page, oldestKubernetes)
		}
	}
}
