package peppermount_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/server/peppermount"
)

func bytesOf(c byte) []byte { return bytes.Repeat([]byte{c}, 32) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mounted is a folder like the kubelet's: each file is a link through ..data to a folder of one version.
type mounted struct {
	t       *testing.T
	dir     string
	version int
}

func (m *mounted) set(files map[string][]byte) {
	m.t.Helper()
	m.version++
	version := fmt.Sprintf("..version-%d", m.version)
	must(m.t, os.Mkdir(filepath.Join(m.dir, version), 0o755))
	for name, content := range files {
		must(m.t, os.WriteFile(filepath.Join(m.dir, version, name), content, 0o600))
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(m.dir, name)); err != nil && !os.IsExist(err) {
			m.t.Fatal(err)
		}
	}
	must(m.t, os.Symlink(version, filepath.Join(m.dir, "..next")))
	must(m.t, os.Rename(filepath.Join(m.dir, "..next"), filepath.Join(m.dir, "..data")))
}

func newMounted(t *testing.T, files map[string][]byte) *mounted {
	t.Helper()
	m := &mounted{t: t, dir: t.TempDir()}
	m.set(files)
	return m
}

func idOf(t *testing.T, c byte) string {
	t.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: bytesOf(c)})
	must(t, err)
	return ring.ActiveID()
}

func TestOpen_ReadsMountedSecretAndPlainFolder(t *testing.T) {
	files := map[string][]byte{"active": bytesOf('a'), "2029": bytesOf('b')}
	plain := t.TempDir()
	for name, content := range files {
		must(t, os.WriteFile(filepath.Join(plain, name), content, 0o600))
	}
	must(t, os.WriteFile(filepath.Join(plain, ".hidden"), []byte("short"), 0o600))
	must(t, os.Mkdir(filepath.Join(plain, "lost+found"), 0o700))
	for name, dir := range map[string]string{"mounted": newMounted(t, files).dir, "plain": plain} {
		m, err := peppermount.Open(dir)
		must(t, err)
		if ring := m.Keyring(); ring.ActiveID() != idOf(t, 'a') || !ring.Has(idOf(t, 'b')) || ring.Len() != 2 {
			t.Errorf("%s: %d peppers, %s active", name, ring.Len(), ring.ActiveID())
		}
	}
}

func TestOpen_ErrorsRevealNoPepper(t *testing.T) {
	content := "short-and-secret"
	file := filepath.Join(t.TempDir(), "a-file")
	must(t, os.WriteFile(file, bytesOf('a'), 0o600))
	for name, c := range map[string]struct {
		dir, part string
	}{
		"missing":   {"/nonexistent/pepper", "--pepper-dir"},
		"a file":    {file, "not a directory"},
		"empty":     {t.TempDir(), "is empty"},
		"no active": {newMounted(t, map[string][]byte{"old": bytesOf('a')}).dir, `no entry "active"`},
		"short":     {newMounted(t, map[string][]byte{"active": []byte(content)}).dir, "16 bytes"},
		"no bytes":  {newMounted(t, map[string][]byte{"active": nil}).dir, "0 bytes"},
		"huge":      {newMounted(t, map[string][]byte{"active": make([]byte, 1<<20)}).dir, "32 to 1024"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := peppermount.Open(c.dir)
			if err == nil || !strings.Contains(err.Error(), c.part) || strings.Contains(err.Error(), content) {
				t.Fatalf("got %v, want an error with %q", err, c.part)
			}
		})
	}
}

func TestFollow_SkipsInvalidPepper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := newMounted(t, map[string][]byte{"active": bytesOf('a')})
		m, err := peppermount.Open(folder.dir)
		must(t, err)
		// A change between Open and Follow must not be missed.
		folder.set(map[string][]byte{"active": bytesOf('b'), "old": bytesOf('a')})

		var used []string
		var log bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		use := func(r *pepper.Keyring) { used = append(used, r.ActiveID()) }
		go m.Follow(ctx, time.Second, use, slog.New(slog.NewJSONHandler(&log, nil)))
		poll := func() { time.Sleep(5 * time.Second); synctest.Wait() }

		poll()
		folder.set(map[string][]byte{"active": []byte("broken")})
		poll()
		folder.set(map[string][]byte{"active": bytesOf('c')})
		poll()
		stop()
		synctest.Wait()

		if want := []string{idOf(t, 'b'), idOf(t, 'c')}; fmt.Sprint(used) != fmt.Sprint(want) {
			t.Errorf("used %v, want %v", used, want)
		}
		if n := strings.Count(log.String(), `"ERROR"`); n != 1 || strings.Contains(log.String(), "broken\"") {
			t.Errorf("%d errors are logged: %s", n, log.String())
		}
	})
}

func TestFollow_ResumesAfterFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := newMounted(t, map[string][]byte{"active": bytesOf('a')})
		m, err := peppermount.Open(folder.dir)
		must(t, err)
		used := 0
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go m.Follow(ctx, time.Second, func(*pepper.Keyring) { used++ }, slog.New(slog.DiscardHandler))
		must(t, os.RemoveAll(folder.dir))
		time.Sleep(5 * time.Second)
		must(t, os.Mkdir(folder.dir, 0o755))
		folder.set(map[string][]byte{"active": bytesOf('a')})
		time.Sleep(5 * time.Second)
		stop()
		synctest.Wait()
		if used != 1 || m.Keyring().ActiveID() != idOf(t, 'a') {
			t.Errorf("used %d times", used)
		}
	})
}
