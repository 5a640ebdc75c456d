package main

import (
	"os"
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

func TestCounts(t *testing.T) {
	for name, tc := range map[string]struct {
		source string
		want   counts
		shown  string // a part of the output that a person needs
		err    string // a part of the error; empty: none
	}{
		"everything but failures": {
			source: passing,
			want:   counts{passed: 4, skipped: 1},
			shown:  "the reason why",
		},
		"a failed subtest counts once": {
			source: `package p
import "testing"
func TestTable(t *testing.T) {
	t.Run("good", func(t *testing.T) {})
	t.Run("bad", func(t *testing.T) { t.Error("seen this") })
}`,
			want: counts{passed: 1, failed: 1}, shown: "seen this", err: "failed tests",
		},
		"a parent that fails by itself counts": {
			source: `package p
import "testing"
func TestTable(t *testing.T) {
	t.Run("good", func(t *testing.T) {})
	t.Error("seen this")
}`,
			want: counts{passed: 1, failed: 1}, shown: "seen this", err: "failed tests",
		},
		"a crash is a failure": {
			source: `package p
import "testing"
func TestFirst(t *testing.T) {}
func TestPanic(t *testing.T) { panic("seen this") }`,
			want: counts{passed: 1, failed: 1}, shown: "seen this", err: "failed tests",
		},
		"an early exit is a failure": {
			source: `package p
import ("os"; "testing"; "fmt")
func TestExit(t *testing.T) { fmt.Println("seen this"); os.Exit(3) }`,
			want: counts{failed: 1}, shown: "seen this", err: "failed tests",
		},
		"a broken package is a failure": {
			source: `package p
import "testing"
func TestX(t *testing.T) { undefined() }`,
			want: counts{failed: 1}, shown: "undefined: undefined", err: "failed tests",
		},
		"a failing TestMain is a failure": {
			source: `package p
import ("os"; "testing")
func TestGood(t *testing.T) {}
func TestMain(m *testing.M) { m.Run(); os.Exit(1) }`,
			want: counts{passed: 1, failed: 1}, shown: "FAIL", err: "failed tests",
		},
		"no test is a failure": {
			source: `package p`,
			err:    errNoTests.Error(),
		},
		"a Ginkgo suite counts by its specs": {
			source: `package p
import ("fmt"; "testing")
func TestSuite(t *testing.T) { fmt.Print("\x1b[1mSUCCESS!\x1b[0m -- "); fmt.Println("\x1b[32m\x1b[1m7 Passed\x1b[0m | 0 Failed | 1 Pending | 2 Skipped") }`,
			want: counts{passed: 7, skipped: 3},
		},
		"a Ginkgo suite with a failed spec": {
			source: `package p
import ("fmt"; "testing")
func TestSuite(t *testing.T) { fmt.Println("FAIL! -- 5 Passed | 2 Failed | 1 Flaked | 0 Pending | 0 Skipped"); t.Fail() }`,
			want: counts{passed: 5, failed: 2}, shown: "2 Failed", err: "failed tests",
		},
		"a Ginkgo suite that fails outside its specs": {
			source: `package p
import ("fmt"; "testing")
func TestSuite(t *testing.T) { fmt.Println("FAIL! -- 0 Passed | 0 Failed | 0 Pending | 4 Skipped"); t.Fail() }`,
			want: counts{failed: 1, skipped: 4}, shown: "4 Skipped", err: "failed tests",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := runOn(t, tc.source)
			checkError(t, err, tc.err)
			if !strings.HasSuffix("\n"+out, "\n"+tc.want.String()+"\n") {
				t.Errorf("want %q as the last line of:\n%s", tc.want, out)
			}
			if !strings.Contains(out, tc.shown) {
				t.Errorf("want %q shown in:\n%s", tc.shown, out)
			}
		})
	}
}

// TestQuiet: what passed is one line for its package.
func TestQuiet(t *testing.T) {
	out, err := runOn(t, strings.Replace(passing, `t.Skip("the reason why")`, "", 1))
	checkError(t, err, "")
	if lines := strings.Count(out, "\n"); lines != 2 || !strings.HasPrefix(out, "ok  \t") {
		t.Errorf("want the result of the package and the counts only, got:\n%s", out)
	}
}

// TestNoSuchPackage: what go test itself complains of is seen and fails the run.
func TestNoSuchPackage(t *testing.T) {
	var out strings.Builder
	if err := run([]string{"./nowhere"}, &out, &out); err == nil {
		t.Error("want an error")
	}
	if !strings.Contains(out.String(), "nowhere") {
		t.Errorf("the complaint of go test is lost: %s", out.String())
	}
}

// runOn runs the tests of a module with one package of this source.
func runOn(t *testing.T, source string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module p\n", "p_test.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var out strings.Builder
	err := run([]string{"-vet=off", "./..."}, &out, &out)
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
