package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
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

// byHand matches a command that writes to a key object and is not an apply of a manifest, with its continuation lines.
var byHand = regexp.MustCompile(
	`kubectl (?:annotate|label|patch|edit|scale|replace)(?:[^\n` + "`" + `]|\\\n)* (?:adminuser|apikey)s?[ /](?:[^\n` + "`" + `]|\\\n)*`)

// Flux undoes what a field manager whose name begins with kubectl writes to the objects that it applies.
func TestPages_WriteByHandWithAFieldManager(t *testing.T) {
	found := 0
	for _, page := range append(pages(t), filepath.Join(root, "config", "samples", "apikey_workload.yaml")) {
		if page == filepath.Join(root, "README.md") {
			// It shows the demo, where nothing comes from Git.
			continue
		}
		for _, command := range byHand.FindAllString(read(t, page), -1) {
			found++
			if !strings.Contains(command, "--field-manager="+v1alpha1.IncidentFieldManager) {
				t.Errorf("%s writes to an object as kubectl, which Flux undoes: %s", page, command)
			}
		}
	}
	if found < 8 {
		t.Errorf("found %d commands only", found)
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
	for _, pattern := range []string{"*.md", "spec/*.md", "runbooks/*.md"} {
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
