package cli_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A keyring that is absent, or does not answer, is an error within seconds. The key goes nowhere else.
func TestSaveToKeyring_WithoutKeyring(t *testing.T) {
	for name, c := range map[string]struct {
		listens bool
		want    string
	}{
		"nothing listens": {false, "connect: no such file or directory"},
		"no answer":       {true, "no answer within 3s"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "bus")
			if c.listens {
				listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = listener.Close() })
			}
			t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+socket)
			f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, map[string]any{"username": "alice", "role": "admin", "is_admin": true})
			})
			code := f.Run(t.Context(), []string{"auth", "login", "--username", "alice", "--save", "keyring"})
			got := f.stderr.String()
			if code != 1 || !strings.HasPrefix(got, "Error: the keyring can't be written: ") || !strings.Contains(got, c.want) ||
				!strings.Contains(got, "\nHint: --save file ") || f.stdout.String() != "" {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, f.stdout.String(), got)
			}
			if found, _ := os.ReadDir(filepath.Join(f.env["HOME"], ".config")); len(found) > 0 {
				t.Errorf("written: %v", found)
			}
		})
	}
}
