package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	count, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(2)
	}
	if count > 0 {
		fmt.Fprintf(os.Stderr, "prose: %d findings; docs/contributing.md has the rules\n", count)
		os.Exit(1)
	}
}

// run checks the files below paths, prints the findings and returns their number.
func run(paths []string, out io.Writer) (int, error) {
	files, err := list(paths)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			return count, err
		}
		for _, f := range check(file, source) {
			fmt.Fprintf(out, "%s:%d: %s\n", file, f.line, f.text)
			count++
		}
	}
	return count, nil
}

// list returns the files that git tracks below paths, and those that it does not ignore.
func list(paths []string) ([]string, error) {
	args := []string{"ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z", "--"}
	cmd := exec.Command("git", append(args, paths...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	return strings.FieldsFunc(string(bytes.TrimRight(out, "\x00")), func(r rune) bool { return r == 0 }), nil
}
