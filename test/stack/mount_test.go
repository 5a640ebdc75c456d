package stack

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteMount(t *testing.T) {
	dir := t.TempDir()
	states := []map[string][]byte{
		{"active": []byte("one"), "old": []byte("two")},
		{"active": []byte("three")},
		{},
		{"active": []byte("four"), "new": {0, 255}},
	}
	for i, state := range states {
		if err := WriteMount(dir, state); err != nil {
			t.Fatalf("state %d: %v", i, err)
		}
		if got := readMount(t, dir); !maps.EqualFunc(got, state, func(a string, b []byte) bool { return a == string(b) }) {
			t.Errorf("state %d: got %q, want %q", i, got, state)
		}
	}
	if folders, _ := filepath.Glob(filepath.Join(dir, "..[0-9]*")); len(folders) != 1 {
		t.Errorf("old folders are left: %v", folders)
	}
}

// A reader that has resolved ..data reads one state of the Secret, even if it changes meanwhile.
func TestWriteMount_SwapsAtomically(t *testing.T) {
	dir := t.TempDir()
	write := func(content string) {
		if err := WriteMount(dir, map[string][]byte{"active": []byte(content)}); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	link, err := os.Lstat(filepath.Join(dir, "active"))
	if err != nil {
		t.Fatal(err)
	}
	write("two")
	after, err := os.Lstat(filepath.Join(dir, "active"))
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(link, after) || after.Mode()&os.ModeSymlink == 0 {
		t.Error("the name itself was replaced, so it was missing for an instant")
	}
}

func readMount(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, entry := range entries {
		if entry.Name()[0] == '.' {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o400 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
		found[entry.Name()] = string(content)
	}
	return found
}
