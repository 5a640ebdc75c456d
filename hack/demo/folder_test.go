package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestLock_IsExclusive(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = lock(dir)
	if err == nil {
		t.Fatal("locked twice")
	}
	if !strings.Contains(err.Error(), "up already") || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("got %q, want the process that holds the lock", err)
	}
	unlock()
	if unlock, err = lock(dir); err != nil {
		t.Fatalf("after unlock: %v", err)
	}
	unlock()
}

// A lock file of a killed run locks nothing.
func TestLock_IgnoresKilledRun(t *testing.T) {
	dir := t.TempDir()
	longer := []byte("process 1, since 10:00:00, and a longer line than ours\n")
	if err := os.WriteFile(filepath.Join(dir, lockFile), longer, 0o600); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	line, _ := os.ReadFile(filepath.Join(dir, lockFile))
	if strings.Count(string(line), "\n") != 1 || strings.Contains(string(line), "longer") {
		t.Errorf("the lock contains %q", line)
	}
}

func TestFolder_CleanAndKeepLogs(t *testing.T) {
	dir := t.TempDir()
	fill := func() {
		for _, path := range []string{"run/etcd.d/member", "logs/etcd.log", "env", "bob.header", lockFile} {
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	if err := keepLogs(dir); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
		t.Errorf("keepLogs left %v", left)
	}
	fill()
	if err := clean(dir); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 || filepath.Base(left[0]) != lockFile {
		t.Errorf("clean left %v", left)
	}
}
