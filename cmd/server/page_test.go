package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"testing"

	"keywright.dev/keywright/test/kit"
)

// docs/server.md has every flag, and none that there is not.
func TestPageHasEachFlag(t *testing.T) {
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
	if told := append(flags("(?m)^\\| `--([a-z-]+)` \\| ", string(page)), "version"); !slices.Equal(slices.Sorted(slices.Values(told)), there) || len(there) < 5 {
		t.Errorf("on the page: %v, in --help: %v", told, there)
	}
}
