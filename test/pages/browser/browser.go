package browser

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"keywright.dev/keywright/test/stack"
)

// patience is the deadline of everything that is waited for.
const patience = time.Minute

// Browser is a running Chromium.
type Browser struct {
	ctx context.Context
	// axe is the source of axe-core.
	axe string
}

// Missing is why the tests of pages are skipped.
const Missing = "Chromium or axe-core is missing: run hack/packages.sh as root, on Debian"

// Start starts Chromium until the test ends. Without Chromium or axe-core the test is skipped; in CI it fails.
func Start(t testing.TB) *Browser {
	t.Helper()
	program, axe := find(t)
	if program == "" || axe == "" {
		if os.Getenv("CI") != "" {
			t.Fatal(Missing)
		}
		t.Skip(Missing)
	}
	source, err := os.ReadFile(axe)
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		// Chromium refuses to run as root with its sandbox. It opens nothing but the pages of the tests.
		chromedp.NoSandbox,
		chromedp.Flag("hide-scrollbars", false),
		chromedp.Flag("lang", "en-US"),
		chromedp.CombinedOutput(&output),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf), chromedp.WithLogf(t.Logf))
	t.Cleanup(func() {
		closeBrowser()
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v\n%s", program, err, &output)
	}
	return &Browser{ctx: ctx, axe: string(source)}
}

// find returns the paths of Chromium and of axe-core's script, or an empty string for what is missing.
func find(t testing.TB) (program, axe string) {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	fetch := exec.CommandContext(t.Context(), filepath.Join(root, "hack", "axe", "fetch.sh"), "--if-fetched")
	path, err := fetch.Output()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", fetch, err))
	}
	return program, string(bytes.TrimSpace(path))
}
