package cli

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/cli"
	"keywright.dev/keywright/internal/cli/cluster"
)

// exampleSet has the examples of all help texts, and which of them ran.
type exampleSet struct {
	mu  sync.Mutex
	all map[string]bool
}

// examples are those of both programs.
var examples = newExamples()

func newExamples() *exampleSet {
	e := &exampleSet{all: map[string]bool{}}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, line := range linesOf(c) {
			e.all[line] = false
		}
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	for _, root := range roots() {
		walk(root)
	}
	return e
}

// roots returns the first commands of keywright and of the plugin of kubectl.
func roots() map[string]*cobra.Command {
	return map[string]*cobra.Command{"keywright": (&cli.App{}).Command(), "kubectl": (&cluster.Plugin{}).Command()}
}

func linesOf(c *cobra.Command) []string {
	var lines []string
	for line := range strings.Lines(c.Example) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// take returns an example: args are the command, and the number of the line from 1 on. The first word of the command is
// keywright unless it is kubectl.
func (e *exampleSet) take(ts *testscript.TestScript, args []string) string {
	if len(args) < 2 {
		ts.Fatalf("usage: example COMMAND N")
	}
	last := len(args) - 1
	n, err := strconv.Atoi(args[last])
	ts.Check(err)
	root, words := "keywright", args[:last]
	if words[0] == "kubectl" {
		root, words = words[0], words[1:]
	}
	c, rest, err := roots()[root].Find(words)
	if err != nil || len(rest) > 0 || n < 1 || n > len(linesOf(c)) {
		ts.Fatalf("no such example: %s", strings.Join(args, " "))
	}
	line := linesOf(c)[n-1]
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all[line] = true
	return line
}

// left returns the examples that did not run, sorted.
func (e *exampleSet) left() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(e.all)), func(line string) bool { return e.all[line] })
}
