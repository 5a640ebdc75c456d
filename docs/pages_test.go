package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// mentioned matches a path of this repository in backticks or after PKG=.
	mentioned = regexp.MustCompile("(?:`|PKG=)(?:\\./)?((?:api|cmd|config|controllers|docs|hack|internal|test)/[\\w./-]+)")
	// linked matches the target of a link to another file, without the anchor.
	linked = regexp.MustCompile(`\]\(([\w./-]+\.md|[\w./-]+/[\w./-]+)[)#]`)
)

func TestPages_MentionOnlyPathsThatExist(t *testing.T) {
	for _, page := range pages(t) {
		text := read(t, page)
		for _, m := range mentioned.FindAllStringSubmatch(text, -1) {
			checkExists(t, page, filepath.Join(root, strings.TrimSuffix(m[1], "...")))
		}
		for _, m := range linked.FindAllStringSubmatch(text, -1) {
			checkExists(t, page, filepath.Join(filepath.Dir(page), m[1]))
		}
	}
}

func checkExists(t *testing.T, page, path string) {
	t.Helper()
	if strings.Contains(path, "*") {
		return
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("%s mentions %s, which does not exist", page, path)
	}
}

// pages returns every page for people.
func pages(t *testing.T) []string {
	t.Helper()
	found := []string{filepath.Join(root, "README.md")}
	for _, pattern := range []string{"*.md", "spec/*.md"} {
		matched, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, matched...)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
