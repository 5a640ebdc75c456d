// Command clidocs writes the page and the man pages of the command line from its help texts.
package main

import (
	"bytes"
	_ "embed" // for the beginning of the page
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"keywright.dev/keywright/internal/cli"
	"keywright.dev/keywright/internal/cli/cluster"
)

// intro is the part of the page that a person wrote.
//
//go:embed intro.md
var intro string

// session is a recording. A test in test/cli plays it and compares it.
//
//go:embed session.txt
var session string

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "clidocs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: clidocs FOLDER")
	}
	var page bytes.Buffer
	page.WriteString(strings.TrimRight(intro, "\n") + "\n")
	fmt.Fprintf(&page, "\n## A session\n\nA recording in a terminal. Keys are shortened.\n\n```console\n%s```\n", session)
	man := filepath.Join(args[0], "man")
	if err := os.RemoveAll(man); err != nil {
		return err
	}
	if err := os.MkdirAll(man, 0o755); err != nil {
		return err
	}
	server, plugin := (&cli.App{}).Command(), (&cluster.Plugin{}).Command()
	fmt.Fprintf(&page, "\n## Flags of every command\n\n```text\n%s```\n", server.PersistentFlags().FlagUsages())
	for _, root := range []*cobra.Command{server, plugin} {
		root.InitDefaultHelpCmd()
		root.InitDefaultCompletionCmd()
		writeCommands(&page, root)
		if err := writeManPages(root, man); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(args[0], "cli.md"), page.Bytes(), 0o644)
}

// writeCommands writes a section for each command that does something.
func writeCommands(page *bytes.Buffer, c *cobra.Command) {
	for _, child := range c.Commands() {
		if child.Hidden || child.Name() == "help" || child.Name() == "completion" {
			continue
		}
		if child.HasSubCommands() {
			writeCommands(page, child)
			continue
		}
		writeCommand(page, child)
	}
}

func writeCommand(page *bytes.Buffer, c *cobra.Command) {
	text := c.Long
	if text == "" {
		text = c.Short
	}
	fmt.Fprintf(page, "\n## %s\n\n%s\n\n```text\n%s\n", c.CommandPath(), text, c.UseLine())
	if flags := c.NonInheritedFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(page, "\n%s", flags)
	}
	page.WriteString("```\n")
	if c.Example != "" {
		page.WriteString("\n```sh\n")
		for line := range strings.Lines(c.Example) {
			page.WriteString(strings.TrimSpace(line) + "\n")
		}
		page.WriteString("```\n")
	}
}

// writeManPages writes a page for each command. They have no date, so that they change only when a help text does.
func writeManPages(root *cobra.Command, folder string) error {
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Source: "Keywright", Manual: "Keywright"}
	if err := doc.GenManTree(root, header, folder); err != nil {
		return err
	}
	pages, err := filepath.Glob(filepath.Join(folder, "*.1"))
	if err != nil {
		return err
	}
	for _, path := range pages {
		if err := removeDate(path); err != nil {
			return err
		}
	}
	return nil
}

// removeDate removes the third field of .TH "NAME" "1" "Jan 2030" "Keywright".
func removeDate(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if fields := strings.Split(line, `"`); strings.HasPrefix(line, ".TH ") && len(fields) > 5 {
			fields[5] = ""
			lines[i] = strings.Join(fields, `"`)
		}
	}
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644)
}
