package graphql

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/httpapi/jsonbody"
)

// docs/api.md lists exactly the bounds of a request.
func TestDocs_HaveEveryBound(t *testing.T) {
	page, err := os.ReadFile("../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## GraphQL\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var listed []string
	for _, row := range regexp.MustCompile(`(?m)^\| .* \| (\d+(?: KiB)?) \|$`).FindAllStringSubmatch(section, -1) {
		listed = append(listed, row[1])
	}
	kib := func(bytes int) string { return fmt.Sprintf("%d KiB", bytes>>10) }
	bounds := []string{
		kib(jsonbody.MaxBytes), kib(maxQuery), fmt.Sprint(maxDepth), fmt.Sprint(maxSelections), fmt.Sprint(maxRoots),
		fmt.Sprint(maxFields), fmt.Sprint(maxPairs),
	}
	if !slices.Equal(listed, bounds) {
		t.Errorf("on the page: %q, in the code: %q", listed, bounds)
	}
	if text := fmt.Sprintf(
		"`limit` is %d by default, at most %d. Policies of more than %d MiB", defaultLimit, maxLimit, maxPolicies>>20,
	); !strings.Contains(section, text) {
		t.Errorf("the page lacks %q", text)
	}
}
