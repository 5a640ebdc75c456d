package stack

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

func TestWriteKubeconfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	config := &rest.Config{Host: "https://127.0.0.1:1", BearerToken: "t"}
	config.CAData = []byte("ca")
	if err := writeKubeconfig(path, "alice", config); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	loaded, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	loader := clientcmd.NewDefaultClientConfig(*loaded, nil)
	got, err := loader.ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	if got.Host != config.Host || got.BearerToken != "t" || string(got.CAData) != "ca" {
		t.Errorf("got %v", got)
	}
	if namespace, _, _ := loader.Namespace(); namespace != Namespace {
		t.Errorf("namespace %q", namespace)
	}
}
