package stack

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestWriteEnv_MatchesEnviron(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "it's $HOME `here`")
	path := filepath.Join(t.TempDir(), "env")
	s := &Stack{
		ControlPlane: &ControlPlane{Dir: "/some where", Assets: folder, Kubeconfig: "/some where/kube'config"},
		ServerURL:    "http://127.0.0.1:1",
		BootstrapKey: "k\"e$y",
	}
	if err := s.WriteEnv(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	sourced := exec.CommandContext(t.Context(), "sh", "-c",
		`. "$1"; printf '%s\n' "$KUBECONFIG" "$KEYWRIGHT_URL" "$KEYWRIGHT_ADMIN_KEY" "$PATH"`, "sh", path)
	sourced.Env = []string{"PATH=" + os.Getenv("PATH")}
	got, err := sourced.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "/some where/kube'config\nhttp://127.0.0.1:1\nk\"e$y\n" + folder + ":" + os.Getenv("PATH") + "\n"
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}

	child := exec.CommandContext(t.Context(), "sh", "-c",
		`printf '%s\n' "$KUBECONFIG" "$KEYWRIGHT_URL" "$KEYWRIGHT_ADMIN_KEY" "$PATH"`)
	child.Env = s.Environ()
	if got, err := child.Output(); err != nil || string(got) != want {
		t.Errorf("a child got\n%swant\n%s(%v)", got, want, err)
	}
}
