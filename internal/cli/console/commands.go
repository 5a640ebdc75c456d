package console

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// Group makes a command that only has others print its help, and refuse any other name.
func Group(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		text := fmt.Sprintf("%s has no command %q", c.CommandPath(), args[0])
		if meant := suggestion(c, args[0]); meant != "" {
			text += fmt.Sprintf("; did you mean %q?", meant)
		}
		return Usagef("%s", text)
	}
	return c
}

// suggestion returns what a person may have meant by a command that does not exist: a synonym of a command
// of the group, a command with a similar spelling, or a command of another group. Otherwise it returns "".
func suggestion(group *cobra.Command, word string) string {
	for _, child := range group.Commands() {
		if slices.Contains(child.SuggestFor, word) {
			return child.Name()
		}
	}
	if alike := group.SuggestionsFor(word); len(alike) > 0 {
		return alike[0]
	}
	return elsewhere(group.Root(), word)
}

// elsewhere returns the full name of a command below another one.
func elsewhere(c *cobra.Command, word string) string {
	for _, child := range c.Commands() {
		if child.Name() == word && !child.Hidden {
			return child.CommandPath()
		}
		if path := elsewhere(child, word); path != "" {
			return path
		}
	}
	return ""
}

// Arguments checks the number of arguments. most is -1 for any number.
func Arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return Usagef("%s needs one more argument: %s", c.CommandPath(), c.UseLine())
		case most >= 0 && len(args) > most:
			return Usagef("%s has one argument too many: %q", c.CommandPath(), args[most])
		}
		return nil
	}
}

// Root prepares the first command of a program: errors and usage are printed by ExitCode alone.
func (c *Console) Root(root *cobra.Command, version string) *cobra.Command {
	root.SilenceErrors, root.SilenceUsage, root.Version = true, true, version
	root.SetVersionTemplate(root.Name() + " {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return Usagef("%s", err) })
	root.SetIn(c.Stdin)
	root.SetOut(c.Stdout)
	root.SetErr(c.Stderr)
	return Group(root)
}
