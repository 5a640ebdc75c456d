//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestNewCluster_RefusesNames(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, name := range []string{"", "../etc", "a/b", "-a", "A", "a b", strings.Repeat("a", 32), "a\n"} {
		if c, err := newCluster(name); err == nil {
			t.Errorf("%q is accepted, with folder %s", name, c.dir)
		}
	}
}

func TestNewCluster_RefusesAFolderThatTheNodeHides(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/var/cache")
	if _, err := newCluster("a"); err == nil {
		t.Error("a folder below /var is accepted")
	}
}

func fixture(t *testing.T) *cluster {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	c, err := newCluster("fixture")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLock_IsHeldOnce(t *testing.T) {
	c := fixture(t)
	first, err := c.lock()
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	if second, err := c.lock(); err != nil || second != nil {
		t.Error(second, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if third, err := c.lock(); err != nil || third == nil {
		t.Error(third, err)
	}
}

// The id of an ended supervisor may be that of any process, which down must not kill.
func TestSupervisor_IsNotAnotherProcess(t *testing.T) {
	c := fixture(t)
	for _, text := range []string{"", "no number", "-1", strconv.Itoa(os.Getpid())} {
		if err := errors.Join(os.MkdirAll(c.dir, 0o700), os.WriteFile(c.path("pid"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if pid := c.supervisor(); pid != 0 {
			t.Errorf("file with %q: %d", text, pid)
		}
	}
}

func TestDown_RemovesTheFolderAndMayBeRepeated(t *testing.T) {
	c := fixture(t)
	for range 2 {
		if err := c.down(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
}

func TestMakePKI_KeepsWhatItMade(t *testing.T) {
	c := fixture(t)
	if err := os.MkdirAll(c.path("pki"), 0o700); err != nil {
		t.Fatal(err)
	}
	var made [2]string
	for i := range made {
		if err := errors.Join(c.makePKI(), c.writeAdmin("127.0.0.1:1")); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(c.kubeconfig())
		if err != nil {
			t.Fatal(err)
		}
		made[i] = string(text)
	}
	if made[0] != made[1] || !strings.Contains(made[0], "https://127.0.0.1:1\n") {
		t.Error(made)
	}
}

func TestWriteImage_HasFilesFoldersAndLibraries(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"one": "1", "folder/two": "2", "folder/deep/three": "3"} {
		path := filepath.Join(dir, name)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	archive := filepath.Join(dir, "image.tar")
	files := []string{filepath.Join(dir, "one") + "=/first", filepath.Join(dir, "folder") + "=/all", "/bin/sh"}
	if err := writeImage("example.com/image:tag", archive, files); err != nil {
		t.Fatal(err)
	}
	image := unpack(t, read(t, archive))
	if !strings.Contains(string(image["manifest.json"]), `"RepoTags":["example.com/image:tag"]`) {
		t.Errorf("%s", image["manifest.json"])
	}
	var layer map[string][]byte
	for name, content := range image {
		if strings.HasSuffix(name, ".tar") {
			layer = unpack(t, content)
		}
	}
	if string(layer["first"]) != "1" || string(layer["all/two"]) != "2" || string(layer["all/deep/three"]) != "3" {
		t.Error(slices.Sorted(maps.Keys(layer)))
	}
	libraries, err := librariesOf("/bin/sh")
	if err != nil || len(libraries) == 0 {
		t.Fatal(libraries, err)
	}
	for _, library := range libraries {
		if len(layer[strings.TrimPrefix(library, "/")]) == 0 {
			t.Error("no", library)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func unpack(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	in := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if found[header.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
}

// The API server and the node are of one version.
func TestModules_PinTheControlPlanesKubernetes(t *testing.T) {
	version := regexp.MustCompile(`(?m)^(?:require)?\s*k8s\.io/kubernetes (v\S+)`)
	var found []string
	for _, module := range []string{"../controlplane/go.mod", "kubernetes/go.mod"} {
		match := version.FindSubmatch(read(t, module))
		if match == nil {
			t.Fatal("no k8s.io/kubernetes in", module)
		}
		found = append(found, string(match[1]))
	}
	if found[0] != found[1] {
		t.Error(found)
	}
}
