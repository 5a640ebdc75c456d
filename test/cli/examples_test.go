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
)

// exampleSet has the examples of all help texts, and which of them ran.
type exampleSet struct {
	mu  sync.Mutex
	all map[string]bool
}

// examples are those of the command keywright.
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
	walk(command())
	return e
}

func command() *cobra.Command { return (&cli.App{}).Command() }

func linesOf(c *cobra.Command) []string {
	var lines []string
	for line := range strings.Lines(c.Example) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// take returns an example: args are the command without keywright, and the number of the line from 1 on.
func (e *exampleSet) take(ts *testscript.TestScript, args []string) string {
	if len(args) < 2 {
		ts.Fatalf("usage: example COMMAND N")
	}
	last := len(args) - 1
	n, err := strconv.Atoi(args[last])
	ts.Check(err)
	c, rest, err := command().Find(args[:last])
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
