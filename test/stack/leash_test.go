package stack

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

const leashedProgram = "KEYWRIGHT_TEST_LEASHED_PROGRAM"

// TestMain lets the test binary act as a stack that is killed: see TestLeash.
func TestMain(m *testing.M) {
	if program := os.Getenv(leashedProgram); program != "" {
		holdLeash(program)
		return
	}
	os.Exit(m.Run())
}

// holdLeash runs a program that would outlive it.
func holdLeash(program string) {
	leash, err := newLeash(filepath.Join(filepath.Dir(program), "run"))
	if err != nil {
		panic(err)
	}
	// A FIFO that is garbage is closed, and its reader then waits for a writer forever.
	defer func() { _ = leash.close() }()
	script, err := leash.wrap(program)
	if err != nil {
		panic(err)
	}
	child := exec.Command(script)
	child.Stdout = os.Stdout
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	_ = child.Run()
}

func TestLeash(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "a 'program'") // a name that a shell splits unless it is quoted
	writeFile(t, program, "#!/bin/sh\necho up\nexec sleep 1000\n", 0o700)
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}

	holder := exec.CommandContext(t.Context(), os.Args[0])
	holder.Env = append(os.Environ(), leashedProgram+"="+program)
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	up := make([]byte, len("up\n"))
	if _, err := io.ReadFull(stdout, up); err != nil {
		t.Fatalf("the program did not start: %v", err)
	}

	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// The program holds the other end of stdout, so this returns only when the program is gone.
	if _, err := io.ReadAll(stdout); err != nil {
		t.Error(err)
	}
	_ = holder.Wait()
}

func writeFile(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
