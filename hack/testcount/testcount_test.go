package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// passing is a package with one of everything that is not a failure: 4 passed, 1 skipped.
const passing = `package p
import "testing"
func TestPlain(t *testing.T) { t.Log("not shown") }
func TestTable(t *testing.T) {
	t.Run("one", func(t *testing.T) {})
	t.Run("two", func(t *testing.T) { t.Run("deep", func(t *testing.T) {}) })
}
func TestSkipped(t *testing.T) { t.Skip("the reason why") }
var _ = 0; func FuzzSeeds(f *testing.F) { f.Add("a"); f.Fuzz(func(t *testing.T, s string) {}) }
`

func TestCount(t *testing.T) {
	for name, tc := range map[string]struct {
		source string
		want   counts
		err    string // a part of the error; empty for none
	}{
		"everything but failures": {
			source: passing,
			want:   counts{passed: 4, skipped: 1},
		},
		"a failed subtest counts once": {
			source: `package p
import "testing"
func TestTable(t *testing.T) {
	t.Run("good", func(t *testing.T) {})
	t.Run("bad", func(t *testing.T) { t.Error("seen this") })
}`,
			want: counts{passed: 1, failed: 1}, err: "failed tests",
		},
		"a parent that fails by itself counts": {
			source: `package p
import "testing"
func TestTable(t *testing.T) {
	t.Run("good", func(t *testing.T) {})
	t.Error("seen this")
}`,
			want: counts{passed: 1, failed: 1}, err: "failed tests",
		},
		"a crash is a failure": {
			source: `package p
import "testing"
func TestFirst(t *testing.T) {}
func TestPanic(t *testing.T) { panic("seen this") }`,
			want: counts{passed: 1, failed: 1}, err: "failed tests",
		},
		"an early exit is a failure": {
			source: `package p
import ("os"; "testing"; "fmt")
func TestExit(t *testing.T) { fmt.Println("seen this"); os.Exit(3) }`,
			want: counts{failed: 1}, err: "failed tests",
		},
		"a broken package is a failure": {
			source: `package p
import "testing"
func TestX(t *testing.T) { undefined() }`,
			want: counts{failed: 1}, err: "failed tests",
		},
		"a failing TestMain is a failure": {
			source: `package p
import ("os"; "testing")
func TestGood(t *testing.T) {}
func TestMain(m *testing.M) { m.Run(); os.Exit(1) }`,
			want: counts{passed: 1, failed: 1}, err: "failed tests",
		},
		"no test is a failure": {
			source: `package p`,
			err:    "no test passed",
		},
		"a Ginkgo suite counts by its specs": {
			source: `package p
import ("fmt"; "testing")
func TestSuite(t *testing.T) {
	fmt.Print("\x1b[1mSUCCESS!\x1b[0m -- ")
	fmt.Println("\x1b[32m\x1b[1m7 Passed\x1b[0m | 0 Failed | 1 Pending | 2 Skipped")
}`,
			want: counts{passed: 7, skipped: 3},
		},
		"a Ginkgo suite with a failed spec": {
			source: `package p
import ("fmt"; "testing")
func TestSuite(t *testing.T) {
	fmt.Println("FAIL! -- 5 Passed | 2 Failed | 1 Flaked | 0 Pending | 0 Skipped")
	t.Fail()
}`,
			want: counts{passed: 5, failed: 2}, err: "failed tests",
		},
		"a Ginkgo suite that fails outside its specs": {
			source: `package p
import ("fmt"; "testing")
func TestSuite(t *testing.T) {
	fmt.Println("FAIL! -- 0 Passed | 0 Failed | 0 Pending | 4 Skipped")
	t.Fail()
}`,
			want: counts{failed: 1, skipped: 4}, err: "failed tests",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := countTests(t, tc.source)
			checkError(t, err, tc.err)
			if out != tc.want.String()+"\n" {
				t.Errorf("want %q, got %q", tc.want, out)
			}
		})
	}
}

// countTests runs the tests of a module with one package of this source, and counts them.
func countTests(t *testing.T, source string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module p\n", "p_test.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-json", "-vet=off", "./...")
	cmd.Dir = dir
	events, _ := cmd.Output() // it fails when a test does
	file := filepath.Join(dir, "events.json")
	if err := os.WriteFile(file, events, 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := run([]string{file}, &out)
	return out.String(), err
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("unexpected error: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("want an error with %q, got %v", want, err)
	}
}
