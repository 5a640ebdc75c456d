package stack

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

func TestControlPlane(t *testing.T) {
	dir := t.TempDir()
	plane, err := StartControlPlane(t.Context(), Options{Dir: dir, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			_ = plane.Stop()
		}
	})

	t.Run("kubectl is the admin of the system namespace", func(t *testing.T) {
		out, err := plane.Kubectl(t.Context(), "create", "configmap", "here", "--output=name")
		if err != nil || out != "configmap/here\n" {
			t.Fatalf("got %q, %v", out, err)
		}
		if err := plane.Client.Get(t.Context(), client.ObjectKey{Namespace: Namespace, Name: "here"},
			&corev1.ConfigMap{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("etcd's history has what was stored", func(t *testing.T) {
		history, err := plane.EtcdHistory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stored := func(write EtcdWrite) bool {
			return write.Key == "/registry/configmaps/"+Namespace+"/here" && bytes.Contains(write.Value, []byte("here"))
		}
		if !slices.ContainsFunc(history, stored) {
			t.Errorf("the ConfigMap is not among %d writes", len(history))
		}
	})
	t.Run("a failing kubectl reports why", func(t *testing.T) {
		if _, err := plane.Kubectl(t.Context(), "get", "secret", "absent"); err == nil ||
			!strings.Contains(err.Error(), `"absent" not found`) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("policies are in force when installed", func(t *testing.T) {
		if err := plane.InstallPolicies(t.Context()); err != nil {
			t.Fatal(err)
		}
		stray := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Name: "stray", Namespace: metav1.NamespaceDefault}}
		if err := plane.Client.Create(t.Context(), stray); !apierrors.IsForbidden(err) {
			t.Errorf("got %v, want Forbidden", err)
		}
	})
	t.Run("a ServiceAccount may do what it is granted and no more", func(t *testing.T) {
		testServiceAccount(t, plane)
	})
	t.Run("the folder is private", func(t *testing.T) {
		assertPrivate(t, dir)
	})
	t.Run("Stop leaves the logs and nothing else, on disk and running", func(t *testing.T) {
		stopped = true
		if err := plane.Stop(); err != nil {
			t.Fatal(err)
		}
		if left := names(t, dir); left != "logs" {
			t.Errorf("left in the folder: %s", left)
		}
		if left := processesWith(t, dir); left != "" {
			t.Errorf("still running:\n%s", left)
		}
	})
}

func testServiceAccount(t *testing.T, plane *ControlPlane) {
	config, err := plane.ServiceAccountConfig(t.Context(), "keywright-server")
	if err != nil {
		t.Fatal(err)
	}
	server, err := client.New(config, client.Options{Scheme: plane.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.List(t.Context(), &v1alpha1.AdminUserList{}, client.InNamespace(Namespace)); err != nil {
		t.Errorf("list AdminUsers: %v", err)
	}
	if err := server.List(t.Context(), &corev1.SecretList{}, client.InNamespace(Namespace)); !apierrors.IsForbidden(err) {
		t.Errorf("list Secrets: got %v, want Forbidden", err)
	}
}

func TestStartControlPlane_Interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	cancel()
	if _, err := StartControlPlane(ctx, Options{Dir: dir}); err == nil {
		t.Fatal("started after its context had ended")
	}
	if left := names(t, dir); left != "logs" {
		t.Errorf("left in the folder: %s", left)
	}
}

// assertPrivate expects that others cannot read dir, or any file below it.
func assertPrivate(t *testing.T, dir string) {
	t.Helper()
	for _, path := range []string{"logs", "run", "kubeconfig"} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return strings.Join(all, " ")
}

// processesWith lists the processes whose command line contains text.
func processesWith(t *testing.T, text string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ps", "-eo", "pid,args").Output()
	if err != nil {
		t.Skipf("ps: %v", err)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}
