package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"testing"

	"keywright.dev/keywright/test/kit"
)

// docs/server.md lists exactly the flags of the program.
func TestDocs_HaveEveryFlag(t *testing.T) {
	var help kit.Log
	_ = run(t.Context(), []string{"--help"}, &help, io.Discard)
	page, err := os.ReadFile("../../docs/server.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := func(expression, text string) (names []string) {
		for _, match := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
			names = append(names, match[1])
		}
		slices.Sort(names)
		return names
	}
	there := flags(`(?m)^ +--([a-z-]+)`, help.String())
	if listed := flags("(?m)^\\| `--([a-z-]+)` \\| ", string(page)); !slices.Equal(listed, there) || len(there) < 5 {
		t.Errorf("on the page: %v, in --help: %v", listed, there)
	}
}
